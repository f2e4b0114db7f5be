/*
 * corolua.packing: many small messages as one CPG message, and long messages
 * as several. This file is the sending end; unpacker.c is the receiving one.
 *
 * A packer keeps one buffer that grows and is used again, a userdata of Lua,
 * with room for the header in front: a frame is one string of Lua, and a
 * message on its way into it costs none.
 */
#include <lauxlib.h>
#include <string.h>

#include "common/args.h"
#include "common/class.h"
#include "common/module.h"
#include "common/options.h"
#include "packing/unpacker.h"
#include "packing/wire.h"

#define TYPE "corolua.packer"

enum { MAX_FRAME = 65536, LEAST_FRAME = 64 };
enum { VALUE_BYTES = 1 }; /* user value of a packer */

struct packer {
	size_t max_frame;  /* a frame of several messages stays within it */
	size_t max_atomic; /* a frame of one message does */
	uint32_t life;
	uint32_t count; /* messages in the buffer */
	uint64_t next;  /* the number of the first of them */
	size_t used;    /* with the header */
	size_t room;
	char *bytes; /* in VALUE_BYTES */
};

/* A message on its way out in fragments; its payload is beside it. */
struct split {
	struct wire_frame frame;
	size_t piece; /* bytes of the message in each frame but the last */
};

static struct packer *check_packer(lua_State *L)
{
	return luaL_checkudata(L, 1, TYPE);
}

/* The longest message that fits a frame. */
static size_t packer_longest(const struct packer *packer)
{
	return packer->max_atomic - WIRE_HEADER - WIRE_LENGTH;
}

/*
 * Room for so many bytes more. The allocation may run a finalizer that uses the
 * packer too: what it left is what counts.
 */
static void packer_reserve(lua_State *L, struct packer *packer, size_t more)
{
	while (packer->used + more > packer->room) {
		size_t need = packer->used + more;
		size_t room = packer->room * 2 > need ? packer->room * 2 : need;
		char *bytes = lua_newuserdatauv(L, room, 0);

		if (packer->used + more > room) {
			lua_pop(L, 1);
			continue;
		}
		if (packer->used > WIRE_HEADER)
			memcpy(bytes, packer->bytes, packer->used);
		lua_setiuservalue(L, 1, VALUE_BYTES);
		packer->bytes = bytes;
		packer->room = room;
	}
}

/* Starts an empty frame; a buffer that one long message grew is given back. */
static void packer_clear(lua_State *L, struct packer *packer)
{
	packer->used = WIRE_HEADER;
	packer->count = 0;
	if (packer->room <= 2 * packer->max_frame)
		return;
	packer->bytes = NULL;
	packer->room = 0;
	lua_pushnil(L);
	lua_setiuservalue(L, 1, VALUE_BYTES);
}

/* Whether a message so long makes the frame larger than it may be. */
static bool packer_is_full(const struct packer *packer, size_t length)
{
	return packer->count > 0 &&
	       packer->used + WIRE_LENGTH + length > packer->max_frame;
}

/* packer:add(payload) -> number | false (full: flush first) */
static int packer_add(lua_State *L)
{
	struct packer *packer = check_packer(L);
	size_t length;
	const char *payload =
		check_bytes(L, 2, "payload", packer_longest(packer), &length);

	if (!packer_is_full(packer, length))
		packer_reserve(L, packer, WIRE_LENGTH + length);
	if (packer_is_full(packer, length)) {
		lua_pushboolean(L, 0);
		return 1;
	}
	wire_put_length(packer->bytes + packer->used, (uint32_t)length);
	memcpy(packer->bytes + packer->used + WIRE_LENGTH, payload, length);
	packer->used += WIRE_LENGTH + length;
	lua_pushinteger(L, (lua_Integer)packer->next + packer->count++);
	return 1;
}

/* The ring stands at arg and the one after it. */
static struct wire_frame packer_frame(lua_State *L, const struct packer *packer,
				      int arg)
{
	return (struct wire_frame){
		.life = packer->life,
		.ring_nodeid = (uint32_t)check_range(
			L, arg, "nodeid of the ring", 0, UINT32_MAX),
		.ring_seq = (uint64_t)luaL_checkinteger(L, arg + 1),
		.first = packer->next,
	};
}

/* Drops the messages of a frame that has been made, and keeps later ones. */
static void packer_advance(lua_State *L, struct packer *packer,
			   const struct wire_frame *frame, size_t size)
{
	size_t rest = packer->used - size;

	packer->next += frame->count;
	packer->count -= frame->count;
	if (rest == 0) {
		packer_clear(L, packer);
		return;
	}
	memmove(packer->bytes + WIRE_HEADER, packer->bytes + size, rest);
	packer->used = WIRE_HEADER + rest;
}

/*
 * packer:flush(ring_nodeid, ring_seq) -> frame, first, count | nil
 *
 * Making the string may run a finalizer that uses the packer too: it may have
 * added messages, which stay, or flushed these.
 */
