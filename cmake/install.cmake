# Debian's lua5.4 looks under lib/lua/5.4 and share/lua/5.4 of /usr and
# /usr/local; other prefixes need to be told to it.
install(TARGETS corolua DESTINATION bin)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/lua/corolua DESTINATION share/lua/5.4)
# What editors read of the modules in C; nothing loads it.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/lua/meta DESTINATION share/corolua)
install(FILES ${CMAKE_SOURCE_DIR}/docs/corolua.1 DESTINATION share/man/man1)
install(CODE [[
  if(NOT CMAKE_INSTALL_PREFIX MATCHES "^/usr(/local)?/?$")
    set(share "${CMAKE_INSTALL_PREFIX}/share/lua/5.4")
    message("For stock lua5.4 to find the modules:\n"
      "  export LUA_PATH='${share}/?.lua;${share}/?/init.lua;;'\n"
      "  export LUA_CPATH='${CMAKE_INSTALL_PREFIX}/lib/lua/5.4/?.so;;'")
  endif()
]])
