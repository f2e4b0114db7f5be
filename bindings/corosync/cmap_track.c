/*
 * The tracks of corosync.cmap: which changes of which keys the daemon tells,
 * and what their handlers are called with once cmap_dispatch has returned.
 */
#include "corosync/cmap.h"

#include <string.h>

#include "common/args.h"
#include "common/status.h"
#include "corosync/cmap_value.h"
#include "corosync/dispatch.h"

/* All tracks of a handle share one kind; which handler is told by the track. */
enum kind { KIND_NOTIFY };

/* The user value that holds the handlers of a handle by track. */
enum { TRACKS = HANDLER_VALUE + KIND_NOTIFY };

static const struct name changes[] = {
	{CMAP_TRACK_ADD, "add"},
	{CMAP_TRACK_DELETE, "delete"},
	{CMAP_TRACK_MODIFY, "modify"},
	{CMAP_TRACK_PREFIX, "prefix"},
	{0, NULL},
};

struct side {
	cmap_value_types_t type;
	size_t length; /* 0 where there is no value */
};

struct notify {
	struct event event;
	cmap_track_handle_t track;
	unsigned int change;
	char key[CMAP_KEYNAME_MAXLEN + 1];
	struct side new;
	struct side old;
	char bytes[]; /* the new value, then the old one */
};

static void push_side(lua_State *L, const struct side *side, const char *bytes)
{
	if (side->type == 0)
		lua_pushnil(L);
	else
		push_value(L, side->type, bytes, side->length);
}

static int push_notify(lua_State *L, const struct event *event)
{
	const struct notify *notify = (const void *)event;
	const struct side *side =
		notify->new.type != 0 ? &notify->new : &notify->old;

	push_name(L, changes, notify->change);
	lua_pushstring(L, notify->key);
	push_side(L, &notify->new, notify->bytes);
	push_side(L, &notify->old, notify->bytes + notify->new.length);
	push_name(L, value_types, side->type);
	return 5;
}

const struct event_kind map_kinds[] = {
	[KIND_NOTIFY] = {"notify", push_notify},
	{NULL, NULL},
};

void map_push_handler(lua_State *L, const struct event *event)
{
	const struct notify *notify = (const void *)event;

	lua_getiuservalue(L, 1, TRACKS);
	lua_rawgeti(L, -1, (lua_Integer)notify->track);
	lua_remove(L, -2);
}

static char *add_side(char *end, struct side *side,
		      const struct cmap_notify_value *value)
{
	side->type = value->type;
	side->length = value->len;
	if (value->len > 0)
		memcpy(end, value->data, value->len);
	return end + value->len;
}

/*
 * What was not there before an add, or is not any more after a delete, is left
 * out by the change: the map "stats" gives a type and a value for it.
 */
static void on_notify(cmap_handle_t id, cmap_track_handle_t track,
		      int32_t change, const char *key,
		      struct cmap_notify_value new,
		      struct cmap_notify_value old, void *unused)
{
	struct notify *notify = handle_add_event(
		KIND_NOTIFY, sizeof *notify + new.len + old.len);
	char *end;

	(void)id;
	(void)unused;
	if (notify == NULL)
		return;
	notify->track = track;
	notify->change = (unsigned int)change;
	notify->new = notify->old = (struct side){0};
	memcpy(notify->key, key, strnlen(key, CMAP_KEYNAME_MAXLEN) + 1);
	notify->key[CMAP_KEYNAME_MAXLEN] = '\0';
	end = notify->bytes;
	if (change != CMAP_TRACK_DELETE)
		end = add_side(end, &notify->new, &new);
	if (change != CMAP_TRACK_ADD)
		add_side(end, &notify->old, &old);
}

static int32_t check_changes(lua_State *L, int arg)
{
	unsigned int flags = 0;
	lua_Integer count;

	luaL_checktype(L, arg, LUA_TTABLE);
	count = luaL_len(L, arg);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_geti(L, arg, i);
		lua_insert(L, arg);
		flags |= check_name(L, arg, "change", changes);
		lua_remove(L, arg);
	}
	if ((flags & ~(unsigned int)CMAP_TRACK_PREFIX) == 0)
		luaL_argerror(L, arg,
			      "\"add\", \"delete\" or \"modify\" expected");
	return (int32_t)flags;
}

/* tracks[track] = handler, called protected: without memory for it the daemon
 * must not go on telling. */
static int set_track(lua_State *L)
{
	lua_rawset(L, 1);
	return 0;
}

/*
 * handle:track_add(key, { "add", "delete", "modify", "prefix" }, handler)
 *   -> track | nil, message, code
 *
 * Calls handler(handle, change, key, new, old, type) from dispatch on each
 * listed change of the key, or with "prefix" of all keys that start with it.
 * new is nil after a delete and old after an add.
 */
int map_track_add(lua_State *L)
{
	const char *key = map_opt_prefix(L, 2, "key");
	int32_t flags = check_changes(L, 3);
	/* Last, as the table may have run whatever its metatable says. */
	const struct handle *handle = check_handle(L);
	cmap_track_handle_t track;
	cs_error_t err;

	luaL_checktype(L, 4, LUA_TFUNCTION);
	lua_settop(L, 4);
	err = cmap_track_add(handle->id, key, flags, on_notify, NULL, &track);
	if (err != CS_OK)
		return push_failure(L, "cmap_track_add", err);
	lua_pushcfunction(L, set_track);
	lua_getiuservalue(L, 1, TRACKS);
	lua_pushinteger(L, (lua_Integer)track);
	lua_pushvalue(L, 4);
	if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
		cmap_track_delete(handle->id, track);
		return lua_error(L);
	}
	lua_pushinteger(L, (lua_Integer)track);
	return 1;
}

/*
 * handle:track_delete(track) -> true | nil, message, code
 *
 * Ends a track; its handler is not called again, also for changes that were
 * read and not yet handled.
 */
cs_error_t map_track_delete(lua_State *L)
{
	lua_Integer track =
		check_range(L, 2, "track", LUA_MININTEGER, LUA_MAXINTEGER);
	cs_error_t err =
		cmap_track_delete(check_id(L), (cmap_track_handle_t)track);

	if (err != CS_OK)
		return err;
	lua_getiuservalue(L, 1, TRACKS);
	lua_pushnil(L);
	lua_rawseti(L, -2, track);
	lua_pop(L, 1);
	return CS_OK;
}

void map_track_nothing(lua_State *L, struct handle *handle)
{
	lua_newtable(L);
	lua_setiuservalue(L, -2, TRACKS);
	handle->handlers = 1U << KIND_NOTIFY;
}
