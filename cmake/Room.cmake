# SPDX-License-Identifier: ISC
# sekisho_room(name INCLUDES rooms... LIBS libraries...): the static library of one folder. Its own headers are
# visible to the rooms that name it under INCLUDES and to nobody else, so a wrong include does not compile.
function(sekisho_room name)
  cmake_parse_arguments(R "" "" "INCLUDES;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${R_INCLUDES} PRIVATE ${R_LIBS})
endfunction()
