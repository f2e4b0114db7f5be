/*
 * Fuzzes corolua.packing through Lua, as groups use it. An input is a mode and
 * records of a byte, a length of two bytes and as many bytes:
 *
 *   even mode: what one member after the other sends; the byte names the
 *     member, or says that it is parked or forgotten. Whatever it is, read
 *     gives one of its three results, and memory stays bounded.
 *   odd mode: messages to pack, at the frame size that the mode says; the
 *     byte flushes or splits. The other end gets the same messages.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MESSAGE = 4096, MOST_KIB = 8192 };
enum { PARK = 0x40, FORGET = 0x80, FLUSH = 0x40, SPLIT = 0x80 };
enum { PACKER = 1, UNPACKER, SENT, RECEIVED }; /* places on the stack */

struct record {
	uint8_t head;
	const char *bytes;
	size_t length;
};

int luaopen_corolua_packing(lua_State *L);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static bool next_record(const uint8_t **data, size_t *size, struct record *next)
{
	if (*size < 3)
		return false;
	next->head = (*data)[0];
	next->length = (size_t)(*data)[1] | (size_t)(*data)[2] << 8;
	next->bytes = (const char *)*data + 3;
	if (next->length > *size - 3)
		next->length = *size - 3;
	*data += 3 + next->length;
	*size -= 3 + next->length;
	return true;
}

/* Leaves exactly five results on the stack. */
static void call_read(lua_State *L, int member, const char *bytes,
		      size_t length)
{
	lua_getfield(L, UNPACKER, "read");
	lua_pushvalue(L, UNPACKER);
	lua_pushinteger(L, member);
	lua_pushlstring(L, bytes, length);
	lua_call(L, 3, 5);
}

static void check_gap(lua_State *L)
{
	lua_Integer first = lua_tointeger(L, -4);

	demand(lua_isinteger(L, -4) && first > 0, "first is a number");
	demand(lua_istable(L, -3), "ring is a table");
	if (lua_isnil(L, -2))
		return;
	demand(lua_tointeger(L, -2) > 0, "a gap begins at a number");
	demand(lua_tointeger(L, -2) <= lua_tointeger(L, -1),
	       "a gap has numbers");
	demand(lua_tointeger(L, -1) == first - 1, "a gap ends at first");
}

static void check_results(lua_State *L)
{
	if (lua_isnil(L, -5)) {
		demand(lua_type(L, -4) == LUA_TSTRING, "malformed says why");
	} else if (lua_istable(L, -5)) {
		demand(lua_rawlen(L, -5) > 0, "a message was delivered");
		check_gap(L);
	} else {
		demand(lua_isboolean(L, -5), "payloads, false or nil");
		if (!lua_isnil(L, -4))
			check_gap(L);
	}
	lua_pop(L, 5);
}

static void call_member(lua_State *L, const char *method, int member)
{
	lua_getfield(L, UNPACKER, method);
	lua_pushvalue(L, UNPACKER);
	lua_pushinteger(L, member);
	lua_call(L, 2, 0);
}

static void receive(lua_State *L, const uint8_t *data, size_t size)
{
	struct record record;

	while (next_record(&data, &size, &record)) {
		int member = record.head & 3;

		if (record.head & PARK)
			call_member(L, "park", member);
		if (record.head & FORGET)
			call_member(L, "forget", member);
		call_read(L, member, record.bytes, record.length);
		check_results(L);
	}
}

/* Reads the frame on top of the stack and pops it. */
static void take_frame(lua_State *L)
{
	size_t length;
	const char *bytes = lua_tolstring(L, -1, &length);

	call_read(L, 1, bytes, length);
	demand(!lua_isnil(L, -5), "what was packed is well formed");
	demand(lua_isnil(L, -2), "what was packed has no gap");
	if (lua_istable(L, -5))
		for (lua_Unsigned i = 1; i <= lua_rawlen(L, -5); i++) {
			lua_rawgeti(L, -5, (lua_Integer)i);
			lua_rawseti(L, RECEIVED,
				    (lua_Integer)lua_rawlen(L, RECEIVED) + 1);
		}
	lua_pop(L, 6);
}

