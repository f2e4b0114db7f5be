/*
 * The receiving end of a packed group: what came from each member, which
 * numbers are missing, and the message that is being put together from
 * fragments. Peers are not trusted: whatever they send gives a result and
 * never an error, and holds no more memory than max_message for each of them.
 *
 * Memory comes from Lua as userdata, so that it counts for the limit of the
 * state and is the collector's to free, whatever raises.
 */
#include "packing/unpacker.h"

#include "common/class.h"
#include "common/options.h"
#include "corosync/ring.h"
#include "packing/wire.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#define TYPE "corolua.unpacker"

enum { MAX_MESSAGE = 16 * 1024 * 1024, MOST_MESSAGE = 0x40000000 };
enum { VALUE_SENDERS = 1, VALUE_RING = 2 }; /* user values of an unpacker */
enum { VALUE_BYTES = 1 };                   /* user value of a sender */

struct unpacker {
	uint32_t max_message;
	uint32_t ring_nodeid; /* of the table in VALUE_RING */
	uint64_t ring_seq;
};

/* What is remembered of one member. */
struct sender {
	uint32_t life;
	bool known;    /* last and told are valid in this life */
	bool partial;  /* the message after last is being put together */
	uint64_t last; /* no number up to it is expected any more */
	uint64_t told; /* what became of those up to it has been told */
	uint32_t total;
	uint32_t ring_nodeid; /* where the partial message was sent in */
	uint64_t ring_seq;
	size_t have; /* bytes of the partial message */
	size_t room;
	char *bytes; /* in VALUE_BYTES */
};

static int push_malformed(lua_State *L, const char *why)
{
	lua_pushnil(L);
	lua_pushstring(L, why);
	return 2;
}

/* Pushes one table for as long as frames come from one ring. */
static void push_sent_in(lua_State *L, struct unpacker *unpacker,
			 uint32_t nodeid, uint64_t seq)
{
	if (lua_getiuservalue(L, 1, VALUE_RING) == LUA_TTABLE &&
	    unpacker->ring_nodeid == nodeid && unpacker->ring_seq == seq)
		return;
	lua_pop(L, 1);
	push_ring(L, nodeid, seq);
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, 1, VALUE_RING);
	unpacker->ring_nodeid = nodeid;
	unpacker->ring_seq = seq;
}

/* Pushes the numbers that are missing before first, if any; how many values. */
static int push_gap(lua_State *L, const struct sender *sender, uint64_t first)
{
	if (!sender->known || first <= sender->told + 1)
		return 0;
	lua_pushinteger(L, (lua_Integer)sender->told + 1);
	lua_pushinteger(L, (lua_Integer)(first - 1));
	return 2;
}

/* To be called when nothing is pushed any more that needs memory: what found
 * none is in the next gap. */
static void sender_tell(struct sender *sender, uint64_t number)
{
	if (number > sender->told)
		sender->told = number;
}

/* In a life no number of which has been told, none before first is missing. */
static void sender_know(struct sender *sender, uint64_t first)
{
	if (!sender->known)
		sender->last = sender->told = first - 1;
	sender->known = true;
}

static bool sender_is_past(const struct sender *sender, uint64_t first)
{
	return sender->known && first <= sender->last;
}

/* Gives up the partial message; index is where the sender stands. */
static void sender_release(lua_State *L, struct sender *sender, int index)
{
	if (!sender->partial)
		return;
	sender->partial = false;
	sender->bytes = NULL;
	sender->have = sender->room = 0;
	lua_pushnil(L);
	lua_setiuservalue(L, index, VALUE_BYTES);
}

/* Pushes the sender of the member at index 2, and makes it at first sight. */
static struct sender *push_sender(lua_State *L)
{
	struct sender *sender;

	lua_getiuservalue(L, 1, VALUE_SENDERS);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, -2) == LUA_TUSERDATA) {
		sender = lua_touserdata(L, -1);
		lua_replace(L, -2);
		return sender;
	}
	lua_pop(L, 1);
	sender = lua_newuserdatauv(L, sizeof *sender, 1);
	memset(sender, 0, sizeof *sender);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, -2);
	lua_rawset(L, -4);
	lua_replace(L, -2);
	return sender;
}

