# The order of includes, as a test: cmake -DSOURCE=PROJECT -P cmake/Layers.cmake fails with one line for each include that
# breaks it. A folder of src/ includes itself and folders of lower layers; src/README.md names them all.
cmake_minimum_required(VERSION 3.25)
set(LAYER_0 base)
set(LAYER_1 config)
set(LAYER_2 text io report ops)
set(LAYER_3 nn optim corpus data metrics)
set(LAYER_4 models)
set(LAYER_5 infer dist)
set(LAYER_6 train prompt)
set(LAYER_7 tasks)
set(LAYER_8 runs)
set(LAYER_9 cli)
# What a run brings to the loop, implemented by and tasks: the one header that counts as another layer's.
set(HEADER_LAYER_train/interfaces.h 4)

set(TORCH "^(ATen|c10|torch|caffe2)/")
set(PLAIN_FOLDERS base config text io report corpus metrics)  # these never meet LibTorch, not even through a header
# Headers of a library → the one place of src/ (a prefix of the path) that may include them; "-" is none.
set(OWNED_HEADERS
  "^spdlog/" base/log.cpp
  "^CLI/" cli/
  "^histedit.h" cli/line_reader.cpp
  "^sentencepiece_" text/
  "^archive" io/
  "^hwy/" ops/kernels/
  "^torch/csrc/distributed/" dist/
  "^torch/torch.h" "-"
  "^ATen/ATen.h" "-"
  "^torch/extension.h" "-")

foreach(number RANGE 9)
  foreach(folder IN LISTS LAYER_${number})
    set(LAYER_OF_${folder} ${number})
    list(APPEND FOLDERS ${folder})
  endforeach()
endforeach()

set(faults "")
macro(fault)
  string(CONCAT text ${ARGN})
  list(APPEND faults "${text}")
endmacro()

# Sets `includes` to the names that a file includes.
macro(read_includes file)
  file(STRINGS "${file}" includes REGEX "^[ \t]*#[ \t]*include")
  list(TRANSFORM includes REPLACE "^[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"]*)[>\"].*" "\\1")
endmacro()

file(GLOB entries RELATIVE "${SOURCE}/src" "${SOURCE}/src/*")
file(READ "${SOURCE}/src/README.md" map)
file(STRINGS "${SOURCE}/src/README.md" map_lines)
list(LENGTH map_lines length)
if(length GREATER 80)
  fault("src/README.md: ${length} lines, at most 80")
endif()
foreach(line IN LISTS map_lines)
  if(NOT line MATCHES "later" AND line MATCHES "^\\| [0-9] \\| `([a-z]+)/`" AND NOT CMAKE_MATCH_1 IN_LIST entries)
    fault("src/README.md: names `${CMAKE_MATCH_1}/`, which is not there (or say that it comes later)")
  endif()
endforeach()
foreach(entry IN LISTS entries)
  if(IS_DIRECTORY "${SOURCE}/src/${entry}")
    if(NOT entry IN_LIST FOLDERS)
      fault("src/${entry}: a folder without a layer (cmake/Layers.cmake)")
    endif()
    if(NOT map MATCHES "`${entry}/`")
      fault("src/README.md: does not name `${entry}/`")
    endif()
  endif()
endforeach()

file(GLOB_RECURSE files RELATIVE "${SOURCE}/src" "${SOURCE}/src/*.h" "${SOURCE}/src/*.cpp")
foreach(file IN LISTS files)
  string(REGEX MATCH "^[^/]*" folder "${file}")
  if(NOT DEFINED LAYER_OF_${folder})
    continue()
  endif()
  set(layer ${LAYER_OF_${folder}})
  read_includes("${SOURCE}/src/${file}")
  foreach(include IN LISTS includes)
    string(REGEX MATCH "^[^/]*" other "${include}")
    if(DEFINED LAYER_OF_${other})
      set(other_layer ${LAYER_OF_${other}})
      if(NOT other STREQUAL folder AND NOT other_layer LESS layer)
        fault("src/${file}: includes ${include} of layer ${other_layer}, ${folder} is of layer ${layer}")
      endif()
      if(folder IN_LIST PLAIN_FOLDERS AND NOT other IN_LIST PLAIN_FOLDERS)
        fault("src/${file}: includes ${include}, but ${folder} must not meet LibTorch")
      endif()
    endif()
    if(folder IN_LIST PLAIN_FOLDERS AND include MATCHES "${TORCH}")
      fault("src/${file}: includes ${include}, but ${folder} must not meet LibTorch")
    endif()
    set(rules ${OWNED_HEADERS})
    while(rules)
      list(POP_FRONT rules pattern place)
      string(FIND "${file}" "${place}" position)
      if(include MATCHES "${pattern}" AND NOT position EQUAL 0)
        if(place STREQUAL "-")
          fault("src/${file}: includes ${include}; include narrower headers")
        else()
          fault("src/${file}: includes ${include}, which only src/${place} may")
        endif()
      endif()
    endwhile()
  endforeach()
endforeach()

# Public headers include the standard library and each other.
file(GLOB_RECURSE files RELATIVE "${SOURCE}/include" "${SOURCE}/include/*.h")
foreach(file IN LISTS files)
  read_includes("${SOURCE}/include/${file}")
  foreach(include IN LISTS includes)
    if(NOT include MATCHES "^(llmctl/[a-z_]+\\.h|[a-z_]+)$")
      fault("include/${file}: includes ${include}; public headers include the standard library and llmctl/ only")
    endif()
  endforeach()
endforeach()

if(faults)
  list(JOIN faults "\n" text)
  list(LENGTH faults count)
  message("${text}")
  message(FATAL_ERROR "${count} faults against the layers")
endif()
