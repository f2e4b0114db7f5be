#ifndef COROLUA_SYS_H
#define COROLUA_SYS_H

#include <lauxlib.h>

/* The functions of corolua.sys that other files have; each ends with NULL. */
extern const luaL_Reg namespace_functions[];
extern const luaL_Reg process_functions[];
extern const luaL_Reg guard_functions[];

#endif
