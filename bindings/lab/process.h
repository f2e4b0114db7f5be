#ifndef COROLUA_PROCESS_H
#define COROLUA_PROCESS_H

#include <lauxlib.h>

/* Functions of corolua.sys about processes; ends with NULL. */
extern const luaL_Reg process_functions[];

#endif
