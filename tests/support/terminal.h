// A program on a pseudo terminal, typed to and read as a person does.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace llmctl::test {

class Terminal {
 public:
  /// Runs argv[0] in `directory` with the variables added to the environment.
  Terminal(const std::vector<std::string>& argv, const std::filesystem::path& directory,
           const std::map<std::string, std::string>& env);
  ~Terminal();  ///< kills what still runs
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void type(const std::string& keys);
  /// Reads until `text` has appeared behind what was waited for before; false after a minute
  /// without it or at the end of the output.
  bool shows(const std::string& text);
  /// Exit status of the program when it has ended, 128 + N after signal N.
  int finish();
  const std::string& output() const { return output_; }

 private:
  bool read_more();

  int fd_ = -1;
  pid_t pid_ = -1;
  std::string output_;
  std::size_t seen_ = 0;
};

}  // namespace llmctl::test
