# cmake --install: bin/llmctl, lib/libllmctl.so, include/llmctl/*.h and lib/cmake/llmctl for find_package(llmctl).
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
