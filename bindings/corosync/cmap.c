/*
 * corosync.cmap: the daemon's map of keys to typed values. Keys are set on
 * this node alone; the map "stats" is read-only.
 */
#include "corosync/cmap.h"

#include "common/args.h"
#include "common/module.h"
#include "common/status.h"
#include "corosync/cmap_value.h"
#include "corosync/iterate.h"

static const struct name maps[] = {
	{CMAP_MAP_ICMAP, "icmap"},
	{CMAP_MAP_STATS, "stats"},
	{0, NULL},
};

/* The library says "bad handle" for an event of a track that was deleted. */
static cs_error_t map_dispatch(cmap_handle_t id, cs_dispatch_flags_t mode)
{
	cs_error_t err = cmap_dispatch(id, mode);

	return err == CS_ERR_BAD_HANDLE ? CS_OK : err;
}

/* A failure behind the connection leaves it open, so it is always closed. */
static cs_error_t map_connect(struct connection *connection)
{
	cs_error_t err = cmap_initialize_map(&connection->id,
					     (cmap_map_t)connection->flags);

	if (err != CS_OK)
		cmap_finalize(connection->id);
	return err;
}

/*
 * cmap.initialize(map) -> handle | nil, message, code
 *
 * Connects to the local daemon (cmap_initialize_map): to "icmap", which holds
 * the configuration and the state and is meant where no map is named, or to
 * "stats". There are no callbacks, so nothing is left where they would be.
 */
static unsigned int check_map(lua_State *L)
{
	unsigned int map = opt_name(L, 1, "map", maps, CMAP_MAP_ICMAP);

	lua_settop(L, 0);
	return map;
}

static const struct library library = {
	.type = "corosync.cmap",
	.prefix = "cmap",
	.initialize_name = "cmap_initialize_map",
	.kinds = map_kinds,
	.size = sizeof(struct handle),
	.check_flags = check_map,
	.begin = map_track_nothing,
	.connect = map_connect,
	.dispatch = map_dispatch,
	.fd_get = cmap_fd_get,
	.finalize = cmap_finalize,
	.push_handler = map_push_handler,
	.blocking = map_jobs,
	.only_workers = true,
};

static const char *check_key(lua_State *L, int arg)
{
	size_t length;

	return check_text(L, arg, "key", CMAP_KEYNAME_MINLEN,
			  CMAP_KEYNAME_MAXLEN, &length);
}

const char *map_opt_prefix(lua_State *L, int arg, const char *what)
{
	const char *prefix;
	size_t length;

	if (lua_isnoneornil(L, arg))
		return NULL;
	prefix = check_text(L, arg, what, 0, CMAP_KEYNAME_MAXLEN, &length);
	return length > 0 ? prefix : NULL;
}

static int set_value(lua_State *L, const char *call, cmap_value_types_t type)
{
	const struct handle *handle = check_handle(L);
	const char *key = check_key(L, 2);
	struct value value;

	check_value(L, 3, type, &value);
	return push_result(L, call,
			   cmap_set(handle->id, key, value.bytes, value.length,
				    value.type));
}

/*
 * handle:set(key, value, type) -> true | nil, message, code
 *
 * Sets a key to a value of a type, "int8" to "uint64", "float", "double",
 * "string" or "binary", and makes it if need be. A value that its type cannot
 * hold raises; a read-only key gives "ERR_ACCESS".
 */
static int map_set(lua_State *L)
{
	unsigned int type;

	check_handle(L);
	type = check_name(L, 4, "type", value_types);
	return set_value(L, "cmap_set", (cmap_value_types_t)type);
}

/* Pushes value and type; expected is 0 for any type. */
static int get_value(lua_State *L, const char *call,
		     cmap_value_types_t expected)
{
	const struct handle *handle = check_handle(L);
	const char *key = check_key(L, 2);
	char bytes[VALUE_BYTES_MAX + 1];
	size_t length = sizeof bytes;
	cmap_value_types_t type;
	cs_error_t err = cmap_get(handle->id, key, bytes, &length, &type);

	if (err == CS_OK && expected != 0 && type != expected)
		err = CS_ERR_INVALID_PARAM;
	if (err != CS_OK)
		return push_failure(L, call, err);
	push_value(L, type, bytes, length);
	push_name(L, value_types, type);
	return 2;
}

/*
 * handle:get(key) -> value, type | nil, message, code
 *
 * The value of a key and its type. A uint64 from 2^63 on is a negative integer
 * in Lua: compare it with math.ult.
 */
