# LLMCTL_SANITIZE: a list for -fsanitize (the preset "asan" sets address,undefined), applied to everything of ours.
set(LLMCTL_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined")
if(LLMCTL_SANITIZE)
  add_compile_options(-fsanitize=${LLMCTL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${LLMCTL_SANITIZE})
endif()
