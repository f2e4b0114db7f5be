#ifndef COROLUA_MODULE_H
#define COROLUA_MODULE_H

#include <lua.h>

/*
 * A function that all modules of a program must have in common, as it stands
 * for one lock or one count of the process: those that the program loads take
 * its own. Under another program each module has one for itself.
 */
#define SHARED __attribute__((visibility("default")))

/* The one function a binding file exports: MODULE(corosync_cpg) { ... } */
#define MODULE(name)                                                           \
	SHARED int luaopen_##name(lua_State *L);                               \
	int luaopen_##name(lua_State *L)

#endif
