#ifndef COROLUA_GUARD_H
#define COROLUA_GUARD_H

#include <lua.h>
#include <sys/types.h>

/*
 * A small process that outlives the program by a few milliseconds. It waits
 * for the end of a socket whose other end the program holds, and kills what the
 * program started, however it ended.
 */

/* The descriptor that a new process tells its group to, or -1 if arg is nil. */
int opt_guard(lua_State *L, int arg);

/* Tells the guard behind the descriptor of a process group. Safe after fork. */
int guard_tell_group(int fd, pid_t group);

void guard_register(lua_State *L);

#endif
