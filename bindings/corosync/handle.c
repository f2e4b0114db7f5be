/*
 * The handle that all libraries share: how it is made, connected, given to a
 * worker and closed. How its events reach Lua is in dispatch.c.
 */
#include "corosync/handle.h"

#include <string.h>

#include "common/args.h"
#include "common/forked.h"
#include "common/status.h"
#include "common/weak.h"
#include "corosync/connect.h"
#include "corosync/dispatch.h"

#define HANDLES_KEY "corosync.handles"
#define LIBRARY_FIELD "__library"

/*
 * Keeps the list of handles and whether they are open, for a program that ends
 * in good order. A handle is in it for life, so that no memory is needed once
 * there is a connection to lose.
 */
static void list_handle(lua_State *L, int index, bool open)
{
	index = lua_absindex(L, index);
	push_weak(L, HANDLES_KEY, "k");
	lua_pushvalue(L, index);
	lua_pushboolean(L, open);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

/* A trace is told of its end once. */
static void end_life(struct handle *handle)
{
	struct life *life = handle->life;

	handle->life = NULL;
	if (life != NULL)
		life->tap->close(life);
}

void handle_become(lua_State *L, int index, enum handle_state state)
{
	struct handle *handle = lua_touserdata(L, index);

	handle->state = state;
	if (state == HANDLE_OPEN)
		handle->forks = fork_depth();
	if (state == HANDLE_CLOSED)
		end_life(handle);
	list_handle(L, index, state == HANDLE_OPEN);
}

static const struct library *library_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* Compares with the metatable in the second upvalue, without a look-up. */
static bool is_self(lua_State *L)
{
	bool is;

	if (!lua_getmetatable(L, 1))
		return false;
	is = lua_rawequal(L, -1, lua_upvalueindex(2));
	lua_pop(L, 1);
	return is;
}

static struct handle *check_self(lua_State *L)
{
	if (!is_self(L))
		return luaL_checkudata(L, 1, library_of(L)->type);
	return lua_touserdata(L, 1);
}

void *check_handle(lua_State *L)
{
	struct handle *handle = check_self(L);

	if (handle->state != HANDLE_OPEN)
		luaL_error(L, "the %s handle is closed", handle->library->type);
	if (handle->forks != fork_depth())
		luaL_error(L, "the %s handle is of the process that forked",
			   handle->library->type);
	return handle;
}

/*
 * handle:pending() -> integer
 *
 * How many events were read and not yet handled; the fd does not show them.
 */
static int handle_pending(lua_State *L)
{
	const struct handle *handle = check_handle(L);

	lua_pushinteger(L, (lua_Integer)handle->events.count);
	return 1;
}

/*
 * handle:fd_get() -> integer | nil, message, code
 *
 * The descriptor that is readable while there is something to dispatch. It is
 * for poll alone: reading or closing it breaks the connection.
 */
static int handle_fd_get(lua_State *L)
{
	const struct handle *handle = check_handle(L);
	int fd;
	cs_error_t err = handle->library->fd_get(handle->id, &fd);

	if (err != CS_OK)
		return push_failure(L, handle->library->fd_get_name, err);
	lua_pushinteger(L, fd);
	return 1;
}

/* What a worker has is finalized as soon as it comes back. */
static cs_error_t handle_close(lua_State *L, struct handle *handle)
{
	bool connected =
		handle->state == HANDLE_OPEN && handle->forks == fork_depth();

	events_clear(&handle->events);
	taken_free(&handle->spare);
	handle_become(L, 1, HANDLE_CLOSED);
	return connected ? handle->library->finalize(handle->id) : CS_OK;
}

/*
 * handle:finalize() -> true | nil, message, code
 *
 * Closes the connection; also done by <close> and by the collector, and
 * harmless when repeated. With the daemon gone it counts as done.
 */
static int handle_finalize(lua_State *L)
{
	struct handle *handle = check_self(L);
	cs_error_t err = handle_close(L, handle);

	if (err != CS_OK && err != CS_ERR_LIBRARY)
		return push_failure(L, handle->library->finalize_name, err);
	lua_pushboolean(L, 1);
	return 1;
}

static int handle_tostring(lua_State *L)
{
	const struct handle *handle = check_self(L);

	lua_pushfstring(L, "%s handle%s: %p", handle->library->type,
			handle->state == HANDLE_OPEN ? "" : " (closed)",
			(const void *)handle);
	return 1;
}

static const luaL_Reg common_methods[] = {
	{"dispatch", handle_dispatch},
	{"pending", handle_pending},
	{"fd_get", handle_fd_get},
	{"finalize", handle_finalize},
	{NULL, NULL},
};

static const luaL_Reg metamethods[] = {
	{"__gc", handle_finalize},
	{"__close", handle_finalize},
	{"__tostring", handle_tostring},
	{NULL, NULL},
};

void handle_setfuncs(lua_State *L, const struct library *library,
		     const luaL_Reg functions[])
{
	lua_pushlightuserdata(L, (void *)library);
	luaL_getmetatable(L, library->type);
	luaL_setfuncs(L, functions, 2);
}

void handle_register(lua_State *L, const struct library *library,
		     const luaL_Reg methods[])
{
	dispatch_register(L);
	luaL_newmetatable(L, library->type);
	lua_pushlightuserdata(L, (void *)library);
	lua_setfield(L, -2, LIBRARY_FIELD);
	handle_setfuncs(L, library, metamethods);
	lua_newtable(L);
	handle_setfuncs(L, library, common_methods);
	handle_setfuncs(L, library, methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

/* Sets the handler of each kind as a user value of the handle at the top. */
static void set_handlers(lua_State *L, struct handle *handle, int callbacks)
{
	const char *const *names = handle->library->handlers;

	for (int kind = 0; names[kind] != NULL; kind++) {
		if (lua_getfield(L, callbacks, names[kind]) == LUA_TFUNCTION)
			handle->handlers |= 1U << kind;
		else if (!lua_isnil(L, -1))
			luaL_error(L,
				   "callback '%s' must be a function, "
				   "got %s",
				   names[kind], luaL_typename(L, -1));
		lua_setiuservalue(L, -2, HANDLER_VALUE + kind);
	}
}

void *push_handle(lua_State *L, const struct library *library, size_t size,
		  int callbacks)
{
	struct handle *handle;
	bool given = !lua_isnoneornil(L, callbacks);
	int kinds = 0;

	check_keys(L, callbacks, "callback", library->handlers);
	while (library->handlers[kinds] != NULL)
		kinds++;
	handle = lua_newuserdatauv(L, size,
				   HANDLER_VALUE + kinds + library->values - 1);
	memset(handle, 0, size);
	handle->library = library;
	luaL_setmetatable(L, library->type);
	list_handle(L, -1, false);
	if (given)
		set_handlers(L, handle, callbacks);
	return handle;
}

bool handle_trace(lua_State *L, struct handle *handle,
		  const struct library *traced, bool is_member)
{
	const struct tap *tap;

	lua_getfield(L, LUA_REGISTRYINDEX, TAP_KEY);
	tap = lua_touserdata(L, -1);
	lua_pop(L, 1);
	if (tap == NULL)
		return false;
	handle->life = tap->open(tap, is_member);
	if (handle->life == NULL)
		return false;
	handle->library = traced;
	return true;
}

void handle_has_connected(struct handle *handle,
			  const struct connection *connection)
{
	if (handle->life != NULL)
		handle->life->place = connection->place;
}

cs_error_t handle_connect(const struct library *library,
			  struct connection *connection)
{
	struct connecting connecting;
	cs_error_t err;

	connect_enter(&connecting, &connection->id);
	err = library->connect(connection);
	connect_return(&connecting);
	return err;
}

int handle_initialize(lua_State *L, struct handle *handle)
{
	const struct library *library = handle->library;
	struct connection connection = {.flags = handle->flags};
	cs_error_t err = handle_connect(library, &connection);

	if (err != CS_OK)
		return push_failure(L, library->initialize_name, err);
	handle->id = connection.id;
	handle_has_connected(handle, &connection);
	handle_become(L, -1, HANDLE_OPEN);
	if (library->push_type == NULL)
		return 1;
	library->push_type(L, connection.type);
	return 2;
}

struct handle *check_any_handle(lua_State *L, int index)
{
	struct handle *handle = lua_touserdata(L, index);

	if (handle == NULL ||
	    luaL_getmetafield(L, index, LIBRARY_FIELD) == LUA_TNIL)
		luaL_typeerror(L, index, "handle");
	lua_pop(L, 1);
	return handle;
}
