# llmctl_warnings: an interface target with the warnings that the project's own code is held to.
add_library(llmctl_warnings INTERFACE)
target_compile_options(llmctl_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  -Woverloaded-virtual -Wnull-dereference -Wno-maybe-uninitialized
  $<$<BOOL:${LLMCTL_WARNINGS_AS_ERRORS}>:-Werror>)
