/*
 * corolua.trace_encoder: the trace of this program, for corolua.trace. What the
 * handles tell goes from C to C; what Lua tells comes as parts of lines.
 */
#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "common/args.h"
#include "common/forked.h"
#include "common/module.h"
#include "common/status.h"
#include "corosync/handle.h"
#include "trace/trace.h"

#define TRACE_NAME "corolua.trace"

enum { KIND_MAX = 16, RING_MAX = 64 * 1024 * 1024 };

/* Every function has the trace as its upvalue, which so outlives them. */
static struct trace *trace_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* encoder.open(): handles that are made from here on are told of */
static int encoder_open(lua_State *L)
{
	lua_pushlightuserdata(L, trace_of(L));
	lua_setfield(L, LUA_REGISTRYINDEX, TAP_KEY);
	return 0;
}

/* encoder.close(): those that are made from here on are not */
static int encoder_close(lua_State *L)
{
	lua_pushnil(L);
	lua_setfield(L, LUA_REGISTRYINDEX, TAP_KEY);
	return 0;
}

/* encoder.now() -> microseconds of the monotonic clock */
static int encoder_now(lua_State *L)
{
	lua_pushinteger(L, trace_now() / 1000);
	return 1;
}

static int64_t check_microseconds(lua_State *L, int arg)
{
	return check_range(L, arg, "time", 0, INT64_MAX / 1000) * 1000;
}

/*
 * encoder.start(path, first, start, preview) -> true | nil, message, code
 *
 * A file that begins with the first line, and gets all that is told from here
 * on of handles that are made from here on; `t` counts from start, in
 * microseconds. A file that is there is written anew.
 */
static int encoder_start(lua_State *L)
{
	struct trace *trace = trace_of(L);
	const char *path = luaL_checkstring(L, 1);
	size_t length;
	const char *first = luaL_checklstring(L, 2, &length);
	int64_t start = check_microseconds(L, 3);
	lua_Integer preview = check_range(L, 4, "preview", 0, PREVIEW_MAX);
	struct file *file;
	int err;

	if (trace->file != NULL)
		return luaL_error(L, "a trace is being written");
	file = malloc(sizeof *file);
	if (file == NULL)
		return luaL_error(L, "out of memory");
	err = file_open(file, path, false);
	if (err != 0) {
		free(file);
		return push_errno(L, path, err);
	}
	file_add(file, first, length);
	trace->file = file;
	trace->start = start;
	trace->preview = (size_t)preview;
	trace->first = trace->lives + 1;
	lua_pushboolean(L, 1);
	return 1;
}

/* encoder.stop() -> true | nil, message, code: all is written, or not */
static int encoder_stop(lua_State *L)
{
	struct trace *trace = trace_of(L);
	struct file *file = trace->file;
	uint64_t dropped;
	int err;

	if (file == NULL)
		return luaL_error(L, "no trace is being written");
	trace->file = NULL;
	err = file_close(file);
	dropped = file->dropped;
	free(file);
	if (err == 0 && dropped > 0)
		err = ENOSPC;
	if (err != 0)
		return push_errno(L, "trace", err);
	lua_pushboolean(L, 1);
	return 1;
}

/* encoder.flush() -> true | nil, message, code */
static int encoder_flush(lua_State *L)
{
	struct trace *trace = trace_of(L);
	int err = trace->file != NULL ? file_flush(trace->file) : 0;

	if (err != 0)
		return push_errno(L, "trace", err);
	lua_pushboolean(L, 1);
	return 1;
}

/*
 * encoder.keep(messages, others) -> true | nil, message, code
 *
 * The recorder keeps the latest of both in so many bytes each; 0 and 0 let all
 * of it go.
 */
static int encoder_keep(lua_State *L)
{
	struct trace *trace = trace_of(L);
	size_t messages = (size_t)check_range(L, 1, "bytes", 0, RING_MAX);
	size_t others = (size_t)check_range(L, 2, "bytes", 0, RING_MAX);
	int err;

	ring_close(&trace->messages);
	ring_close(&trace->others);
	err = ring_open(&trace->messages, messages);
	if (err == 0)
		err = ring_open(&trace->others, others);
	if (err != 0) {
		ring_close(&trace->messages);
		return push_errno(L, "recorder", err);
	}
	trace->first_kept = trace->lives + 1;
	lua_pushboolean(L, 1);
	return 1;
}

/*
 * encoder.line(kind, rest, h)
 *
 * Tells a line: rest is what stands behind `t`, with the comma before it and
 * without the brace behind it; h is the life that it is of, if it is of one.
 */
static int encoder_line(lua_State *L)
{
	struct trace *trace = trace_of(L);
	size_t length;
	const char *kind = check_text(L, 1, "kind", 1, KIND_MAX, &length);
	const char *rest = luaL_checklstring(L, 2, &length);
	uint64_t h = (uint64_t)luaL_optinteger(L, 3, 0);

	text_clear(&trace->line);
	text_add(&trace->line, rest, length);
	trace_line(trace, kind, h);
	return 0;
}

/*
 * encoder.dump(path, first, start) -> true | nil, message, code
 *
 * Writes what the recorder has into a new file, behind the first line. What a
 * child made by fork has is its parent's: ECHILD.
 */
static int encoder_dump(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	size_t length;
	const char *first = luaL_checklstring(L, 2, &length);
	int64_t start = check_microseconds(L, 3);
	int err = trace_of(L)->forks != fork_depth()
			  ? ECHILD
			  : trace_dump(trace_of(L), path, first, length, start);

	if (err != 0)
		return push_errno(L, path, err);
	lua_pushboolean(L, 1);
	return 1;
}

