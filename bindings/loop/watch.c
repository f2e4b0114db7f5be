/*
 * A watch is a userdata of Lua that libqb knows by its address; while it is
 * active the registry anchors it under that address, so that a callback always
 * finds it alive.
 */
#include "loop/watch.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/class.h"
#include "common/fork.h"
#include "common/status.h"

#define WATCH_NAME "corolua.watch"

/* The registry's key of what is called after every event. */
static const char after_each = '\0';

struct loop *loop_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

bool loop_is_forked(const struct loop *loop)
{
	return loop->forks != fork_depth();
}

void loop_end_if_forked(const struct loop *loop, const char *problem)
{
	if (!loop_is_forked(loop))
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
	if (loop_is_forked(loop_of(L)))
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

	if (qb == NULL || loop_is_forked(watch->loop))
		return;
	switch (watch->kind) {
	case WATCH_FD:
	case WATCH_CHILD:
		qb_loop_poll_del(qb, watch->fd);
		break;
	case WATCH_TIMER:
		timers_remove(&watch->loop->timers, &watch->due);
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
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &after_each) == LUA_TFUNCTION)
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
		loop_end_if_forked(loop, lua_tostring(L, -1));
		loop_fail(loop, L);
	}
	loop_end_if_forked(loop, NULL);
	lua_settop(L, top);
}

/* loop.after_each(fn()): called after every event; the scheduler's place */
int loop_after_each(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &after_each);
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

static const luaL_Reg methods[] = {
	{"cancel", watch_cancel},
	{"unref", watch_unref},
	{"ref", watch_ref},
	{NULL, NULL},
};

void watch_register(lua_State *L)
{
	register_class(L, WATCH_NAME, methods, watch_cancel, NULL);
}
