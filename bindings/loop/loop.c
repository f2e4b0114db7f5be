/*
 * corolua.loop: the event loop of libqb for Lua.
 *
 * What libqb leaves open is closed here: a poll callback never returns less
 * than 0, since libqb would then keep the descriptor in its epoll set; no jobs
 * are used, since they delay timers by up to 50 ms; and the signal handlers
 * that qb_loop_create resets are put back.
 */
#include <errno.h>
#include <lauxlib.h>
#include <qb/qbutil.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/args.h"
#include "common/class.h"
#include "common/clock.h"
#include "common/fields.h"
#include "common/fork.h"
#include "common/module.h"
#include "loop/watch.h"

#define LOOP_NAME "corolua.loop"

/* Longer than any program runs, and in nanoseconds still an int64_t. */
static const double SECONDS_MAX = 1e9;

static const struct name directions[] = {
	{POLLIN, "r"},
	{POLLOUT, "w"},
	{POLLIN | POLLOUT, "rw"},
	{0, NULL},
};

static int32_t on_ready(int32_t fd, int32_t revents, void *data)
{
	static const char *const events[] = {"",  "r",  "w",  "rw",
					     "h", "rh", "wh", "rwh"};
	unsigned int index = 0;

	(void)fd;
	if (revents & POLLIN)
		index |= 1;
	if (revents & POLLOUT)
		index |= 2;
	if (revents & (POLLHUP | POLLERR | POLLNVAL))
		index |= 4;
	loop_enter(data, events[index], NULL);
	return 0;
}

static int32_t on_signal(int32_t signum, void *data)
{
	lua_Integer number = signum;

	loop_enter(data, NULL, &number);
	return 0;
}

/*
 * loop.fd(fd, "r" | "w" | "rw", fn(events)) -> watch | nil, message, code
 *
 * The loop serves what is not of high priority in two of three rounds only, and
 * each round is a call of the kernel.
 */
static int loop_fd(lua_State *L)
{
	int fd = (int)check_range(L, 1, "descriptor", 0, INT32_MAX);
	unsigned int events = check_name(L, 2, "direction", directions);
	struct watch *watch = push_watch(L, WATCH_FD, 3);
	int err = qb_loop_poll_add(watch->loop->qb, QB_LOOP_HIGH, fd,
				   (int32_t)events, watch, on_ready);

	if (err != 0)
		return watch_refused(L, watch, "qb_loop_poll_add", -err);
	watch->fd = fd;
	watch_activate(watch);
	return 1;
}

static uint64_t check_seconds(lua_State *L, int arg)
{
	double seconds = luaL_checknumber(L, arg);

	if (!(seconds >= 0))
		luaL_argerror(L, arg, "seconds must not be negative");
	/* One more than the whole nanoseconds: never early. */
	return (uint64_t)(seconds < SECONDS_MAX ? seconds * 1e9
						: SECONDS_MAX * 1e9) +
	       (seconds > 0);
}

static bool on_due(struct due *due)
{
	struct watch *watch =
		(void *)((char *)due - offsetof(struct watch, due));

	if (watch->loop->stopped || watch->loop->failed)
		return false;
	timers_remove(&watch->loop->timers, due);
	loop_enter(watch, NULL, NULL);
	return true;
}

/* loop.timer(seconds, fn()) -> watch */
static int loop_timer(lua_State *L)
{
	uint64_t nanoseconds = check_seconds(L, 1);
	struct watch *watch = push_watch(L, WATCH_TIMER, 2);
	int err = timers_add(&watch->loop->timers, &watch->due, nanoseconds);

	if (err != 0)
		return watch_refused(L, watch, "qb_loop_timer_add", err);
	watch_activate(watch);
	return 1;
}

/* loop.signal(signum, fn(signum)) -> watch | nil, message, code */
static int loop_signal(lua_State *L)
{
	int signum = (int)check_range(L, 1, "signal", 1, 31);
	struct watch *watch = push_watch(L, WATCH_SIGNAL, 2);
	int err = signum == SIGKILL || signum == SIGSTOP
			  ? -EINVAL
			  : qb_loop_signal_add(watch->loop->qb, QB_LOOP_HIGH,
					       signum, watch, on_signal,
					       &watch->signal);

	if (err != 0)
		return watch_refused(L, watch, "qb_loop_signal_add", -err);
	watch_activate(watch);
	return 1;
}

