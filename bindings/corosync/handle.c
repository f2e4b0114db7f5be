/*
 * The handle that all libraries share: how it is made, connected, given to a
 * worker and closed. How its events reach Lua is in dispatch.c.
 */
#include "corosync/handle.h"

#include <stddef.h>
#include <string.h>

#include "common/forked.h"
#include "common/handles.h"
#include "common/options.h"
#include "common/status.h"
#include "corosync/connect.h"
#include "corosync/dispatch.h"

#define LIBRARY_FIELD "__library"

enum { KINDS_MOST = 8 };

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

int push_verb_failure(lua_State *L, const struct library *library,
		      const char *verb, cs_error_t err)
{
	lua_pushfstring(L, "%s_%s", library->prefix, verb);
	return push_failure(L, lua_tostring(L, -1), err);
}

int call_plainly(lua_State *L, const char *call,
		 cs_error_t (*function)(uint64_t id))
{
	const struct handle *handle = check_handle(L);

	return push_result(L, call, function(handle->id));
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
		return push_verb_failure(L, handle->library, "fd_get", err);
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
		return push_verb_failure(L, handle->library, "finalize", err);
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

/* The names of the handlers, NULL-ended; how many. */
static int list_handlers(const struct library *library, const char *names[])
{
	int count = 0;

	do
		names[count] = library->kinds[count].handler;
	while (names[count++] != NULL);
	return count - 1;
}

/* Sets the handler of each kind as a user value of the handle at the top. */
static void set_handlers(lua_State *L, struct handle *handle, int callbacks,
			 const char *const names[])
{
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

static struct handle *push_handle(lua_State *L, const struct library *library,
				  int callbacks)
{
	const struct options options = {L, callbacks, callbacks};
	bool given = !lua_isnoneornil(L, callbacks);
	const char *names[KINDS_MOST + 1];
	int kinds = list_handlers(library, names);
	struct handle *handle;

	check_keys(&options, "callback", names);
	handle = lua_newuserdatauv(L, library->size,
				   HANDLER_VALUE + kinds + library->values - 1);
	memset(handle, 0, library->size);
	handle->library = library;
	luaL_setmetatable(L, library->type);
	list_handle(L, -1, false);
	if (given)
		set_handlers(L, handle, callbacks, names);
	return handle;
}

/* Has a trace told of the new handle, if there is one. */
static void begin_life(lua_State *L, struct handle *handle)
{
	const struct tap *tap;

	lua_getfield(L, LUA_REGISTRYINDEX, TAP_KEY);
	tap = lua_touserdata(L, -1);
	lua_pop(L, 1);
	if (tap != NULL)
		handle->life = tap->open(tap, handle->library->has_members);
}

/*
 * library.prepare(callbacks, ...) -> handle
 *
 * The handle of initialize, still closed: corolua.worker connects it.
 */
static int library_prepare(lua_State *L)
{
	const struct library *library = library_of(L);
	unsigned int flags =
		library->check_flags != NULL ? library->check_flags(L) : 0;
	struct handle *handle = push_handle(L, library, 1);

	handle->flags = flags;
	if (library->is_traced)
		begin_life(L, handle);
	if (library->begin != NULL)
		library->begin(L, handle);
	return 1;
}

struct connection handle_connection(const struct handle *handle)
{
	return (struct connection){
		.flags = handle->flags,
		.traced = handle->life != NULL,
	};
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

	if (connection->traced)
		connection->place = connect_place();
	connect_enter(&connecting, &connection->id);
	err = library->connect(connection);
	connect_return(&connecting);
	return err;
}

/* library.initialize(callbacks, ...) -> handle | nil, message, code */
static int library_initialize(lua_State *L)
{
	const struct library *library = library_of(L);
	struct connection connection;
	struct handle *handle;
	cs_error_t err;

	library_prepare(L);
	handle = lua_touserdata(L, -1);
	connection = handle_connection(handle);
	err = handle_connect(library, &connection);
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

int push_job(lua_State *L, struct handle *handle, const struct job *job)
{
	if (job->blocking->push != NULL)
		return job->blocking->push(L, handle, job);
	lua_pushboolean(L, 1);
	return 1;
}

/* The handle comes last, as the arguments may have run a finalizer. */
int call_on_the_spot(lua_State *L, const struct blocking *blocking)
{
	struct handle *handle = check_handle(L);
	union {
		struct job job;
		max_align_t most[JOB_MOST / sizeof(max_align_t)];
	} room;
	cs_error_t err;

	memset(&room, 0, blocking->size);
	room.job = (struct job){
		.library = handle->library,
		.blocking = blocking,
	};
	blocking->check(L, 2, handle, &room.job);
	handle = check_handle(L);
	room.job.id = handle->id;
	err = blocking->run(&room.job);
	if (err != CS_OK)
		return push_failure(L, blocking->call, err);
	return push_job(L, handle, &room.job);
}

/* The method of a blocking call, which is the third upvalue. */
static int call_blocking(lua_State *L)
{
	return call_on_the_spot(L, lua_touserdata(L, lua_upvalueindex(3)));
}

/* Sets functions that have the library and its metatable as upvalues. */
static void set_functions(lua_State *L, const struct library *library,
			  const luaL_Reg functions[])
{
	lua_pushlightuserdata(L, (void *)library);
	luaL_getmetatable(L, library->type);
	luaL_setfuncs(L, functions, 2);
}

static void set_blocking(lua_State *L, const struct library *library)
{
	const struct blocking *blocking = library->blocking;

	if (library->only_workers)
		return;
	for (; blocking != NULL && blocking->name != NULL; blocking++) {
		lua_pushlightuserdata(L, (void *)library);
		luaL_getmetatable(L, library->type);
		lua_pushlightuserdata(L, (void *)blocking);
		lua_pushcclosure(L, call_blocking, 3);
		lua_setfield(L, -2, blocking->name);
	}
}

static const luaL_Reg library_functions[] = {
	{"initialize", library_initialize},
	{"prepare", library_prepare},
	{NULL, NULL},
};

static void register_library(lua_State *L, const struct library *library,
			     const luaL_Reg methods[])
{
	dispatch_register(L);
	luaL_newmetatable(L, library->type);
	lua_pushlightuserdata(L, (void *)library);
	lua_setfield(L, -2, LIBRARY_FIELD);
	set_functions(L, library, metamethods);
	lua_newtable(L);
	set_functions(L, library, common_methods);
	set_blocking(L, library);
	set_functions(L, library, methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

int open_library(lua_State *L, const struct library *library,
		 const luaL_Reg methods[])
{
	register_library(L, library, methods);
	lua_newtable(L);
	set_functions(L, library, library_functions);
	if (library->blocking == NULL) {
		lua_pushnil(L);
		lua_setfield(L, -2, "prepare");
	}
	return 1;
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
