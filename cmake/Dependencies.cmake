# Debian/Ubuntu packages that llmctl is built on; cmake/setup.sh installs them.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(LibArchive REQUIRED)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
find_library(SENTENCEPIECE_TRAIN_LIBRARY sentencepiece_train REQUIRED)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(HIGHWAY REQUIRED IMPORTED_TARGET libhwy)

# Optional: what each of these does is built when it is found; without one the command that needs it names the package.
# llmctl_optional holds those found, with LLMCTL_WITH_NAME defined.
add_library(llmctl_optional INTERFACE)
macro(llmctl_optional_library name package)
  pkg_check_modules(${name} QUIET IMPORTED_TARGET ${package})
  if(${name}_FOUND)
    target_link_libraries(llmctl_optional INTERFACE PkgConfig::${name})
    target_compile_definitions(llmctl_optional INTERFACE LLMCTL_WITH_${name})
  endif()
endmacro()
llmctl_optional_library(FASTTEXT fasttext)  # word vectors
llmctl_optional_library(OPENCC opencc)      # simplified and traditional Chinese
llmctl_optional_library(ICU icu-uc)         # Chinese words
find_library(CLD2_LIBRARY cld2)             # language identification
if(CLD2_LIBRARY)
  target_link_libraries(llmctl_optional INTERFACE "${CLD2_LIBRARY}")
  target_compile_definitions(llmctl_optional INTERFACE LLMCTL_WITH_CLD2)
endif()

# Line editing and history in conversations; apart from the others, since it concerns the command line alone.
add_library(llmctl_line_editing INTERFACE)
pkg_check_modules(EDIT QUIET IMPORTED_TARGET libedit)
if(EDIT_FOUND)
  target_link_libraries(llmctl_line_editing INTERFACE PkgConfig::EDIT)
  target_compile_definitions(llmctl_line_editing INTERFACE LLMCTL_WITH_EDIT)
endif()