/* loop.run(): until loop.stop(), or an error in a function, which it raises */
static int loop_run(lua_State *L)
{
	struct loop *loop = loop_of(L);
	int err;

	if (loop->running)
		return luaL_error(L, "the loop runs already");
	loop_end_if_forked(loop, NULL);
	err = timers_begin(&loop->timers);
	if (err != 0)
		return luaL_error(L, "qb_loop_timer_add: %s", strerror(err));
	loop->running = true;
	while (!loop->stopped && !loop->failed)
		qb_loop_run(loop->qb);
	loop->running = false;
	loop->stopped = false;
	if (!loop->failed)
		return 0;
	loop->failed = false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, loop);
	lua_pushboolean(L, 0);
	lua_rawsetp(L, LUA_REGISTRYINDEX, loop);
	return lua_error(L);
}

/* loop.stop([problem]): run returns after the event at hand; before run, at
 * once. A child made by fork ends, with the problem as its last words. */
static int loop_stop(lua_State *L)
{
	struct loop *loop = loop_of(L);

	loop_end_if_forked(loop, luaL_optstring(L, 1, NULL));
	loop->stopped = true;
	qb_loop_stop(loop->qb);
	return 0;
}

/* loop.now() -> seconds of a clock that never goes back */
static int loop_now(lua_State *L)
{
	lua_pushnumber(L, (double)clock_now() / 1e9);
	return 1;
}

/* loop.clock() -> seconds since 1970, by a clock that people set */
static int loop_clock(lua_State *L)
{
	lua_pushnumber(L, (double)clock_read(CLOCK_REALTIME) / 1e9);
	return 1;
}

/* loop.pending() -> how many active watches keep the program running */
static int loop_pending(lua_State *L)
{
	lua_pushinteger(L, loop_of(L)->counted);
	return 1;
}

static int loop_gc(lua_State *L)
{
	struct loop *loop = lua_touserdata(L, 1);

	if (loop->qb != NULL && !loop_is_forked(loop))
		qb_loop_destroy(loop->qb);
	loop->qb = NULL;
	timers_free(&loop->timers);
	return 0;
}

/* qb_loop_create sets the signals below 30 to their defaults, which are not
 * its own: a program that catches SIGINT goes on doing so. */
static qb_loop_t *create_loop(void)
{
	enum { SIGNALS = 32 };
	struct sigaction actions[SIGNALS];
	qb_loop_t *qb;

	for (int signum = 1; signum < SIGNALS; signum++)
		sigaction(signum, NULL, &actions[signum]);
	qb = qb_loop_create();
	for (int signum = 1; signum < SIGNALS; signum++)
		sigaction(signum, &actions[signum], NULL);
	return qb;
}

static void push_loop(lua_State *L)
{
	struct loop *loop = lua_newuserdatauv(L, sizeof *loop, 0);

	*loop = (struct loop){.qb = NULL, .forks = fork_depth()};
	register_class(L, LOOP_NAME, NULL, loop_gc, NULL);
	luaL_setmetatable(L, LOOP_NAME);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	loop->main = lua_tothread(L, -1);
	lua_pop(L, 1);
	lua_pushboolean(L, 0);
	lua_rawsetp(L, LUA_REGISTRYINDEX, loop);
	loop->qb = create_loop();
	if (loop->qb == NULL)
		luaL_error(L, "qb_loop_create: out of memory");
	loop->timers.qb = loop->qb;
	loop->timers.fire = on_due;
}

static const luaL_Reg functions[] = {
	{"fd", loop_fd},
	{"timer", loop_timer},
	{"signal", loop_signal},
	{"child", child_watch},
	{"run", loop_run},
	{"stop", loop_stop},
	{"clock", loop_clock},
	{"now", loop_now},
	{"pending", loop_pending},
	{"after_each", loop_after_each},
	{NULL, NULL},
};

/* That of libqb is the one at hand, that of Lua the one this was built with. */
static void push_versions(lua_State *L)
{
	lua_createtable(L, 0, 2);
	set_string(L, "libqb", qb_ver_str);
	set_string(L, "lua", LUA_RELEASE);
}

MODULE(corolua_loop)
{
	watch_register(L);
	luaL_newlibtable(L, functions);
	push_loop(L);
	luaL_setfuncs(L, functions, 1);
	push_versions(L);
	lua_setfield(L, -2, "versions");
	return 1;
}
