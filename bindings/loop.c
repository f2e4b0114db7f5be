/*
 * corolua.loop: the event loop of libqb for Lua. A watch is a userdata of
 * Lua that libqb knows by its address; while it is active the registry
 * anchors it under that address, so that a callback always finds it alive.
 *
 * What libqb leaves open is closed here: a poll callback never returns less
 * than 0, since libqb would then keep the descriptor in its epoll set; no jobs
 * are used, since they delay timers by up to 50 ms; and the signal handlers
 * that qb_loop_create resets are put back.
 */
#include "watch.h"

#include <lauxlib.h>
#include <qb/qbutil.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "forked.h"
#include "module.h"
#include "status.h"

#define LOOP_NAME "corolua.loop"
#define WATCH_NAME "corolua.watch"

/* Longer than any program runs, and in nanoseconds still an int64_t. */
static const double SECONDS_MAX = 1e9;

static const struct name directions[] = {
	{POLLIN, "r"},
	{POLLOUT, "w"},
	{POLLIN | POLLOUT, "rw"},
	{0, NULL},
};

struct loop *loop_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

static bool is_forked(const struct loop *loop)
{
	return loop->forks != fork_depth();
}

/*
 * The descriptors of the loop are the parent's: a child made by fork may
 * neither change what they tell nor wait for them, and must not come back here.
 */
static void end_if_forked(const struct loop *loop, const char *problem)
{
	if (!is_forked(loop))
		return;
	fprintf(stderr, "corolua: %s\n",
		problem != NULL ? problem
				: "a child made by fork must end by os.exit or "
				  "run another program: the loop is its "
				  "parent's");
	fflush(NULL);
	_exit(EXIT_FAILURE);
}

struct watch *push_watch(lua_State *L, enum kind kind, int arg)
{
	struct watch *watch;

	luaL_checktype(L, arg, LUA_TFUNCTION);
	if (is_forked(loop_of(L)))
		luaL_error(L, "the loop is of the process that forked");
	watch = lua_newuserdatauv(L, sizeof *watch, 1);
	*watch = (struct watch){.loop = loop_of(L), .kind = kind, .fd = -1};
	luaL_setmetatable(L, WATCH_NAME);
	lua_pushvalue(L, arg);
	lua_setiuservalue(L, -2, 1);
	/* The registry's slot exists before libqb can call, so that anchoring
	 * cannot fail for want of memory once it does. */
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, watch);
	return watch;
}

void watch_activate(struct watch *watch)
{
	watch->active = true;
	watch->counts = true;
	watch->loop->counted++;
}

static void watch_forget(lua_State *L, struct watch *watch)
{
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, watch);
}

int watch_refused(lua_State *L, struct watch *watch, const char *call, int err)
{
	watch_forget(L, watch);
	return push_errno(L, call, err);
}

/* Tells libqb to forget a watch; a timer that fired is forgotten already. */
static void watch_remove(struct watch *watch)
{
	qb_loop_t *qb = watch->loop->qb;

	if (qb == NULL || is_forked(watch->loop))
		return;
	switch (watch->kind) {
	case WATCH_FD:
	case WATCH_CHILD:
		qb_loop_poll_del(qb, watch->fd);
		break;
	case WATCH_TIMER:
		timers_remove(&watch->loop->timers, watch);
		break;
	case WATCH_POLLED_CHILD:
		qb_loop_timer_del(qb, watch->tick);
		break;
	case WATCH_SIGNAL:
		qb_loop_signal_del(qb, watch->signal);
		break;
	}
}

static void watch_end(lua_State *L, struct watch *watch)
{
	if (!watch->active)
		return;
	watch->active = false;
	if (watch->counts)
		watch->loop->counted--;
	watch_remove(watch);
	if (watch->kind == WATCH_CHILD)
		close(watch->fd);
	watch_forget(L, watch);
}

/* The error with its traceback; what is no string becomes one. */
static int add_traceback(lua_State *L)
{
	luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
	return 1;
}

/* What libqb tells of a watch. */
struct entry {
	struct watch *watch;
	const char *word;
	const lua_Integer *number;
};

/* Pushes what the watch's function is called with; how many values. */
static int push_told(lua_State *L, const struct entry *entry)
{
	int given = 0;

	if (entry->word != NULL) {
		lua_pushstring(L, entry->word);
		given++;
	}
	if (entry->number != NULL) {
		lua_pushinteger(L, *entry->number);
		given++;
	}
	return given;
}

/* Calls the watch's function, and then what the scheduler wants called after
 * every event. Nothing outside of here needs memory. */
static int call_watch(lua_State *L)
{
	const struct entry *entry = lua_touserdata(L, 1);
	struct watch *watch = entry->watch;

	lua_rawgetp(L, LUA_REGISTRYINDEX, watch);
	lua_getiuservalue(L, -1, 1);
	lua_replace(L, 1);
	/* One shot: its function may set it up anew or let it be collected. */
	if (watch->kind != WATCH_FD && watch->kind != WATCH_SIGNAL)
		watch_end(L, watch);
	lua_pop(L, 1);
	lua_call(L, push_told(L, entry), 0);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &directions) == LUA_TFUNCTION)
		lua_call(L, 0, 0);
	return 0;
}