/*
 * encoder.life(handle, is_packed) -> h | nil
 *
 * The number of the life of a handle that is told of; where it is packed, its
 * messages are frames.
 */
static int encoder_life(lua_State *L)
{
	struct life *life = check_any_handle(L, 1)->life;

	if (life == NULL || life->tap != &trace_of(L)->tap)
		return 0;
	if (lua_toboolean(L, 2))
		life_set_packed(life);
	lua_pushinteger(L, (lua_Integer)life_number(life));
	return 1;
}

/* encoder.place(inode, nodeid): the node that is in a network; 0 forgets it */
static int encoder_place(lua_State *L)
{
	struct trace *trace = trace_of(L);
	uint64_t inode = (uint64_t)luaL_checkinteger(L, 1);
	uint32_t nodeid = (uint32_t)check_range(L, 2, "nodeid", 0, UINT32_MAX);
	struct place *place = trace_place(trace, inode);

	if (place == NULL)
		return 0;
	if (nodeid != 0) {
		trace_know_place(trace, place, nodeid);
		return 0;
	}
	text_free(&place->newest);
	*place = trace->places[--trace->place_count];
	return 0;
}

/* encoder.tell_quorum(tells): whether what the daemons say of it is told */
static int encoder_tell_quorum(lua_State *L)
{
	trace_of(L)->tells_quorum = check_boolean(L, 1, "tells");
	return 0;
}

/* encoder.tell_places(): what is known of nodes whose nodeid is not */
static int encoder_tell_places(lua_State *L)
{
	trace_tell_places(trace_of(L));
	return 0;
}

/* encoder.quote(bytes) -> a string of JSON: each character is one byte */
static int encoder_quote(lua_State *L)
{
	size_t length;
	const char *bytes = luaL_checklstring(L, 1, &length);
	luaL_Buffer buffer;
	char *to = luaL_buffinitsize(L, &buffer, length * ESCAPED_MAX + 2);

	luaL_addsize(&buffer, (size_t)(put_string(to, bytes, length) - to));
	luaL_pushresult(&buffer);
	return 1;
}

/* encoder.hash(bytes) -> 13 hexadecimal digits */
static int encoder_hash(lua_State *L)
{
	size_t length;
	const char *bytes = luaL_checklstring(L, 1, &length);
	char hash[HASH_MAX];

	put_hash(hash, hash_of(bytes, length));
	lua_pushlstring(L, hash + 1, HASH_MAX - 2);
	return 1;
}

static void set_count(lua_State *L, const char *key, uint64_t count)
{
	lua_pushinteger(L, (lua_Integer)count);
	lua_setfield(L, -2, key);
}

/*
 * encoder.stats() -> { lives =, lines =, dropped =, kept =, evicted = }
 *
 * Lines of the file and those that found no room on the disk; bytes that the
 * recorder holds, and records that fell out of it.
 */
static int encoder_stats(lua_State *L)
{
	const struct trace *trace = trace_of(L);
	const struct file *file = trace->file;
	const struct ring *messages = &trace->messages;
	const struct ring *others = &trace->others;

	lua_createtable(L, 0, 5);
	set_count(L, "lives", trace->lives);
	set_count(L, "lines", file != NULL ? file->lines : 0);
	set_count(L, "dropped", file != NULL ? file->dropped : 0);
	set_count(L, "kept",
		  messages->tail - messages->head + others->tail -
			  others->head);
	set_count(L, "evicted", messages->evicted + others->evicted);
	return 1;
}

static int trace_gc(lua_State *L)
{
	struct trace *trace = lua_touserdata(L, 1);

	if (trace->file != NULL) {
		file_close(trace->file);
		free(trace->file);
		trace->file = NULL;
	}
	ring_close(&trace->messages);
	ring_close(&trace->others);
	text_free(&trace->line);
	for (size_t i = 0; i < trace->place_count; i++)
		text_free(&trace->places[i].newest);
	trace->place_count = 0;
	return 0;
}

static const luaL_Reg functions[] = {
	{"open", encoder_open},
	{"close", encoder_close},
	{"now", encoder_now},
	{"start", encoder_start},
	{"stop", encoder_stop},
	{"flush", encoder_flush},
	{"keep", encoder_keep},
	{"line", encoder_line},
	{"dump", encoder_dump},
	{"life", encoder_life},
	{"place", encoder_place},
	{"tell_quorum", encoder_tell_quorum},
	{"tell_places", encoder_tell_places},
	{"quote", encoder_quote},
	{"hash", encoder_hash},
	{"stats", encoder_stats},
	{NULL, NULL},
};

/* Handles are made behind it, and so closed before it when the state ends. */
static void push_trace(lua_State *L)
{
	struct trace *trace = lua_newuserdatauv(L, sizeof *trace, 0);

	memset(trace, 0, sizeof *trace);
	trace_init_tap(&trace->tap);
	trace->tells_quorum = true;
	trace->forks = fork_depth();
	luaL_newmetatable(L, TRACE_NAME);
	lua_pushcfunction(L, trace_gc);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, TRACE_NAME ".encoder");
}

MODULE(corolua_trace_encoder)
{
	luaL_newlibtable(L, functions);
	push_trace(L);
	luaL_setfuncs(L, functions, 1);
	return 1;
}
