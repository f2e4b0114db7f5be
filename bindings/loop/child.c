/*
 * Ends of child processes. A pidfd tells the loop; where there is none (before
 * Linux 5.3, or under valgrind) a timer asks again and again.
 */
#include "loop/watch.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdint.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/args.h"
#include "common/status.h"

static const uint64_t POLL_NANOSECONDS = 10000000;

static void child_ended(struct watch *watch, const siginfo_t *info)
{
	lua_Integer status = info->si_status;

	loop_enter(watch, info->si_code == CLD_EXITED ? "exit" : "signal",
		   &status);
}

static int32_t on_child(int32_t fd, int32_t revents, void *data)
{
	siginfo_t info = {.si_pid = 0};

	(void)revents;
	/* Somebody else may have reaped it: then nobody knows how it ended. */
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED) != 0)
		loop_enter(data, "unknown", NULL);
	else
		child_ended(data, &info);
	return 0;
}

static void on_tick(void *data);

static int child_poll(struct watch *watch)
{
	return qb_loop_timer_add(watch->loop->qb, QB_LOOP_MED, POLL_NANOSECONDS,
				 watch, on_tick, &watch->tick);
}

static void on_tick(void *data)
{
	struct watch *watch = data;
	siginfo_t info = {.si_pid = 0};
	bool known =
		waitid(P_PID, (id_t)watch->pid, &info, WEXITED | WNOHANG) == 0;

	if (known && info.si_pid == 0 && child_poll(watch) == 0)
		return;
	if (known && info.si_pid != 0)
		child_ended(watch, &info);
	else
		loop_enter(watch, "unknown", NULL);
}

/* 0 if the process is a child of ours, else an errno. */
static int check_child(pid_t pid)
{
	siginfo_t info;

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
		return errno;
	return 0;
}

/* The pidfd as an event of the loop; 0, or an errno. */
static int child_add(struct watch *watch)
{
	int err;

	watch->fd = pidfd_open(watch->pid, 0);
	if (watch->fd < 0 && errno == ENOSYS) {
		watch->kind = WATCH_POLLED_CHILD;
		return -child_poll(watch);
	}
	if (watch->fd < 0)
		return errno;
	err = qb_loop_poll_add(watch->loop->qb, QB_LOOP_MED, watch->fd, POLLIN,
			       watch, on_child);
	if (err != 0)
		close(watch->fd);
	return -err;
}

/*
 * loop.child(pid, fn("exit" | "signal", status)) -> watch
 *   | nil, message, code
 * Reaps the child.
 */
int child_watch(lua_State *L)
{
	pid_t pid = (pid_t)check_range(L, 1, "pid", 1, INT32_MAX);
	struct watch *watch = push_watch(L, WATCH_CHILD, 2);
	int err = check_child(pid);

	watch->pid = pid;
	if (err == 0)
		err = child_add(watch);
	if (err != 0)
		return watch_refused(L, watch, "pidfd_open", err);
	watch_activate(watch);
	return 1;
}
