#include "train/run_lock.h"

#include <unistd.h>

#include <string>

#include "base/error.h"
#include "base/files.h"
#include "base/host.h"
#include "config/json.h"

namespace llmctl {
namespace {

struct Holder {
  long long pid = 0;
  std::string host;
};

/// Whom the lock file names; an empty or damaged one names nobody.
Holder holder_of(std::string_view content) {
  const Json value = Json::parse(content, nullptr, false);
  if (!value.is_object() || !value.contains("pid") || !value.contains("host")) return {};
  if (!value["pid"].is_number_integer() || !value["host"].is_string()) return {};
  return {value["pid"].get<long long>(), value["host"].get<std::string>()};
}

[[noreturn]] void refuse(const fs::path& directory, const Holder& holder,
                         const std::string& remedy) {
  fail(ErrorCode::kCannotCreate, directory.string(), ": another run is using it (process ",
       holder.pid, " on ", holder.host.empty() ? "an unknown host" : holder.host, "); ", remedy);
}

}  // namespace

RunLock::RunLock(const fs::path& run_directory)
    : lock_(run_directory / "lock", [&](std::string_view content) {
        refuse(run_directory, holder_of(content), "wait for it or choose another run.dir");
      }) {
  // The lock falls with its process; its content is for people and for other hosts.
  const Holder holder = holder_of(lock_.read());
  const std::string host = host_name();
  if (!holder.host.empty() && holder.host != host) {
    lock_.leave_file();
    refuse(run_directory, holder, "remove " + lock_.path().string() + " if that process is gone");
  }
  lock_.write(dump_json(Json{{"pid", getpid()}, {"host", host}}) + "\n");
}

}  // namespace llmctl
