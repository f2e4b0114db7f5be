#ifndef COROLUA_MODULE_H
#define COROLUA_MODULE_H

#include <lua.h>

/* The one function a binding file exports: MODULE(corosync_cpg) { ... } */
#define MODULE(name)                                                           \
	__attribute__((visibility("default"))) int luaopen_##name(             \
		lua_State *L);                                                 \
	int luaopen_##name(lua_State *L)

#endif
