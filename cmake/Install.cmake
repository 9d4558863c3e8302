# cmake --install: bin/llmctl, lib/libllmctl.so, include/llmctl/*.h, lib/cmake/llmctl for find_package(llmctl), the man page,
# completion for bash, zsh and fish, and configs/.
# The config file is written by hand: the library's dependencies are its own matter, found by its RUNPATH, and no public
# header needs them.
include(CMakePackageConfigHelpers)
install(TARGETS llmctl llmctl_lib
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/llmctl" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
set(_config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/llmctl")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/llmctlConfig.cmake.in" "${PROJECT_BINARY_DIR}/llmctlConfig.cmake"
  INSTALL_DESTINATION "${_config_dir}" PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/llmctlConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/llmctlConfig.cmake" "${PROJECT_BINARY_DIR}/llmctlConfigVersion.cmake"
  DESTINATION "${_config_dir}")

# Made by the program from what its help is made from.
set(_help_dir "${PROJECT_BINARY_DIR}/help")
install(CODE "
  file(MAKE_DIRECTORY \"${_help_dir}\")
  foreach(_made \"llmctl.1:help --man\" \"llmctl:completion bash\" \"_llmctl:completion zsh\" \"llmctl.fish:completion fish\")
    string(REGEX MATCH \"^([^:]+):(.*)$\" _ \"\${_made}\")
    set(_file \"\${CMAKE_MATCH_1}\")
    separate_arguments(_arguments UNIX_COMMAND \"\${CMAKE_MATCH_2}\")
    execute_process(COMMAND \"$<TARGET_FILE:llmctl>\" \${_arguments} OUTPUT_FILE \"${_help_dir}/\${_file}\" RESULT_VARIABLE _status)
    if(NOT _status EQUAL 0)
      message(FATAL_ERROR \"llmctl \${_arguments}: \${_status}\")
    endif()
  endforeach()")
install(FILES "${_help_dir}/llmctl.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
install(FILES "${_help_dir}/llmctl" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
install(FILES "${_help_dir}/_llmctl" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
install(FILES "${_help_dir}/llmctl.fish" DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/configs" DESTINATION "${CMAKE_INSTALL_DATADIR}/llmctl")
