/* File descriptors as Lua objects. */
#include "common/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/args.h"
#include "common/class.h"
#include "common/status.h"

enum { READ_MAX = 1 << 20 };

int *push_descriptor(lua_State *L)
{
	int *fd = lua_newuserdatauv(L, sizeof *fd, 0);

	*fd = -1;
	luaL_setmetatable(L, DESCRIPTOR_NAME);
	return fd;
}

int check_descriptor(lua_State *L, int arg)
{
	const int *fd = luaL_checkudata(L, arg, DESCRIPTOR_NAME);

	if (*fd < 0)
		luaL_argerror(L, arg, "the descriptor is closed");
	return *fd;
}

int opt_descriptor(lua_State *L, int arg)
{
	return lua_isnoneornil(L, arg) ? -1 : check_descriptor(L, arg);
}

/* descriptor:read([size]) -> bytes ("" at the end) | nil, message, code */
static int descriptor_read(lua_State *L)
{
	int fd = check_descriptor(L, 1);
	luaL_Buffer buffer;
	size_t size = 65536;
	char *room;
	ssize_t got;

	if (!lua_isnoneornil(L, 2))
		size = (size_t)check_range(L, 2, "size", 1, READ_MAX);
	room = luaL_buffinitsize(L, &buffer, size);
	got = TEMP_FAILURE_RETRY(read(fd, room, size));
	if (got < 0)
		return push_errno(L, "read", errno);
	luaL_pushresultsize(&buffer, (size_t)got);
	return 1;
}

/* Takes the signal of a write that failed, unless it was there before. */
static void take_sigpipe(const sigset_t *pipe_alone, const sigset_t *pending)
{
	static const struct timespec at_once = {0};
	int saved = errno;

	if (!sigismember(pending, SIGPIPE))
		(void)TEMP_FAILURE_RETRY(
			sigtimedwait(pipe_alone, NULL, &at_once));
	errno = saved;
}

/* A pipe that nobody reads any more is a failure, and no end of the program. */
static ssize_t write_quietly(int fd, const char *bytes, size_t length)
{
	sigset_t pipe_alone, before, pending;
	ssize_t put;

	sigemptyset(&pipe_alone);
	sigaddset(&pipe_alone, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe_alone, &before);
	put = TEMP_FAILURE_RETRY(write(fd, bytes, length));
	if (put < 0 && errno == EPIPE)
		take_sigpipe(&pipe_alone, &pending);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return put;
}

/* descriptor:write(bytes) -> count | nil, message, code ("EPIPE" where nobody
 * reads any more) */
static int descriptor_write(lua_State *L)
{
	int fd = check_descriptor(L, 1);
	size_t length;
	const char *bytes = luaL_checklstring(L, 2, &length);
	ssize_t put = write_quietly(fd, bytes, length);

	if (put < 0)
		return push_errno(L, "write", errno);
	lua_pushinteger(L, put);
	return 1;
}

/* descriptor:fileno() -> number */
static int descriptor_fileno(lua_State *L)
{
	lua_pushinteger(L, check_descriptor(L, 1));
	return 1;
}

/* descriptor:inode() -> number, which tells one namespace from another */
static int descriptor_inode(lua_State *L)
{
	struct stat status;

	if (fstat(check_descriptor(L, 1), &status) != 0)
		return push_errno(L, "fstat", errno);
	lua_pushinteger(L, (lua_Integer)status.st_ino);
	return 1;
}

/* descriptor:nonblocking() -> true | nil, message, code */
static int descriptor_nonblocking(lua_State *L)
{
	int fd = check_descriptor(L, 1);
	int flags = fcntl(fd, F_GETFL);

	return push_done(L, "fcntl",
			 flags < 0 ? -1
				   : fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

/* descriptor:close() */
static int descriptor_close(lua_State *L)
{
	int *fd = luaL_checkudata(L, 1, DESCRIPTOR_NAME);
	int open = *fd;

	*fd = -1;
	if (open >= 0)
		close(open);
	return 0;
}

static const luaL_Reg descriptor_methods[] = {
	{"close", descriptor_close},
	{"fileno", descriptor_fileno},
	{"inode", descriptor_inode},
	{"nonblocking", descriptor_nonblocking},
	{"read", descriptor_read},
	{"write", descriptor_write},
	{NULL, NULL},
};

void descriptor_register(lua_State *L)
{
	register_class(L, DESCRIPTOR_NAME, descriptor_methods, descriptor_close,
		       descriptor_close);
}
