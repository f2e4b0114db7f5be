# The Lua files that every script needs are in the program, compiled. All
# others, and these for stock lua5.4, are read from the folder.
set(embedded_modules
  corolua.describe corolua.inspect corolua.leave corolua.lists corolua.log
  corolua.main corolua.names corolua.options corolua.random
  corolua.scheduler corolua.scheduler.checks
  corolua.scheduler.condition_variable corolua.scheduler.conditions
  corolua.scheduler.ending corolua.scheduler.exits corolua.scheduler.failures
  corolua.scheduler.forgiving corolua.scheduler.timers
  corolua.scheduler.turn_ends corolua.scheduler.waits corolua.shown
  corolua.strict corolua.traceback)
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
