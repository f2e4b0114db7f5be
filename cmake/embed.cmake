# The Lua files that every script needs are in the program, compiled. All
# others, and these for stock lua5.4, are read from the folder.
set(embedded_modules
  corolua.base.describe corolua.base.inspect corolua.base.lists
  corolua.base.log corolua.base.names corolua.base.random corolua.base.shown
  corolua.base.traceback corolua.cli.command_line corolua.cli.main
  corolua.cli.shutdown corolua.cli.strict corolua.task.at_exit
  corolua.task.checks corolua.task.condition corolua.task.conditions
  corolua.task.deferred corolua.task.ending corolua.task.failures
  corolua.task.forgiving corolua.task.scheduler corolua.task.timers
  corolua.task.waits)
add_executable(embed host/embed.c)
target_link_libraries(embed PRIVATE PkgConfig::lua)
set(embedded_files "")
foreach(module ${embedded_modules})
  string(REPLACE "." "/" path ${module})
  list(APPEND embedded_files ${CMAKE_SOURCE_DIR}/lua/${path}.lua)
endforeach()
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/embedded.h
  COMMAND embed ${CMAKE_SOURCE_DIR}/lua ${embedded_modules}
    > ${CMAKE_BINARY_DIR}/embedded.h
  DEPENDS embed ${embedded_files} VERBATIM)
target_sources(corolua PRIVATE ${CMAKE_BINARY_DIR}/embedded.h)
