# Writes OUTPUT, a header with the version and the commit built; run at each build as a script, touches the file only when
# it changes. "+" marks a tree with uncommitted changes; without git the commit is "unknown".
execute_process(COMMAND git -C "${SOURCE}" describe --always --abbrev=12 --exclude "*" --dirty=+
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  set(commit "unknown")
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT [[
#pragma once

#define LLMCTL_VERSION "@VERSION@"
#define LLMCTL_COMMIT "@commit@"
]] @ONLY)
