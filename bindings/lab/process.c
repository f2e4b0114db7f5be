/*
 * Starting programs inside a lab, and ending them. Everything that needs
 * memory is prepared before the fork; the child only makes system calls, and
 * reports the one that failed through a pipe that exec closes.
 */
#include "lab/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/args.h"
#include "common/descriptor.h"
#include "common/fork.h"
#include "common/options.h"
#include "common/status.h"
#include "lab/guard.h"

enum placement { PLACE_GROUP, PLACE_SESSION, PLACE_TERMINAL };

/* What the child does before it runs the program. The pointers are to strings
 * that Lua holds on the stack or in the options until the child has run it. */
struct spawn_plan {
	const char **argv;
	const char **envp;
	const char **binds; /* source, target, …, NULL */
	const char *cwd;
	enum placement placement;
	int net;
	int stdio[3];
	int guard;
	int report;
	pid_t parent;
};

static const struct name placements[] = {
	{PLACE_GROUP, "group"},
	{PLACE_SESSION, "session"},
	{PLACE_TERMINAL, "terminal"},
	{0, NULL},
};

static const struct name signals[] = {
	{SIGCONT, "CONT"}, {SIGHUP, "HUP"},   {SIGINT, "INT"},
	{SIGKILL, "KILL"}, {SIGQUIT, "QUIT"}, {SIGSTOP, "STOP"},
	{SIGTERM, "TERM"}, {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"},
	{0, NULL},
};

/* fork_depth() of the process whose children they are. */
static unsigned int forks;

struct report {
	char step[32];
	int err;
};

static const char **new_list(lua_State *L, size_t count)
{
	const char **list = lua_newuserdatauv(L, (count + 1) * sizeof *list, 0);

	memset(list, 0, (count + 1) * sizeof *list);
	return list;
}

/* The strings of the array at index; pushes what holds the list. */
static const char **push_list(lua_State *L, int index, const char *what)
{
	size_t count = lua_rawlen(L, index);
	const char **list = new_list(L, count);

	for (size_t i = 0; i < count; i++) {
		if (lua_geti(L, index, (lua_Integer)i + 1) != LUA_TSTRING)
			luaL_error(L, "%s must be strings, got %s", what,
				   luaL_typename(L, -1));
		list[i] = lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	return list;
}

/* The list in a field of the options at index 2, or an empty one. */
static const char **push_field_list(lua_State *L, const char *key)
{
	if (lua_getfield(L, 2, key) == LUA_TNIL) {
		lua_newtable(L);
		lua_replace(L, -2);
	}
	luaL_checktype(L, -1, LUA_TTABLE);
	return push_list(L, lua_gettop(L), key);
}

static bool is_overridden(const char *entry, const char *const *overrides)
{
	size_t length = strcspn(entry, "=");

	for (; *overrides != NULL; overrides++)
		if (strcspn(*overrides, "=") == length &&
		    strncmp(entry, *overrides, length) == 0)
			return true;
	return false;
}

/* The program's own environment, with the entries of the option instead of
 * those of the same name; a name alone takes the variable away. */
static const char **push_environment(lua_State *L)
{
	const char **overrides = push_field_list(L, "env");
	size_t count = 0;
	const char **list;

	while (environ[count] != NULL)
		count++;
	for (const char **entry = overrides; *entry != NULL; entry++)
		count++;
	list = new_list(L, count);
	count = 0;
	for (char **entry = environ; *entry != NULL; entry++)
		if (!is_overridden(*entry, overrides))
			list[count++] = *entry;
	for (; *overrides != NULL; overrides++)
		if (strchr(*overrides, '=') != NULL)
			list[count++] = *overrides;
	return list;
}

static int descriptor_field(lua_State *L, const char *key)
{
	lua_getfield(L, 2, key);
	return opt_descriptor(L, lua_gettop(L));
}

static enum placement placement_field(lua_State *L)
{
	lua_getfield(L, 2, "placement");
	return (enum placement)opt_name(L, lua_gettop(L), "placement",
					placements, PLACE_GROUP);
}

/* With inherit, what is not given is the program's own. */
static void plan_stdio(lua_State *L, struct spawn_plan *plan)
{
	static const char *const keys[] = {"stdin", "stdout", "stderr"};
	const struct options options = {L, 2, 2};
	bool inherit = option_flag(&options, "inherit");

	for (int i = 0; i < 3; i++) {
		plan->stdio[i] = descriptor_field(L, keys[i]);
		if (plan->stdio[i] < 0 && inherit)
			plan->stdio[i] = i;
	}
}

/* Reads the arguments of sys.spawn; raises if they are wrong. What the plan
 * points to stays on the stack. */
static void check_spawn_plan(lua_State *L, struct spawn_plan *plan)
{
	static const char *const keys[] = {
		"binds",     "cwd",    "env",   "guard",  "inherit", "net",
		"placement", "stderr", "stdin", "stdout", NULL,
	};
	const struct options options = {L, 2, 2};

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	luaL_argcheck(L, lua_rawlen(L, 1) > 0, 1, "no program given");
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	check_keys(&options, "spawn option", keys);
	plan->argv = push_list(L, 1, "the words of a command");
	plan->envp = push_environment(L);
	plan->binds = push_field_list(L, "binds");
	lua_getfield(L, 2, "cwd");
	plan->cwd = luaL_optstring(L, -1, NULL);
	lua_getfield(L, 2, "guard");
	plan->guard = opt_guard(L, lua_gettop(L));
	plan->placement = placement_field(L);
	plan->net = descriptor_field(L, "net");
	plan_stdio(L, plan);
	plan->parent = getpid();
}

static _Noreturn void give_up(const struct spawn_plan *plan, const char *step)
{
	struct report report = {.err = errno};

	strncpy(report.step, step, sizeof report.step - 1);
	if (write(plan->report, &report, sizeof report) < 0)
		_exit(126);
	_exit(127);
}

static void take_place(const struct spawn_plan *plan)
{
	if (plan->placement == PLACE_SESSION)
		setsid();
	else
		setpgid(0, 0);
	if (plan->placement == PLACE_TERMINAL && tcsetpgrp(0, getpid()) != 0)
		give_up(plan, "tcsetpgrp");
	if (plan->guard >= 0 && guard_tell_group(plan->guard, getpid()) != 0)
		give_up(plan, "guard");
}

static void take_mounts(const struct spawn_plan *plan)
{
	if (plan->binds[0] == NULL)
		return;
	if (unshare(CLONE_NEWNS) != 0)
		give_up(plan, "unshare");
	for (const char **bind = plan->binds; *bind != NULL; bind += 2)
		if (mount(bind[0], bind[1], "", MS_BIND, NULL) != 0)
			give_up(plan, "mount");
}

/* A descriptor that stands in the way of a lower one is moved up first. */
static void take_stdio(const struct spawn_plan *plan)
{
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = plan->stdio[i];
		if (fds[i] < 0)
			fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fds[i] < 3)
			fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
	}
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			give_up(plan, "dup2");
}

