/*
 * What a program starts on a node must not survive it, also after SIGKILL.
 * Direct children die by PDEATHSIG; their children do not, nor do daemons that
 * made a session of their own. So the guard knows two things: the process
 * groups that were started, and the network namespaces that were made, inside
 * which every process is the lab's.
 *
 * A new process tells its own group before it runs its program, through the
 * descriptor it inherited. So there is no moment in which a group exists that
 * the guard does not know, and the socket does not end while one is being made.
 */
#include "lab/guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/class.h"
#include "common/fork.h"
#include "common/status.h"
#include "lab/sys.h"

#define GUARD_NAME "corolua.guard"

enum { WARDS_MAX = 4096, SWEEPS_MAX = 1000, PATH_ROOM = 64 };

enum ward_kind { WARD_GROUP, WARD_NETWORK, WARD_END };

/* One thing to watch, or no longer; what goes through the socket. The end is
 * said too: a process the program forked may hold the socket open. */
struct ward {
	uint32_t kind;
	uint32_t remove;
	uint64_t id; /* a process group, or the inode of a namespace */
};

struct wards {
	struct ward list[WARDS_MAX];
	size_t count;
};

struct guard {
	int fd; /* the writing end, -1 when closed */
	pid_t pid;
	unsigned int forks; /* fork_depth() of the process it watches over */
};

static bool is_inside(const struct wards *wards, const char *process)
{
	char path[PATH_ROOM];
	struct stat own;
	struct stat other;

	snprintf(path, sizeof path, "/proc/%.20s/ns/net", process);
	if (stat("/proc/self/ns/net", &own) != 0 || stat(path, &other) != 0 ||
	    own.st_ino == other.st_ino)
		return false;
	for (size_t i = 0; i < wards->count; i++)
		if (wards->list[i].kind == WARD_NETWORK &&
		    wards->list[i].id == other.st_ino)
			return true;
	return false;
}

/* The pidfd comes first, so that a process id used anew is never hit. */
static bool kill_inside(const struct wards *wards, const char *process)
{
	pid_t pid = (pid_t)atoi(process);
	int pidfd;
	bool killed = false;

	if (pid <= 0 || pid == getpid())
		return false;
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0)
		return false;
	if (is_inside(wards, process))
		killed = pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0;
	close(pidfd);
	return killed;
}

static bool sweep_once(const struct wards *wards)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	if (processes == NULL)
		return false;
	while ((entry = readdir(processes)) != NULL)
		if (kill_inside(wards, entry->d_name))
			found = true;
	closedir(processes);
	return found;
}

/* A process that forks while it is looked for may be missed: look again until
 * a pass finds nobody. */
static void sweep(const struct wards *wards)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < SWEEPS_MAX && sweep_once(wards); i++)
		nanosleep(&pause, NULL);
}

static void wards_remove(struct wards *wards, const struct ward *ward)
{
	for (size_t i = 0; i < wards->count; i++) {
		if (wards->list[i].kind == ward->kind &&
		    wards->list[i].id == ward->id) {
			wards->list[i] = wards->list[--wards->count];
			return;
		}
	}
}

static void wards_note(struct wards *wards, const struct ward *ward)
{
	wards_remove(wards, ward);
	if (!ward->remove && wards->count < WARDS_MAX)
		wards->list[wards->count++] = *ward;
}

static void kill_groups(const struct wards *wards)
{
	for (size_t i = 0; i < wards->count; i++)
		if (wards->list[i].kind == WARD_GROUP && wards->list[i].id > 1)
			kill(-(pid_t)wards->list[i].id, SIGKILL);
}

/* Keeps nothing of the program but the socket: no terminal, no folder, no file
 * that somebody waits for the end of. */
static void let_go(int *fd)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	prctl(PR_SET_NAME, "corolua-guard");
	if (chdir("/") != 0)
		_exit(1);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	if (*fd != 3)
		dup2(*fd, 3);
	*fd = 3;
	close_range(4, ~0U, 0);
}

static _Noreturn void guard_run(int fd)
{
	static struct wards wards;
	struct ward ward;

	let_go(&fd);
	while (TEMP_FAILURE_RETRY(read(fd, &ward, sizeof ward)) ==
		       (ssize_t)sizeof ward &&
	       ward.kind != WARD_END)
		wards_note(&wards, &ward);
	kill_groups(&wards);
	sweep(&wards);
	_exit(0);
}

