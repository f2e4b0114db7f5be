/*
 * For the specs alone: a child made by fork that goes on in Lua, as modules for
 * the system's calls make it.
 */
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/module.h"

/* forking.fork() -> pid in the parent, 0 in the child */
static int forking_fork(lua_State *L)
{
	lua_pushinteger(L, fork());
	return 1;
}

/* forking.wait(pid) -> "exit" | "signal", number */
static int forking_wait(lua_State *L)
{
	int status;

	if (waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0) < 0)
		return luaL_error(L, "waitpid");
	lua_pushstring(L, WIFEXITED(status) ? "exit" : "signal");
	lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status)
					     : WTERMSIG(status));
	return 2;
}

/* forking.pause(): until a signal or the end of the parent ends it */
static int forking_pause(lua_State *L)
{
	(void)L;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pause();
	return 0;
}

/* forking.exit(status): as exit of C, with what stands for its end */
static _Noreturn int forking_exit(lua_State *L)
{
	exit((int)luaL_checkinteger(L, 1));
}

MODULE(forking)
{
	static const luaL_Reg functions[] = {
		{"fork", forking_fork},
		{"wait", forking_wait},
		{"pause", forking_pause},
		{"exit", forking_exit},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
