/*
 * The program: a Lua state with our modules in it, and the command line, which
 * is written in Lua (corolua.main).
 */
#include "host.h"

#include "common/fork.h"
#include "common/handles.h"
#include "modules.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A Lua file that is in the program, compiled. */
struct script {
	const char *module;
	const unsigned char *bytes;
	size_t size;
};

#include "embedded.h"

struct folders {
	const char *lua; /* relative to the program's folder */
	const char *modules;
};

/* Beside the program in a build; under share and lib once installed. */
static const struct folders build = {"lua", "lib"};
static const struct folders installed = {"../share/lua/5.4", "../lib/lua/5.4"};

#define PRELOAD(package, name) int luaopen_##package##_##name(lua_State *L);
COROLUA_MODULES(PRELOAD)
#undef PRELOAD

#define PRELOAD(package, name) {#package "." #name, luaopen_##package##_##name},
static const luaL_Reg modules[] = {
	COROLUA_MODULES(PRELOAD){"corolua.host", luaopen_corolua_host},
	{NULL, NULL},
};

/* The folder of the running program, without a slash at its end. */
static const char *push_program_folder(lua_State *L)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
	char *slash;

	if (length < 0)
		luaL_error(L, "/proc/self/exe cannot be read: is /proc there?");
	path[length] = '\0';
	slash = strrchr(path, '/');
	*slash = '\0';
	return lua_pushstring(L, path);
}

static void prepend_path(lua_State *L, const char *field, const char *format,
			 const char *program, const char *folder)
{
	lua_getglobal(L, "package");
	lua_pushfstring(L, format, program, folder, program, folder);
	lua_getfield(L, -2, field);
	lua_concat(L, 2);
	lua_setfield(L, -2, field);
	lua_pop(L, 1);
}

/* Our own functions, those in the folder beside those that are compiled in, are
 * never interrupted. */
static void set_own_sources(lua_State *L, const char *program,
			    const char *folder)
{
	luaL_requiref(L, "corolua.limit", luaopen_corolua_limit, 0);
	lua_getfield(L, -1, "set_own");
	lua_pushfstring(L, "@%s/%s/corolua/", program, folder);
	lua_call(L, 1, 0);
	lua_pop(L, 1);
}

/* package.path and package.cpath begin with the program's own folders. */
static int use_own_folders(lua_State *L)
{
	const struct folders *folders = &installed;
	const char *program = push_program_folder(L);

	lua_pushfstring(L, "%s/%s/corolua/cli/main.lua", program, build.lua);
	if (access(lua_tostring(L, -1), R_OK) == 0)
		folders = &build;
	prepend_path(L, "path", "%s/%s/?.lua;%s/%s/?/init.lua;", program,
		     folders->lua);
	prepend_path(L, "cpath", "%s/%s/?.so;", program, folders->modules);
	set_own_sources(L, program, folders->lua);
	return 0;
}

/* What has been read of the scripts takes memory until it is given back. */
static void let_scripts_go(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = ((uintptr_t)script_bytes + page - 1) / page * page;
	uintptr_t end = (uintptr_t)(script_bytes + sizeof script_bytes);

	if (start < end)
		madvise((void *)start, (end - start) / page * page,
			MADV_DONTNEED);
}

static int run_script(lua_State *L)
{
	static unsigned int depth;
	const struct script *script = lua_touserdata(L, lua_upvalueindex(1));

	if (luaL_loadbufferx(L, (const char *)script->bytes, script->size,
			     script->module, "b") != LUA_OK)
		return lua_error(L);
	lua_insert(L, 1);
	depth++;
	lua_call(L, lua_gettop(L) - 1, 1);
	if (--depth == 0)
		let_scripts_go();
	return 1;
}

static void preload_modules(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	luaL_setfuncs(L, modules, 0);
	for (const struct script *s = scripts; s->module != NULL; s++) {
		lua_pushlightuserdata(L, (void *)s);
		lua_pushcclosure(L, run_script, 1);
		lua_setfield(L, -2, s->module);
	}
	lua_pop(L, 1);
}