/* A member that joined again counts from anew. */
static void sender_live(lua_State *L, struct sender *sender, uint32_t life)
{
	if (sender->life == life)
		return;
	sender_release(L, sender, lua_gettop(L));
	sender->known = false;
	sender->life = life;
}

/* Whether the piece is the next one of the message that is partly here. */
static bool sender_expects(const struct sender *sender,
			   const struct wire_frame *frame)
{
	return sender->partial && frame->first == sender->last + 1 &&
	       frame->total == sender->total && frame->offset == sender->have;
}

/*
 * Grows by doubling: what is claimed is not yet what is allocated. False if a
 * finalizer that the allocation ran has read the piece, or parked its member.
 */
static bool sender_reserve(lua_State *L, struct sender *sender,
			   const struct wire_frame *frame)
{
	size_t need = sender->have + frame->length;
	size_t room = sender->room * 2;
	char *bytes;

	if (sender->bytes != NULL && need <= sender->room)
		return true;
	if (room > sender->total)
		room = sender->total;
	if (room < need)
		room = need;
	bytes = lua_newuserdatauv(L, room, 0);
	if (!sender_expects(sender, frame)) {
		lua_pop(L, 1);
		return false;
	}
	if (sender->bytes != NULL)
		memcpy(bytes, sender->bytes, sender->have);
	lua_setiuservalue(L, -2, VALUE_BYTES);
	sender->bytes = bytes;
	sender->room = room;
	return true;
}

static void push_messages(lua_State *L, struct wire_frame *frame)
{
	lua_createtable(L, (int)frame->count, 0);
	for (uint32_t i = 1; i <= frame->count; i++) {
		size_t length;
		const char *message = wire_next(frame, &length);

		lua_pushlstring(L, message, length);
		lua_rawseti(L, -2, (lua_Integer)i);
	}
}

/* Nothing counts as read before it has been pushed, so that a gap tells of what
 * found no memory. */
static int take_messages(lua_State *L, struct unpacker *unpacker,
			 struct sender *sender, struct wire_frame *frame)
{
	const struct sender before = *sender;
	uint64_t last = frame->first + frame->count - 1;
	int values = 3;

	sender_release(L, sender, lua_gettop(L));
	push_messages(L, frame);
	lua_pushinteger(L, (lua_Integer)frame->first);
	push_sent_in(L, unpacker, frame->ring_nodeid, frame->ring_seq);
	/* A finalizer may have read what comes after it. */
	if (sender->life != frame->life)
		return values + push_gap(L, &before, frame->first);
	values += push_gap(L, sender, frame->first);
	sender_know(sender, frame->first);
	if (last > sender->last)
		sender->last = last;
	sender_tell(sender, last);
	return values;
}

/*
 * Pushes the message if it is whole, else false; the sender is on top. The
 * bytes stay on the stack, whatever a finalizer does to the sender.
 */
static void push_whole(lua_State *L, struct sender *sender)
{
	int index = lua_gettop(L);
	const char *bytes = sender->bytes;
	size_t total = sender->total;

	if (sender->have < total) {
		lua_pushboolean(L, 0);
		return;
	}
	lua_getiuservalue(L, index, VALUE_BYTES);
	lua_createtable(L, 1, 0);
	lua_pushlstring(L, bytes, total);
	lua_rawseti(L, -2, 1);
	lua_remove(L, -2);
	if (sender->bytes != bytes)
		return;
	sender_release(L, sender, index);
	sender->last++;
}

/* Nothing is delivered; how many values say so. */
static int push_skipped(lua_State *L, struct sender *sender)
{
	sender_release(L, sender, lua_gettop(L));
	lua_pushboolean(L, 0);
	return 1;
}

static int push_progress(lua_State *L, struct unpacker *unpacker,
			 struct sender *sender, const struct wire_frame *frame)
{
	const struct sender before = *sender;
	int values = 3;

	if (!sender_reserve(L, sender, frame))
		return push_skipped(L, sender);
	memcpy(sender->bytes + sender->have, frame->body, frame->length);
	sender->have += frame->length;
	push_whole(L, sender);
	lua_pushinteger(L, (lua_Integer)frame->first);
	push_sent_in(L, unpacker, before.ring_nodeid, before.ring_seq);
	if (sender->life != frame->life)
		return values + push_gap(L, &before, frame->first);
	values += push_gap(L, sender, frame->first);
	/* The number of a message is told once that is whole. */
	sender_tell(sender, lua_toboolean(L, -values) ? frame->first
						      : frame->first - 1);
	return values;
}

