# llmctl_warnings: an interface target with the warnings that the project's own code is held to.
# Left out because GCC 12 gives them for correct uses of its own library: null-dereference (streambuf
# iterators), maybe-uninitialized (std::optional), restrict ("literal" + std::string); and because GCC 13 takes views for
# temporaries: dangling-reference.
add_library(llmctl_warnings INTERFACE)
target_compile_options(llmctl_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  -Woverloaded-virtual -Wextra-semi -Wformat=2 -Wvla
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-Wno-dangling-reference>
  $<$<BOOL:${LLMCTL_WARNINGS_AS_ERRORS}>:-Werror>)