/* The registry's slot for the error is there since the loop was made. */
static void loop_fail(struct loop *loop, lua_State *L)
{
	if (loop->failed) {
		lua_pop(L, 1);
		return;
	}
	loop->failed = true;
	lua_rawsetp(L, LUA_REGISTRYINDEX, loop);
	qb_loop_stop(loop->qb);
}

void loop_enter(struct watch *watch, const char *word,
		const lua_Integer *number)
{
	struct entry entry = {watch, word, number};
	struct loop *loop = watch->loop; /* the watch may be gone afterwards */
	lua_State *L = loop->main;
	int top = lua_gettop(L);

	if (!lua_checkstack(L, LUA_MINSTACK)) {
		lua_settop(L, top);
		return;
	}
	lua_pushcfunction(L, add_traceback);
	lua_pushcfunction(L, call_watch);
	lua_pushlightuserdata(L, &entry);
	if (lua_pcall(L, 1, 0, top + 1) != LUA_OK) {
		end_if_forked(loop, lua_tostring(L, -1));
		loop_fail(loop, L);
	}
	end_if_forked(loop, NULL);
	lua_settop(L, top);
}

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

/* watch:cancel(): its function is not called any more; may be repeated. */
static int watch_cancel(lua_State *L)
{
	watch_end(L, luaL_checkudata(L, 1, WATCH_NAME));
	return 0;
}

/* watch:unref() -> watch: it does not keep the program running. */
static int watch_unref(lua_State *L)
{
	struct watch *watch = luaL_checkudata(L, 1, WATCH_NAME);

	if (watch->active && watch->counts)
		watch->loop->counted--;
	watch->counts = false;
	lua_settop(L, 1);
	return 1;
}

/* watch:ref() -> watch: it keeps the program running again. */
static int watch_ref(lua_State *L)
{
	struct watch *watch = luaL_checkudata(L, 1, WATCH_NAME);

	if (watch->active && !watch->counts)
		watch->loop->counted++;
	watch->counts = true;
	lua_settop(L, 1);
	return 1;
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

/* loop.timer(seconds, fn()) -> watch */
static int loop_timer(lua_State *L)
{
	uint64_t nanoseconds = check_seconds(L, 1);
	struct watch *watch = push_watch(L, WATCH_TIMER, 2);
	int err = timers_add(&watch->loop->timers, watch, nanoseconds);

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
	end_if_forked(loop, NULL);
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

	end_if_forked(loop, luaL_optstring(L, 1, NULL));
	loop->stopped = true;
	qb_loop_stop(loop->qb);
	return 0;
}

/* loop.now() -> seconds of a clock that never goes back */
static int loop_now(lua_State *L)
{
	lua_pushnumber(L, (double)timers_now() / 1e9);
	return 1;
}

/* loop.clock() -> seconds since 1970, by a clock that people set */
static int loop_clock(lua_State *L)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	lua_pushnumber(L, (double)time.tv_sec + (double)time.tv_nsec / 1e9);
	return 1;
}

/* loop.pending() -> how many active watches keep the program running */
static int loop_pending(lua_State *L)
{
	lua_pushinteger(L, loop_of(L)->counted);
	return 1;
}

/* loop.after_each(fn()): called after every event; the scheduler's place */
static int loop_after_each(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &directions);
	return 0;
}

static int watch_gc(lua_State *L)
{
	watch_end(L, lua_touserdata(L, 1));
	return 0;
}

static int loop_gc(lua_State *L)
{
	struct loop *loop = lua_touserdata(L, 1);

	if (loop->qb != NULL && !is_forked(loop))
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
	luaL_newmetatable(L, LOOP_NAME);
	lua_pushcfunction(L, loop_gc);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	loop->main = lua_tothread(L, -1);
	lua_pop(L, 1);
	lua_pushboolean(L, 0);
	lua_rawsetp(L, LUA_REGISTRYINDEX, loop);
	loop->qb = create_loop();
	if (loop->qb == NULL)
		luaL_error(L, "qb_loop_create: out of memory");
	loop->timers.qb = loop->qb;
}

static const luaL_Reg watch_methods[] = {
	{"cancel", watch_cancel},
	{"unref", watch_unref},
	{"ref", watch_ref},
	{NULL, NULL},
};

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
	lua_pushstring(L, qb_ver_str);
	lua_setfield(L, -2, "libqb");
	lua_pushliteral(L, LUA_RELEASE);
	lua_setfield(L, -2, "lua");
}

MODULE(corolua_loop)
{
	luaL_newmetatable(L, WATCH_NAME);
	lua_pushcfunction(L, watch_gc);
	lua_setfield(L, -2, "__gc");
	luaL_newlib(L, watch_methods);
	lua_setfield(L, -2, "__index");
	luaL_newlibtable(L, functions);
	push_loop(L);
	luaL_setfuncs(L, functions, 1);
	push_versions(L);
	lua_setfield(L, -2, "versions");
	return 1;
}