/* The death signal comes last, since a change of rights clears it; a parent
 * that died before is seen by the id of the new one. */
static void tie_to_parent(const struct spawn_plan *plan)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		give_up(plan, "prctl");
	if (getppid() != plan->parent)
		_exit(0);
}

static _Noreturn void child_run(const struct spawn_plan *plan)
{
	take_place(plan);
	if (plan->net >= 0 && setns(plan->net, CLONE_NEWNET) != 0)
		give_up(plan, "setns");
	take_mounts(plan);
	if (plan->cwd != NULL && chdir(plan->cwd) != 0)
		give_up(plan, "chdir");
	take_stdio(plan);
	fork_default_signals();
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	tie_to_parent(plan);
	execvpe(plan->argv[0], (char *const *)plan->argv,
		(char *const *)plan->envp);
	give_up(plan, "exec");
}

static int push_report(lua_State *L, const struct spawn_plan *plan, pid_t pid,
		       const struct report *report)
{
	bool is_folder = strcmp(report->step, "chdir") == 0;

	waitpid(pid, NULL, 0);
	lua_pushfstring(L, "%s %s", report->step,
			is_folder ? plan->cwd : plan->argv[0]);
	return push_errno(L, lua_tostring(L, -1), report->err);
}

/* Waits until the child runs the program or says why it does not. */
static int push_started(lua_State *L, const struct spawn_plan *plan, pid_t pid,
			int fd)
{
	struct report report;
	ssize_t got;

	got = TEMP_FAILURE_RETRY(read(fd, &report, sizeof report));
	if (got == (ssize_t)sizeof report)
		return push_report(L, plan, pid, &report);
	lua_pushinteger(L, pid);
	return 1;
}

/* sys.spawn({ program, … }, options) -> pid | nil, message, code */
static int sys_spawn(lua_State *L)
{
	struct spawn_plan plan = {0};
	int ends[2];
	int results;
	pid_t pid;

	check_spawn_plan(L, &plan);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return push_errno(L, "pipe", errno);
	plan.report = ends[1];
	forks = fork_depth();
	pid = fork_quiet();
	if (pid == 0)
		child_run(&plan);
	close(ends[1]);
	results = pid < 0 ? push_errno(L, "fork", errno)
			  : push_started(L, &plan, pid, ends[0]);
	close(ends[0]);
	return results;
}

static int kill_process(lua_State *L, int sign)
{
	pid_t pid = (pid_t)check_range(L, 1, "process id", 2, 1 << 30);
	int number = (int)check_name(L, 2, "signal", signals);

	if (forks != fork_depth())
		return push_errno(L, "kill", ECHILD);
	return push_done(L, "kill", kill(sign * pid, number));
}

/* sys.kill(pid, signal) -> true | nil, message, code */
static int sys_kill(lua_State *L)
{
	return kill_process(L, 1);
}

/* sys.kill_group(pid, signal) -> true | nil, message, code */
static int sys_kill_group(lua_State *L)
{
	return kill_process(L, -1);
}

/* sys.reap(pid) -> "exit", status or "signal", number | nil, message, code:
 * waits for a child that has been killed */
static int sys_reap(lua_State *L)
{
	pid_t pid = (pid_t)check_range(L, 1, "process id", 2, 1 << 30);
	int status;

	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return push_errno(L, "waitpid", errno);
	lua_pushstring(L, WIFEXITED(status) ? "exit" : "signal");
	lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status)
					     : WTERMSIG(status));
	return 2;
}

const luaL_Reg process_functions[] = {
	{"kill", sys_kill}, {"kill_group", sys_kill_group},
	{"reap", sys_reap}, {"spawn", sys_spawn},
	{NULL, NULL},
};