static int begin_run(lua_State *L, struct unpacker *unpacker,
		     struct sender *sender, const struct wire_frame *frame)
{
	sender_release(L, sender, lua_gettop(L));
	if (frame->total > unpacker->max_message)
		return push_malformed(L, "a message is over max_message");
	sender_know(sender, frame->first);
	sender->partial = true;
	sender->last = frame->first - 1;
	sender->total = frame->total;
	sender->ring_nodeid = frame->ring_nodeid;
	sender->ring_seq = frame->ring_seq;
	return push_progress(L, unpacker, sender, frame);
}

/*
 * A piece that does not follow what is here has lost its beginning: to
 * somebody who joined in the middle, or at a merge. It is skipped, and the
 * next message tells that its number is missing.
 */
static int continue_run(lua_State *L, struct unpacker *unpacker,
			struct sender *sender, const struct wire_frame *frame)
{
	if (sender_expects(sender, frame))
		return push_progress(L, unpacker, sender, frame);
	return push_skipped(L, sender);
}

static struct unpacker *check_unpacker(lua_State *L)
{
	return luaL_checkudata(L, 1, TYPE);
}

static struct unpacker *check_member(lua_State *L)
{
	struct unpacker *unpacker = check_unpacker(L);

	luaL_argcheck(L, !lua_isnoneornil(L, 2), 2, "a member was expected");
	return unpacker;
}

/*
 * unpacker:read(member, bytes)
 *   -> payloads | false, first, ring, gap_first | nil, gap_last | nil
 *   -> nil, why
 */
static int unpacker_read(lua_State *L)
{
	struct unpacker *unpacker = check_member(L);
	struct wire_frame frame;
	struct sender *sender;
	const char *why;
	size_t length;
	const char *bytes = luaL_checklstring(L, 3, &length);

	why = wire_open(&frame, bytes, length);
	if (why != NULL)
		return push_malformed(L, why);
	sender = push_sender(L);
	sender_live(L, sender, frame.life);
	if (sender_is_past(sender, frame.first))
		return push_malformed(L, "numbers that have been come again");
	if (frame.kind == WIRE_MESSAGES)
		return take_messages(L, unpacker, sender, &frame);
	if (frame.offset == 0)
		return begin_run(L, unpacker, sender, &frame);
	return continue_run(L, unpacker, sender, &frame);
}

/* unpacker:park(member): out of reach; its numbers are kept */
static int unpacker_park(lua_State *L)
{
	check_member(L);
	lua_getiuservalue(L, 1, VALUE_SENDERS);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, -2) == LUA_TUSERDATA)
		sender_release(L, lua_touserdata(L, -1), lua_gettop(L));
	return 0;
}

/* unpacker:forget(member): it has left */
static int unpacker_forget(lua_State *L)
{
	check_member(L);
	lua_getiuservalue(L, 1, VALUE_SENDERS);
	lua_pushvalue(L, 2);
	lua_pushnil(L);
	lua_rawset(L, -3);
	return 0;
}

static const luaL_Reg methods[] = {
	{"forget", unpacker_forget},
	{"park", unpacker_park},
	{"read", unpacker_read},
	{NULL, NULL},
};

int unpacker_new(lua_State *L)
{
	static const char *const keys[] = {"max_message", NULL};
	const struct options options = {L, 1, 1};
	struct unpacker *unpacker;

	check_keys(&options, "option", keys);
	lua_settop(L, 1);
	unpacker = lua_newuserdatauv(L, sizeof *unpacker, 2);
	memset(unpacker, 0, sizeof *unpacker);
	unpacker->max_message = (uint32_t)option_integer(
		&options, "max_message", 0, MOST_MESSAGE, MAX_MESSAGE);
	lua_newtable(L);
	lua_setiuservalue(L, -2, VALUE_SENDERS);
	luaL_setmetatable(L, TYPE);
	return 1;
}

void unpacker_register(lua_State *L)
{
	register_class(L, TYPE, methods, NULL, NULL);
}
