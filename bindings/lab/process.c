/*
 * Starting programs inside a lab, and ending them. Everything that needs
 * memory is prepared before the fork; the child only makes system calls, and
 * reports the one that failed through a pipe that exec closes.
 */
#include "lab/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
#include "common/forked.h"
#include "common/status.h"
#include "lab/guard.h"
#include "lab/spawn_plan.h"

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

	do
		got = read(fd, &report, sizeof report);
	while (got < 0 && errno == EINTR);
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
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return push_errno(L, "waitpid", errno);
	lua_pushstring(L, WIFEXITED(status) ? "exit" : "signal");
	lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status)
					     : WTERMSIG(status));
	return 2;
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

const luaL_Reg process_functions[] = {
	{"kill", sys_kill},
	{"kill_group", sys_kill_group},
	{"reap", sys_reap},
	{"spawn", sys_spawn},
	{"is_terminal", sys_is_terminal},
	{"take_terminal", sys_take_terminal},
	{NULL, NULL},
};
