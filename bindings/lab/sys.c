/*
 * corolua.sys: what the lab needs of Linux and Lua does not have. Namespaces
 * and mounts are in namespace.c, processes in process.c, the guard in guard.c;
 * here is the rest, and the module.
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "common/args.h"
#include "common/descriptor.h"
#include "common/fields.h"
#include "common/handles.h"
#include "common/module.h"
#include "common/spelling.h"
#include "common/status.h"
#include "lab/guard.h"
#include "lab/sys.h"

/* sys.pipe() -> reading end, writing end | nil, message, code */
static int sys_pipe(lua_State *L)
{
	int *reading = push_descriptor(L);
	int *writing = push_descriptor(L);
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return push_errno(L, "pipe", errno);
	*reading = ends[0];
	*writing = ends[1];
	return 2;
}

/* sys.open(path, mode) -> descriptor | nil, message, code; mode "r" or "a" */
static int sys_open(lua_State *L)
{
	static const struct name modes[] = {
		{O_RDONLY, "r"},
		{O_WRONLY | O_CREAT | O_APPEND, "a"},
		{0, NULL},
	};
	const char *path = luaL_checkstring(L, 1);
	int flags = (int)check_name(L, 2, "mode", modes);
	int *fd = push_descriptor(L);

	*fd = open(path, flags | O_CLOEXEC, 0644);
	return *fd < 0 ? push_errno(L, path, errno) : 1;
}

/* sys.id() -> { pid =, uid =, gid = } */
static int sys_id(lua_State *L)
{
	lua_createtable(L, 0, 3);
	set_integer(L, "pid", getpid());
	set_integer(L, "uid", geteuid());
	set_integer(L, "gid", getegid());
	return 1;
}

/* sys.is_terminal(fd) -> boolean */
static int sys_is_terminal(lua_State *L)
{
	int fd = (int)check_range(L, 1, "descriptor", 0, INT_MAX);

	lua_pushboolean(L, isatty(fd));
	return 1;
}

/* sys.take_terminal(): the program's own group is in the foreground again */
static int sys_take_terminal(lua_State *L)
{
	sigset_t set;
	sigset_t before;

	(void)L;
	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, &before);
	tcsetpgrp(STDIN_FILENO, getpgrp());
	sigprocmask(SIG_SETMASK, &before, NULL);
	return 0;
}

/* sys.handles() -> how many corosync handles of this Lua state are open */
static int sys_handles(lua_State *L)
{
	lua_pushinteger(L, push_open_handles(L));
	return 1;
}

/* The strings stay in the table, where nothing runs that could change it. */
static void check_candidates(lua_State *L, const char **list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (lua_rawgeti(L, 2, (lua_Integer)i + 1) != LUA_TSTRING)
			raise_argument(
				L, 2, "candidates[%d] must be a string, got %s",
				(int)i + 1, luaL_typename(L, -1));
		list[i] = lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	list[count] = NULL;
}

/* sys.nearest(word, candidates) -> the one that was meant, or nil */
static int sys_nearest(lua_State *L)
{
	const char *word = luaL_checkstring(L, 1);
	const char **list;
	size_t count;

	luaL_checktype(L, 2, LUA_TTABLE);
	count = lua_rawlen(L, 2);
	list = lua_newuserdatauv(L, (count + 1) * sizeof *list, 0);
	check_candidates(L, list, count);
	lua_pushstring(L, nearest(word, list));
	return 1;
}

static const luaL_Reg sys_functions[] = {
	{"handles", sys_handles},
	{"id", sys_id},
	{"is_terminal", sys_is_terminal},
	{"nearest", sys_nearest},
	{"open", sys_open},
	{"pipe", sys_pipe},
	{"take_terminal", sys_take_terminal},
	{NULL, NULL},
};

MODULE(corolua_sys)
{
	luaL_checkversion(L);
	descriptor_register(L);
	guard_register(L);
	luaL_newlib(L, sys_functions);
	luaL_setfuncs(L, namespace_functions, 0);
	luaL_setfuncs(L, process_functions, 0);
	luaL_setfuncs(L, guard_functions, 0);
	return 1;
}
