# Makes the imported target llmctl::torch for a CPU or CUDA LibTorch of a wheel or a zip. find_package(Torch) is not used:
# with a CUDA wheel it stops where there is no nvcc, and it would add flags of its own to everything.
# LLMCTL_CUDA: AUTO links the CUDA libraries when the LibTorch has them; ON insists; OFF leaves them out.
include(LocateLibTorch)
set(LLMCTL_CUDA AUTO CACHE STRING "Link LibTorch's CUDA libraries: AUTO, ON or OFF")
set_property(CACHE LLMCTL_CUDA PROPERTY STRINGS AUTO ON OFF)

llmctl_locate_torch(LLMCTL_TORCH_ROOT LLMCTL_TORCH_VERSION)
if(NOT LLMCTL_TORCH_ROOT)
  message(FATAL_ERROR "LibTorch ${LLMCTL_TORCH_RANGE} not found: run cmake/setup.sh, which puts one into .deps/, or "
    "set CMAKE_PREFIX_PATH to the folder of one (a pip wheel's torch/ or an unpacked libtorch/)")
endif()
set(_lib "${LLMCTL_TORCH_ROOT}/lib")

# std::string in LibTorch's interface must be ours: the C++11 ABI, which all wheels have since 2.7.
file(STRINGS "${_lib}/libc10.so" _abi REGEX "_ZN3c105ErrorC[12].*__cxx11" LIMIT_COUNT 1)
if(NOT _abi)
  message(FATAL_ERROR "LibTorch in ${LLMCTL_TORCH_ROOT} was built with the old C++ ABI (_GLIBCXX_USE_CXX11_ABI=0), llmctl "
    "needs the new one: take the pip wheel or the zip named cxx11-abi")
endif()

set(_libraries torch torch_cpu c10)
set(LLMCTL_HAS_CUDA OFF)
if(LLMCTL_CUDA STREQUAL "AUTO")
  if(EXISTS "${_lib}/libtorch_cuda.so")
    set(LLMCTL_HAS_CUDA ON)
  endif()
elseif(LLMCTL_CUDA)
  if(NOT EXISTS "${_lib}/libtorch_cuda.so")
    message(FATAL_ERROR "LLMCTL_CUDA=ON, but LibTorch in ${LLMCTL_TORCH_ROOT} has no libtorch_cuda.so: it is a CPU build")
  endif()
  set(LLMCTL_HAS_CUDA ON)
endif()
if(LLMCTL_HAS_CUDA)
  list(APPEND _libraries torch_cuda c10_cuda)
endif()

# The libraries register operators when they are loaded: they must stay linked although no symbol asks for them.
set(CMAKE_LINK_LIBRARY_USING_llmctl_needed
  "LINKER:--push-state,--no-as-needed" "<LINK_ITEM>" "LINKER:--pop-state")
set(CMAKE_LINK_LIBRARY_USING_llmctl_needed_SUPPORTED TRUE)
set(_paths "")
foreach(_name IN LISTS _libraries)
  add_library(llmctl_torch_${_name} SHARED IMPORTED)
  set_target_properties(llmctl_torch_${_name} PROPERTIES IMPORTED_LOCATION "${_lib}/lib${_name}.so")
  list(APPEND _paths llmctl_torch_${_name})
endforeach()
string(REPLACE ";" "," _paths "${_paths}")

# LibTorch exports the std::filesystem of the compiler that built it. Our libstdc++ comes before it, else half of the file
# functions could be found there and half here, which crashes.
add_library(llmctl_torch INTERFACE)
add_library(llmctl::torch ALIAS llmctl_torch)
target_include_directories(llmctl_torch SYSTEM INTERFACE
  "${LLMCTL_TORCH_ROOT}/include" "${LLMCTL_TORCH_ROOT}/include/torch/csrc/api/include")
target_link_libraries(llmctl_torch INTERFACE "$<LINK_LIBRARY:llmctl_needed,stdc++,${_paths}>" Threads::Threads)

if(LLMCTL_HAS_CUDA)
  # CUDA's headers and run-time library: the wheel's own (nvidia/cu13 beside torch/), else a toolkit's. Some of the wheel's
  # headers include crt/, which only a toolkit has; code that launches no kernel does without.
  get_filename_component(_site "${LLMCTL_TORCH_ROOT}/.." ABSOLUTE)
  file(GLOB _wheel_cuda "${_site}/nvidia/cu1[3-9]" "${_site}/nvidia/cuda_runtime")
  set(_toolkits "$ENV{CUDA_HOME}" "$ENV{CUDA_PATH}" /usr/local/cuda)
  find_path(LLMCTL_CUDA_INCLUDE cuda_runtime_api.h HINTS ${_wheel_cuda} ${_toolkits} PATH_SUFFIXES include)
  find_library(LLMCTL_CUDART NAMES cudart libcudart.so.13 libcudart.so.12 HINTS ${_wheel_cuda} ${_toolkits}
    PATH_SUFFIXES lib lib64)
  if(NOT LLMCTL_CUDA_INCLUDE OR NOT LLMCTL_CUDART)
    message(FATAL_ERROR "The CUDA LibTorch in ${LLMCTL_TORCH_ROOT} needs CUDA's cuda_runtime_api.h and libcudart: "
      "install its nvidia-* packages beside it or a CUDA toolkit, or set LLMCTL_CUDA=OFF")
  endif()
  set(_includes "${LLMCTL_CUDA_INCLUDE}")
  foreach(_directory "${_site}/nvidia/nccl/include" ${_toolkits})
    if(_directory MATCHES "/include$" AND IS_DIRECTORY "${_directory}")
      list(APPEND _includes "${_directory}")
    elseif(IS_DIRECTORY "${_directory}/include/crt")
      list(APPEND _includes "${_directory}/include")
    endif()
  endforeach()
  list(REMOVE_DUPLICATES _includes)
  target_include_directories(llmctl_torch SYSTEM INTERFACE ${_includes})
  target_link_libraries(llmctl_torch INTERFACE "${LLMCTL_CUDART}")
  target_compile_definitions(llmctl_torch INTERFACE LLMCTL_CUDA=1)
  message(STATUS "LibTorch ${LLMCTL_TORCH_VERSION} with CUDA in ${LLMCTL_TORCH_ROOT}, CUDA's headers in ${LLMCTL_CUDA_INCLUDE}")
else()
  message(STATUS "LibTorch ${LLMCTL_TORCH_VERSION} in ${LLMCTL_TORCH_ROOT}")
endif()
