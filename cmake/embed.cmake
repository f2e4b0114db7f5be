# The Lua files that every script needs are in the program, compiled, and before
# them those of groups: what is not looked at takes no memory. All others, and
# these for stock lua5.4, are read from the folder.
set(lua_folder ${CMAKE_SOURCE_DIR}/lua)
file(GLOB groups RELATIVE ${lua_folder} CONFIGURE_DEPENDS
  ${lua_folder}/corolua/daemon/*.lua ${lua_folder}/corolua/group/*.lua)
file(GLOB embedded RELATIVE ${lua_folder} CONFIGURE_DEPENDS
  ${lua_folder}/corolua/base/*.lua ${lua_folder}/corolua/task/*.lua)
list(PREPEND embedded ${groups} corolua/group.lua corolua/init.lua
  corolua/trace/tell.lua)
list(APPEND embedded corolua/cli/command_line.lua corolua/cli/main.lua
  corolua/cli/shutdown.lua corolua/cli/strict.lua)
add_executable(embed host/embed.c)
target_link_libraries(embed PRIVATE PkgConfig::lua)
list(TRANSFORM embedded PREPEND ${lua_folder}/ OUTPUT_VARIABLE embedded_paths)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/embedded.h
  COMMAND embed ${lua_folder} ${embedded} > ${CMAKE_BINARY_DIR}/embedded.h
  DEPENDS embed ${embedded_paths} VERBATIM)
target_sources(corolua PRIVATE ${CMAKE_BINARY_DIR}/embedded.h)