static int map_get(lua_State *L)
{
	return get_value(L, "cmap_get", 0);
}

/* handle:set_int8(key, value) and so on -> true | nil, message, code */
static int map_set_typed(lua_State *L)
{
	return set_value(
		L, lua_tostring(L, lua_upvalueindex(2)),
		(cmap_value_types_t)lua_tointeger(L, lua_upvalueindex(3)));
}

/*
 * handle:get_int8(key) and so on -> value | nil, message, code
 *
 * The value of a key of that type; of any other: "ERR_INVALID_PARAM".
 */
static int map_get_typed(lua_State *L)
{
	int results = get_value(
		L, lua_tostring(L, lua_upvalueindex(2)),
		(cmap_value_types_t)lua_tointeger(L, lua_upvalueindex(3)));

	if (results == 3)
		return 3;
	lua_pop(L, 1);
	return 1;
}

static int call_with_key(lua_State *L, const char *call,
			 cs_error_t (*function)(cmap_handle_t, const char *))
{
	const struct handle *handle = check_handle(L);
	const char *key = check_key(L, 2);

	return push_result(L, call, function(handle->id, key));
}

/* handle:delete(key) -> true | nil, message, code */
static int map_delete(lua_State *L)
{
	return call_with_key(L, "cmap_delete", cmap_delete);
}

/* handle:inc(key) -> true | nil, message, code */
static int map_inc(lua_State *L)
{
	return call_with_key(L, "cmap_inc", cmap_inc);
}

/* handle:dec(key) -> true | nil, message, code */
static int map_dec(lua_State *L)
{
	return call_with_key(L, "cmap_dec", cmap_dec);
}

static cs_error_t push_key(lua_State *L, const struct iteration *iteration)
{
	char key[CMAP_KEYNAME_MAXLEN + 1];
	cmap_value_types_t type;
	cs_error_t err = cmap_iter_next(iteration->handle, iteration->id, key,
					NULL, &type);

	if (err != CS_OK)
		return err;
	lua_pushstring(L, key);
	push_name(L, value_types, type);
	return CS_OK;
}

static void end_iteration(const struct iteration *iteration)
{
	cmap_iter_finalize(iteration->handle, iteration->id);
}

/*
 * handle:iterate(prefix) -> iterator of key, type | nil, message, code
 *
 * The keys that start with prefix, or all, sorted as the daemon keeps them,
 * with the types of their values. The list is complete before the first step,
 * so the map may change meanwhile.
 */
static int map_iterate(lua_State *L)
{
	const struct handle *handle = check_handle(L);
	const char *prefix = map_opt_prefix(L, 2, "prefix");
	struct iteration iteration = {
		.handle = handle->id,
		.width = 2,
		.call = "cmap_iter_next",
		.next = push_key,
		.finalize = end_iteration,
	};
	cs_error_t err = cmap_iter_init(handle->id, prefix, &iteration.id);

	if (err != CS_OK)
		return push_failure(L, "cmap_iter_init", err);
	return push_iterator(L, &iteration);
}

/* Sets a typed method of the table at the top, such as set_int8. */
static void set_typed(lua_State *L, const char *verb, lua_CFunction function,
		      const struct name *type)
{
	lua_pushfstring(L, "%s_%s", verb, type->name);
	lua_pushlightuserdata(L, (void *)&library);
	lua_pushfstring(L, "cmap_%s_%s", verb, type->name);
	lua_pushinteger(L, type->value);
	lua_pushcclosure(L, function, 3);
	lua_rawset(L, -3);
}

/* The typed methods of C, which has none for binary. */
static void register_typed(lua_State *L)
{
	luaL_getmetatable(L, library.type);
	lua_getfield(L, -1, "__index");
	for (const struct name *type = value_types; type->name != NULL;
	     type++) {
		if (type->value == CMAP_VALUETYPE_BINARY)
			continue;
		set_typed(L, "set", map_set_typed, type);
		set_typed(L, "get", map_get_typed, type);
	}
	lua_pop(L, 2);
}

static const luaL_Reg methods[] = {
	{"set", map_set},
	{"get", map_get},
	{"delete", map_delete},
	{"inc", map_inc},
	{"dec", map_dec},
	{"iterate", map_iterate},
	{"track_add", map_track_add},
	{"track_delete", map_track_delete},
	{NULL, NULL},
};

MODULE(corosync_cmap)
{
	open_library(L, &library, methods);
	register_typed(L);
	return 1;
}