static int packer_flush(lua_State *L)
{
	struct packer *packer = check_packer(L);
	struct wire_frame frame;
	size_t size;

	do {
		lua_settop(L, 3);
		frame = packer_frame(L, packer, 2);
		if (packer->count == 0)
			return 0;
		frame.kind = WIRE_MESSAGES;
		frame.count = packer->count;
		size = packer->used;
		wire_put_header(packer->bytes, &frame);
		lua_pushlstring(L, packer->bytes, size);
	} while (packer->next != frame.first);
	packer_advance(L, packer, &frame, size);
	lua_pushinteger(L, (lua_Integer)frame.first);
	lua_pushinteger(L, frame.count);
	return 3;
}

/* The iterator of split: upvalues are the payload and the struct split. */
static int split_next(lua_State *L)
{
	size_t length;
	const char *payload = lua_tolstring(L, lua_upvalueindex(1), &length);
	struct split *split = lua_touserdata(L, lua_upvalueindex(2));
	struct wire_frame frame = split->frame;
	size_t piece = length - frame.offset;
	luaL_Buffer buffer;
	char *bytes;

	if (piece == 0)
		return 0;
	if (piece > split->piece)
		piece = split->piece;
	bytes = luaL_buffinitsize(L, &buffer, WIRE_HEADER + WIRE_PLACE + piece);
	wire_put_header(bytes, &frame);
	wire_put_place(bytes + WIRE_HEADER, (uint32_t)length, frame.offset);
	memcpy(bytes + WIRE_HEADER + WIRE_PLACE, payload + frame.offset, piece);
	luaL_pushresultsize(&buffer, WIRE_HEADER + WIRE_PLACE + piece);
	split->frame.offset = frame.offset + (uint32_t)piece;
	return 1;
}

/* packer:split(payload, ring_nodeid, ring_seq) -> iterator of frames, number */
static int packer_split(lua_State *L)
{
	struct packer *packer = check_packer(L);
	struct split *split;
	size_t length;

	check_bytes(L, 2, "payload", UINT32_MAX, &length);
	luaL_argcheck(L, length > 0, 2, "payload must not be empty");
	lua_settop(L, 4);
	lua_pushvalue(L, 2);
	split = lua_newuserdatauv(L, sizeof *split, 0);
	lua_pushvalue(L, -1);
	lua_insert(L, 5);
	lua_pushcclosure(L, split_next, 2);
	/* Only now, as what was pushed may have run a finalizer. */
	if (packer->count > 0)
		return luaL_error(L, "the packer holds messages: flush first");
	split->frame = packer_frame(L, packer, 3);
	split->frame.kind = WIRE_FRAGMENT;
	split->frame.count = 1;
	split->piece = packer->max_frame - WIRE_HEADER - WIRE_PLACE;
	lua_pushinteger(L, (lua_Integer)packer->next++);
	return 2;
}

/* packer:pending() -> count, bytes of the frame they make */
static int packer_pending(lua_State *L)
{
	struct packer *packer = check_packer(L);

	lua_pushinteger(L, packer->count);
	lua_pushinteger(L, (lua_Integer)packer->used);
	return 2;
}

/* packer:longest() -> bytes of the longest message that add takes */
static int packer_longest_get(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)packer_longest(check_packer(L)));
	return 1;
}

static const luaL_Reg methods[] = {
	{"add", packer_add},
	{"flush", packer_flush},
	{"longest", packer_longest_get},
	{"pending", packer_pending},
	{"split", packer_split},
	{NULL, NULL},
};

static void packer_configure(lua_State *L, struct packer *packer)
{
	const struct options options = {L, 1, 1};
	lua_Integer atomic = option_integer(&options, "max_atomic", LEAST_FRAME,
					    WIRE_ATOMIC, WIRE_ATOMIC);
	lua_Integer frame = atomic < MAX_FRAME ? atomic : MAX_FRAME;

	packer->max_atomic = (size_t)atomic;
	packer->max_frame = (size_t)option_integer(&options, "max_frame",
						   LEAST_FRAME, atomic, frame);
	packer->life =
		(uint32_t)option_integer(&options, "life", 0, UINT32_MAX, -1);
	packer->next = 1;
	packer->used = WIRE_HEADER;
}

/*
 * packing.packer({ life =, … }) -> packer
 *
 * A life that was drawn at random is told from the ones before it without
 * anything stored.
 */
static int packer_new(lua_State *L)
{
	static const char *const keys[] = {"life", "max_atomic", "max_frame",
					   NULL};
	const struct options options = {L, 1, 1};
	struct packer *packer;

	luaL_checktype(L, 1, LUA_TTABLE);
	check_keys(&options, "option", keys);
	lua_settop(L, 1);
	packer = lua_newuserdatauv(L, sizeof *packer, 1);
	memset(packer, 0, sizeof *packer);
	packer_configure(L, packer);
	luaL_setmetatable(L, TYPE);
	return 1;
}

static const luaL_Reg functions[] = {
	{"packer", packer_new},
	{"unpacker", unpacker_new},
	{NULL, NULL},
};

MODULE(corolua_packing)
{
	unpacker_register(L);
	register_class(L, TYPE, methods, NULL, NULL);
	luaL_newlib(L, functions);
	return 1;
}