static pid_t fork_guard(const int ends[2])
{
	pid_t pid = fork_quiet();

	if (pid == 0) {
		close(ends[1]);
		guard_run(ends[0]);
	}
	return pid;
}

static int tell(int fd, enum ward_kind kind, bool remove, uint64_t id)
{
	struct ward ward = {.kind = kind, .remove = remove, .id = id};

	return send(fd, &ward, sizeof ward, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int guard_tell_group(int fd, pid_t group)
{
	return tell(fd, WARD_GROUP, false, (uint64_t)group);
}

static struct guard *check_guard(lua_State *L, int arg)
{
	struct guard *guard = luaL_checkudata(L, arg, GUARD_NAME);

	if (guard->fd < 0)
		luaL_argerror(L, arg, "the guard is closed");
	return guard;
}

int opt_guard(lua_State *L, int arg)
{
	return lua_isnoneornil(L, arg) ? -1 : check_guard(L, arg)->fd;
}

static int guard_note(lua_State *L, enum ward_kind kind, bool remove)
{
	const struct guard *guard = check_guard(L, 1);
	uint64_t id = (uint64_t)luaL_checkinteger(L, 2);

	return push_done(L, "guard", tell(guard->fd, kind, remove, id));
}

/* guard:watch(inode): every process in that network dies with the program */
static int guard_watch(lua_State *L)
{
	return guard_note(L, WARD_NETWORK, false);
}

/* guard:unwatch(inode) */
static int guard_unwatch(lua_State *L)
{
	return guard_note(L, WARD_NETWORK, true);
}

/* guard:forget(group): a group that has ended */
static int guard_forget(lua_State *L)
{
	return guard_note(L, WARD_GROUP, true);
}

/* guard:close(): it kills what it still knows, and ends */
static int guard_close(lua_State *L)
{
	struct guard *guard = luaL_checkudata(L, 1, GUARD_NAME);
	int fd = guard->fd;

	guard->fd = -1;
	if (fd < 0)
		return 0;
	if (guard->forks != fork_depth()) {
		close(fd);
		return 0;
	}
	tell(fd, WARD_END, false, 0);
	close(fd);
	(void)TEMP_FAILURE_RETRY(waitpid(guard->pid, NULL, 0));
	return 0;
}

/* sys.guard() -> guard | nil, message, code */
static int sys_guard(lua_State *L)
{
	struct guard *guard = lua_newuserdatauv(L, sizeof *guard, 0);
	int ends[2];

	*guard = (struct guard){.fd = -1, .forks = fork_depth()};
	luaL_setmetatable(L, GUARD_NAME);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return push_errno(L, "socketpair", errno);
	guard->pid = fork_guard(ends);
	close(ends[0]);
	if (guard->pid < 0) {
		close(ends[1]);
		return push_errno(L, "fork", errno);
	}
	guard->fd = ends[1];
	return 1;
}

/* sys.sweep(inodes): kills every process in those networks, and waits until
 * none is left; never in the network the caller is in */
static int sys_sweep(lua_State *L)
{
	struct wards *wards;

	luaL_checktype(L, 1, LUA_TTABLE);
	wards = lua_newuserdatauv(L, sizeof *wards, 0);
	wards->count = 0;
	for (lua_Integer i = 1; lua_geti(L, 1, i) != LUA_TNIL; i++) {
		struct ward ward = {.kind = WARD_NETWORK};

		ward.id = (uint64_t)luaL_checkinteger(L, -1);
		wards_note(wards, &ward);
		lua_pop(L, 1);
	}
	/* Of a child made by fork they are its parent's. */
	if (fork_depth() == 0)
		sweep(wards);
	return 0;
}

const luaL_Reg guard_functions[] = {
	{"guard", sys_guard},
	{"sweep", sys_sweep},
	{NULL, NULL},
};

static const luaL_Reg guard_methods[] = {
	{"close", guard_close},
	{"forget", guard_forget},
	{"unwatch", guard_unwatch},
	{"watch", guard_watch},
	{NULL, NULL},
};

void guard_register(lua_State *L)
{
	register_class(L, GUARD_NAME, guard_methods, guard_close, guard_close);
}
