# llmctl_options: what every target of ours is compiled and linked with. Nothing here assumes a processor beyond the
# architecture's baseline; kernels for newer ones are chosen at run time.
add_library(llmctl_options INTERFACE)
target_compile_options(llmctl_options INTERFACE
  -fstack-protector-strong)
target_compile_definitions(llmctl_options INTERFACE _GLIBCXX_ASSERTIONS)
target_link_options(llmctl_options INTERFACE LINKER:-z,relro,-z,now,-z,noexecstack)
# Fortified functions need optimisation, and hide bugs from the sanitizers.
if(NOT LLMCTL_SANITIZE)
  target_compile_options(llmctl_options INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(llmctl_options INTERFACE -fcf-protection)
endif()
# Calls within the library need not allow for another library's function of the same name.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(llmctl_options INTERFACE -fno-semantic-interposition)
endif()
