/*
 * Namespaces and mounts of the calling thread. Which of them a lab needs, and
 * what to do when one is refused, is decided in Lua.
 */
#include "lab/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/args.h"
#include "common/descriptor.h"
#include "common/status.h"

enum { PATH_ROOM = 64 };

static const struct name kinds[] = {
	{CLONE_NEWNET, "net"},
	{CLONE_NEWNS, "mnt"},
	{CLONE_NEWUSER, "user"},
	{0, NULL},
};

static const struct name mount_flags[] = {
	{MS_BIND, "bind"},       {MS_NODEV, "nodev"},   {MS_NOSUID, "nosuid"},
	{MS_PRIVATE, "private"}, {MS_REC, "recursive"}, {0, NULL},
};

/* sys.unshare(kind, …) -> true | nil, message, code */
static int sys_unshare(lua_State *L)
{
	int flags = 0;

	for (int arg = 1; arg <= lua_gettop(L); arg++)
		flags |= (int)check_name(L, arg, "namespace", kinds);
	return push_done(L, "unshare", unshare(flags));
}

static int open_own(const char *kind)
{
	char path[PATH_ROOM];

	snprintf(path, sizeof path, "/proc/thread-self/ns/%s", kind);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* sys.namespace(kind) -> descriptor of the own one | nil, message, code */
static int sys_namespace(lua_State *L)
{
	int *fd;

	check_name(L, 1, "namespace", kinds);
	fd = push_descriptor(L);
	*fd = open_own(lua_tostring(L, 1));
	return *fd < 0 ? push_errno(L, "open namespace", errno) : 1;
}

/* sys.setns(descriptor) -> true | nil, message, code */
static int sys_setns(lua_State *L)
{
	return push_done(L, "setns", setns(check_descriptor(L, 1), 0));
}

/* sys.root() -> descriptor of the own root folder | nil, message, code */
static int sys_root(lua_State *L)
{
	int *fd = push_descriptor(L);

	*fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? push_errno(L, "open", errno) : 1;
}

/* sys.chroot(descriptor) -> true | nil, message, code: also goes there */
static int sys_chroot(lua_State *L)
{
	int fd = check_descriptor(L, 1);

	return push_done(L, "chroot", fchdir(fd) != 0 ? -1 : chroot("."));
}

/*
 * sys.call(descriptor, fn, …) -> what fn returns
 *
 * Runs fn in that network. There is no continuation, so fn cannot yield: no
 * other task ever runs in the wrong network. Whatever fn does, the thread is
 * back before this returns or raises.
 */
static int sys_call(lua_State *L)
{
	int target = check_descriptor(L, 1);
	int home;
	int status;
	int back;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	home = open_own("net");
	if (home < 0 || setns(target, CLONE_NEWNET) != 0) {
		push_errno(L, "setns", errno);
		if (home >= 0)
			close(home);
		return luaL_error(L, "cannot enter the network: %s",
				  lua_tostring(L, -2));
	}
	status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
	back = setns(home, CLONE_NEWNET);
	close(home);
	if (back != 0)
		return luaL_error(L, "cannot go back to the own network");
	return status == LUA_OK ? lua_gettop(L) - 1 : lua_error(L);
}

static unsigned long flags_at(lua_State *L, int arg)
{
	unsigned long flags = 0;

	for (; arg <= lua_gettop(L); arg++)
		flags |= check_name(L, arg, "flag", mount_flags);
	return flags;
}

/* sys.mount(source, target, type, data, flag, …)
 *   -> true | nil, message, code */
static int sys_mount(lua_State *L)
{
	const char *source = luaL_optstring(L, 1, NULL);
	const char *target = luaL_checkstring(L, 2);
	const char *type = luaL_optstring(L, 3, "");
	const char *data = luaL_optstring(L, 4, NULL);
	unsigned long flags = flags_at(L, 5);

	return push_done(L, "mount", mount(source, target, type, flags, data));
}

/* sys.unmount(target) -> true | nil, message, code: also while it is in use */
static int sys_unmount(lua_State *L)
{
	return push_done(L, "umount",
			 umount2(luaL_checkstring(L, 1), MNT_DETACH));
}

const luaL_Reg namespace_functions[] = {
	{"call", sys_call},
	{"chroot", sys_chroot},
	{"mount", sys_mount},
	{"namespace", sys_namespace},
	{"root", sys_root},
	{"setns", sys_setns},
	{"unmount", sys_unmount},
	{"unshare", sys_unshare},
	{NULL, NULL},
};
