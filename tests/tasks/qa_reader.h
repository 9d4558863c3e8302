// Questions read from a text, as from a file of that name.
#pragma once

#include <string>

#include "support/temp_dir.h"
#include "tasks/qa_data.h"

namespace llmctl::test {

inline QaData read_questions(const std::string& content, const std::string& name,
                             bool skip_bad = false) {
  const TempDir directory;
  QaData data;
  BadRows bad(skip_bad);
  read_qa_file(directory.write(name, content), bad, data);
  bad.settle();
  return data;
}

}  // namespace llmctl::test
