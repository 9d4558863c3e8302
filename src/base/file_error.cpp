#include "base/file_error.h"

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace llmctl {

Error to_error(const std::filesystem::filesystem_error& error) {
  ErrorCode code = ErrorCode::kMissing;
  switch (error.code().value()) {
    case EEXIST:
    case ENOTEMPTY:
    case EROFS:
    case EBUSY:
      code = ErrorCode::kCannotCreate;
      break;
    case ENOSPC:
    case EDQUOT:
    case EIO:
      code = ErrorCode::kIo;
      break;
    default:
      break;
  }
  return Error(code, concat(error.path1(), error.path2().empty() ? "" : " and ", error.path2(),
                            ": ", std::strerror(error.code().value())));
}

}  // namespace llmctl
