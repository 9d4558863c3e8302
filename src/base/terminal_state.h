// What the log and the progress line share so that neither tears the other on a terminal.
#pragma once

#include <string>

namespace llmctl::detail {

/// Writes a whole record and its end of line to stderr: on a terminal above the progress line,
/// which is drawn again below it, all in one write.
void write_record(const std::string& record);

}  // namespace llmctl::detail