/* host.ignore_environment(): as -E; LUA_PATH and LUA_CPATH do not count */
static int host_ignore_environment(lua_State *L)
{
	lua_pushboolean(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
	lua_getglobal(L, "package");
	lua_pushliteral(L, LUA_PATH_DEFAULT);
	lua_setfield(L, -2, "path");
	lua_pushliteral(L, LUA_CPATH_DEFAULT);
	lua_setfield(L, -2, "cpath");
	return use_own_folders(L);
}

/* host.handles() -> the open handles of the thin modules, in no order */
static int host_handles(lua_State *L)
{
	push_open_handles(L);
	return 1;
}

/* host.end_if_forked(status): ends a child made by fork at once, with nothing
 * left or closed that is its parent's; else nothing */
static int host_end_if_forked(lua_State *L)
{
	if (fork_depth() == 0)
		return 0;
	fflush(NULL);
	_exit((int)luaL_checkinteger(L, 1));
}

/* host.is_terminal() -> whether standard input is one */
static int host_is_terminal(lua_State *L)
{
	lua_pushboolean(L, isatty(STDIN_FILENO));
	return 1;
}

static const luaL_Reg functions[] = {
	{"ignore_environment", host_ignore_environment},
	{"handles", host_handles},
	{"end_if_forked", host_end_if_forked},
	{"is_terminal", host_is_terminal},
	{"set_memory_limit", limits_set_memory},
	{"set_handler_limit", limits_set_handler},
	{"watch_signals", signals_watch},
	{"signal", signals_first},
	{"log_open", log_open},
	{"log", log_line},
	{NULL, NULL},
};

int luaopen_corolua_host(lua_State *L)
{
	luaL_newlib(L, functions);
	lua_pushliteral(L, COROLUA_VERSION);
	lua_setfield(L, -2, "version");
	return 1;
}

/*
 * Collects in generations from here on, as the lua program does, since what a
 * message leaves behind dies young. Before, there was nothing to let go.
 */
static void collect_young(lua_State *L)
{
	lua_gc(L, LUA_GCRESTART);
	lua_gc(L, LUA_GCGEN, 0, 0);
}

/* corolua.main(program, ...) -> status */
static int run_command_line(lua_State *L)
{
	int argc = (int)lua_tointeger(L, 1);
	char **argv = lua_touserdata(L, 2);

	lua_gc(L, LUA_GCSTOP);
	luaL_openlibs(L);
	preload_modules(L);
	use_own_folders(L);
	lua_settop(L, 0);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "corolua.cli.main");
	lua_call(L, 1, 1);
	collect_young(L);
	luaL_checkstack(L, argc, "too many arguments");
	for (int i = 0; i < argc; i++)
		lua_pushstring(L, argv[i]);
	lua_call(L, argc, 1);
	return 1;
}

static int add_traceback(lua_State *L)
{
	luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
	return 1;
}

static int run(lua_State *L, int argc, char *argv[])
{
	lua_pushcfunction(L, add_traceback);
	lua_pushcfunction(L, run_command_line);
	lua_pushinteger(L, argc);
	lua_pushlightuserdata(L, argv);
	if (lua_pcall(L, 2, 1, 1) == LUA_OK)
		return (int)lua_tointeger(L, -1);
	fprintf(stderr, "corolua: %s\n", lua_tostring(L, -1));
	return EXIT_FAILURE;
}

/*
 * A standard descriptor that is closed would be the next one that is opened:
 * what a script prints would go to a daemon, or into the event of a stop. One
 * in its place that is open the other way fails as the closed one does.
 */
static void fill_standard_descriptors(void)
{
	static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null", modes[fd]);
}

int main(int argc, char *argv[])
{
	lua_State *L;
	int status;

	fill_standard_descriptors();
	L = limits_new_state();
	if (L == NULL) {
		fputs("corolua: out of memory\n", stderr);
		return EXIT_FAILURE;
	}
	status = run(L, argc, argv);
	limits_end();
	signals_end();
	lua_close(L);
	return status;
}