static void flush(lua_State *L)
{
	lua_getfield(L, PACKER, "flush");
	lua_pushvalue(L, PACKER);
	lua_pushinteger(L, 1);
	lua_pushinteger(L, 7);
	lua_call(L, 3, 1);
	if (lua_isnil(L, -1))
		lua_pop(L, 1);
	else
		take_frame(L);
}

static void split(lua_State *L, const struct record *record)
{
	flush(L);
	lua_getfield(L, PACKER, "split");
	lua_pushvalue(L, PACKER);
	lua_pushlstring(L, record->bytes, record->length);
	lua_pushinteger(L, 1);
	lua_pushinteger(L, 7);
	lua_call(L, 4, 1);
	for (;;) {
		lua_pushvalue(L, -1);
		lua_call(L, 0, 1);
		if (lua_isnil(L, -1))
			break;
		take_frame(L);
	}
	lua_pop(L, 2);
}

static bool add(lua_State *L, const struct record *record)
{
	bool added;

	lua_getfield(L, PACKER, "add");
	lua_pushvalue(L, PACKER);
	lua_pushlstring(L, record->bytes, record->length);
	lua_call(L, 2, 1);
	added = lua_isinteger(L, -1);
	lua_pop(L, 1);
	return added;
}

static void check_received(lua_State *L)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, SENT);

	demand((lua_Integer)lua_rawlen(L, RECEIVED) == count, "all came");
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, SENT, i);
		lua_rawgeti(L, RECEIVED, i);
		demand(lua_rawequal(L, -1, -2), "the same came, in order");
		lua_pop(L, 2);
	}
}

static void round_trip(lua_State *L, const uint8_t *data, size_t size)
{
	struct record record;

	while (next_record(&data, &size, &record)) {
		lua_pushlstring(L, record.bytes, record.length);
		lua_rawseti(L, SENT, (lua_Integer)lua_rawlen(L, SENT) + 1);
		if (record.head & FLUSH)
			flush(L);
		if (record.head & SPLIT && record.length > 0) {
			split(L, &record);
		} else if (!add(L, &record)) {
			flush(L);
			demand(add(L, &record), "an empty frame takes it");
		}
	}
	flush(L);
	check_received(L);
}

static void push_made(lua_State *L, const char *what, const char *option,
		      lua_Integer value)
{
	lua_getfield(L, LUA_REGISTRYINDEX, "packing");
	lua_getfield(L, -1, what);
	lua_remove(L, -2);
	lua_newtable(L);
	lua_pushinteger(L, value);
	lua_setfield(L, -2, option);
	if (strcmp(what, "packer") == 0) {
		lua_pushinteger(L, 1);
		lua_setfield(L, -2, "life");
	}
	lua_call(L, 1, 1);
}

static int run(lua_State *L)
{
	size_t size = (size_t)lua_tointeger(L, 2);
	const uint8_t *data = lua_touserdata(L, 1);

	lua_settop(L, 0);
	push_made(L, "packer", "max_frame", 64 + data[0] / 2);
	push_made(L, "unpacker", "max_message",
		  (data[0] & 1) != 0 ? 65535 : MAX_MESSAGE);
	lua_newtable(L);
	lua_newtable(L);
	if (data[0] & 1)
		round_trip(L, data + 1, size - 1);
	else
		receive(L, data + 1, size - 1);
	demand(lua_gettop(L) == RECEIVED, "the stack is balanced");
	return 0;
}

static lua_State *open_state(void)
{
	lua_State *L = luaL_newstate();

	demand(L != NULL, "a state of Lua");
	luaL_requiref(L, "corolua.packing", luaopen_corolua_packing, 0);
	lua_setfield(L, LUA_REGISTRYINDEX, "packing");
	return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static lua_State *L;

	if (L == NULL)
		L = open_state();
	if (size == 0)
		return 0;
	lua_pushcfunction(L, run);
	lua_pushlightuserdata(L, (void *)(uintptr_t)data);
	lua_pushinteger(L, (lua_Integer)size);
	if (lua_pcall(L, 2, 0, 0) != LUA_OK)
		demand(false, lua_tostring(L, -1));
	demand(lua_gc(L, LUA_GCCOUNT) < MOST_KIB, "memory is bounded");
	return 0;
}
