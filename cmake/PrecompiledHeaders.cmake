# Headers that many files include, compiled once and not for every file: they were most of what a build takes. Sources
# still include what they use, and -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON builds without them.
# Kinds: plain; tensor, for code over at::Tensor; module, for code over torch::nn::Module, whose header alone takes 9 s;
# cli, for code over CLI11.
set(LLMCTL_HEADERS_plain <algorithm> <array> <charconv> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <mutex>
  <optional> <set> <span> <string> <string_view> <unordered_map> <utility> <variant> <vector> <nlohmann/json.hpp>)
set(LLMCTL_HEADERS_tensor ${LLMCTL_HEADERS_plain} <ATen/core/Tensor.h>)
set(LLMCTL_HEADERS_module ${LLMCTL_HEADERS_tensor} <torch/nn/module.h> <torch/csrc/autograd/custom_function.h>)
set(LLMCTL_HEADERS_cli ${LLMCTL_HEADERS_tensor} <CLI/CLI.hpp>)

# llmctl_headers_of(FOLDER KIND): sets KIND to what a folder of src/ includes, in its tests as well.
function(llmctl_headers_of folder kind)
  if(folder MATCHES "^(ops|nn|models)$")
    set(${kind} module PARENT_SCOPE)
  elseif(folder STREQUAL "cli")
    set(${kind} cli PARENT_SCOPE)
  elseif(folder IN_LIST LLMCTL_TORCH_FOLDERS)
    set(${kind} tensor PARENT_SCOPE)
  else()
    set(${kind} plain PARENT_SCOPE)
  endif()
endfunction()

# llmctl_precompile(TARGET KIND LIBRARIES... [HEADERS MORE...]): makes TARGET, whose headers targets with the same flags
# reuse by target_precompile_headers(OTHER REUSE_FROM TARGET). LIBRARIES bring flags and include folders.
function(llmctl_precompile target kind)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "HEADERS")
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp")  # a target needs one
  file(CONFIGURE OUTPUT "${source}" CONTENT "")
  add_library(${target} OBJECT "${source}")
  target_link_libraries(${target} PRIVATE ${arg_UNPARSED_ARGUMENTS} nlohmann_json::nlohmann_json)
  target_precompile_headers(${target} PRIVATE ${LLMCTL_HEADERS_${kind}} ${arg_HEADERS})
endfunction()
