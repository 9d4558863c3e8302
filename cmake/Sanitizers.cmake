# LLMCTL_SANITIZE: a list for -fsanitize (the preset "asan" sets address,undefined), applied to everything of ours.
set(LLMCTL_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined")
if(LLMCTL_SANITIZE)
  add_compile_options(-fsanitize=${LLMCTL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${LLMCTL_SANITIZE})
endif()
# LLMCTL_FUZZ: everything tells libFuzzer where it goes, and tests/fuzz becomes programs (the preset "fuzz", with clang).
option(LLMCTL_FUZZ "Build the fuzzers of tests/fuzz; needs clang" OFF)
if(LLMCTL_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
