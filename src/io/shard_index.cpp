#include "io/shard_index.h"

#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/terminal.h"
#include "config/json.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

fs::path resolve(const fs::path& index, const std::string& tensor, const std::string& shard,
                 const std::string& extension) {
  const auto refuse = [&](const std::string& what) {
    fail(ErrorCode::kData, index, ": weight_map entry '", tensor, "': shard '",
         escape_control(shard), "' ", what);
  };
  if (shard.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos ||
      !shard.ends_with(extension)) {
    refuse("is not the plain name of a " + extension + " file");
  }
  const fs::path directory = index.parent_path().empty() ? "." : index.parent_path();
  std::error_code error;
  const fs::path target = fs::canonical(directory / shard, error);
  if (error) refuse("does not exist; the download or copy is incomplete");
  const fs::path home = fs::canonical(directory);
  const bool in_cache = home.parent_path().filename() == "snapshots" &&
                        target.parent_path() == home.parent_path().parent_path() / "blobs";
  if (target.parent_path() != home && !in_cache) refuse("is a link out of the directory");
  return directory / shard;
}

}  // namespace

std::map<std::string, fs::path> read_shard_index(const fs::path& index,
                                                 const std::string& extension) {
  const Json json = load_json(index);
  require(json.is_object() && json.contains("weight_map") && json["weight_map"].is_object(),
          ErrorCode::kData, index, ": expected an object with a 'weight_map' object");
  std::map<std::string, fs::path> files;
  for (const auto& item : json["weight_map"].items()) {
    require(item.value().is_string(), ErrorCode::kData, index, ": weight_map entry '", item.key(),
            "': the shard must be a string, got ", item.value().type_name());
    files[item.key()] =
        resolve(index, item.key(), item.value().get_ref<const std::string&>(), extension);
  }
  return files;
}

}  // namespace llmctl
