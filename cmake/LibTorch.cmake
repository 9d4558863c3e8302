# Makes the imported target llmctl::torch from a LibTorch folder (the one holding include/ and lib/), CPU or CUDA.
# find_package(Torch) is not used: with a CUDA wheel it stops where there is no nvcc.
# Looked for in this order: Torch_DIR, CMAKE_PREFIX_PATH, the project's .deps/, a Python's torch (found, never imported).
set(_llmctl_torch_candidates "")
if(Torch_DIR)
  get_filename_component(_root "${Torch_DIR}/../../.." ABSOLUTE)
  list(APPEND _llmctl_torch_candidates "${_root}" "${Torch_DIR}")
endif()
foreach(_prefix IN LISTS CMAKE_PREFIX_PATH)
  get_filename_component(_root "${_prefix}/../.." ABSOLUTE)
  list(APPEND _llmctl_torch_candidates "${_prefix}" "${_root}")
endforeach()
file(GLOB _deps "${PROJECT_SOURCE_DIR}/.deps/torch" "${PROJECT_SOURCE_DIR}/.deps/*/torch")
list(APPEND _llmctl_torch_candidates ${_deps})
find_program(_llmctl_python NAMES python3 python)
if(_llmctl_python)
  execute_process(COMMAND "${_llmctl_python}" -c
      "import importlib.util as u, os; s = u.find_spec('torch'); print(os.path.dirname(s.origin) if s else '')"
    OUTPUT_VARIABLE _root OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(_root)
    list(APPEND _llmctl_torch_candidates "${_root}")
  endif()
endif()

set(LLMCTL_TORCH_ROOT "")
foreach(_root IN LISTS _llmctl_torch_candidates)
  if(NOT LLMCTL_TORCH_ROOT AND EXISTS "${_root}/include/torch/headeronly/version.h" AND EXISTS "${_root}/lib/libtorch_cpu.so")
    set(LLMCTL_TORCH_ROOT "${_root}")
  endif()
endforeach()
if(NOT LLMCTL_TORCH_ROOT)
  message(FATAL_ERROR "LibTorch 2.11 to 2.14 not found: run cmake/setup.sh, or set CMAKE_PREFIX_PATH to its folder")
endif()

file(STRINGS "${LLMCTL_TORCH_ROOT}/include/torch/headeronly/version.h" _lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
string(REGEX REPLACE "[^0-9;]" "" _numbers "${_lines}")
string(REPLACE ";" "." LLMCTL_TORCH_VERSION "${_numbers}")
if(LLMCTL_TORCH_VERSION VERSION_LESS 2.11 OR LLMCTL_TORCH_VERSION VERSION_GREATER_EQUAL 2.15)
  message(FATAL_ERROR "LibTorch ${LLMCTL_TORCH_VERSION} in ${LLMCTL_TORCH_ROOT}: llmctl needs 2.11 to 2.14")
endif()
message(STATUS "LibTorch ${LLMCTL_TORCH_VERSION} in ${LLMCTL_TORCH_ROOT}")

add_library(llmctl_torch INTERFACE)
add_library(llmctl::torch ALIAS llmctl_torch)
target_include_directories(llmctl_torch SYSTEM INTERFACE
  "${LLMCTL_TORCH_ROOT}/include" "${LLMCTL_TORCH_ROOT}/include/torch/csrc/api/include")
target_link_directories(llmctl_torch INTERFACE "${LLMCTL_TORCH_ROOT}/lib")
target_link_libraries(llmctl_torch INTERFACE
  -Wl,--no-as-needed torch torch_cpu c10 -Wl,--as-needed Threads::Threads)
