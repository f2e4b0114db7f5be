#ifndef COROLUA_NAMESPACE_H
#define COROLUA_NAMESPACE_H

#include <lauxlib.h>

/* Functions of corolua.sys about namespaces and mounts; ends with NULL. */
extern const luaL_Reg namespace_functions[];

#endif
