# LLMCTL_JOIN: sources of a folder are compiled several at a time, as one translation unit (CMake calls this unity): headers,
# LibTorch's above all, take most of a build, and are then read once for all of them. The names in a folder's anonymous
# namespaces must therefore differ from one another. Off, each source is compiled alone: quicker for one that is changed
# often, and what shows that each includes what it uses.
option(LLMCTL_JOIN "Compile several sources of a folder at a time" ON)

# llmctl_join(TARGET SIZE SOURCE...): joins sources of one folder, by SIZE at most. Alone stay those of kernels/, which
# include themselves once for each instruction set, and version.cpp, which every commit changes.
function(llmctl_join target size)
  if(NOT LLMCTL_JOIN)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  foreach(source IN LISTS ARGN)
    cmake_path(GET source PARENT_PATH folder)
    string(MAKE_C_IDENTIFIER "${folder}" id)
    math(EXPR count_${id} "${count_${id}} + 1")
  endforeach()
  foreach(source IN LISTS ARGN)
    if(source MATCHES "/kernels/|/version\\.cpp$")
      continue()
    endif()
    cmake_path(GET source PARENT_PATH folder)
    cmake_path(GET folder FILENAME name)
    string(MAKE_C_IDENTIFIER "${folder}" id)
    math(EXPR groups "(${count_${id}} + ${size} - 1) / ${size}")
    math(EXPR seen_${id} "${seen_${id}} + 0")
    math(EXPR group "${seen_${id}} * ${groups} / ${count_${id}}")
    math(EXPR seen_${id} "${seen_${id}} + 1")
    set_source_files_properties("${source}" PROPERTIES UNITY_GROUP "${name}_${group}")
  endforeach()
endfunction()
