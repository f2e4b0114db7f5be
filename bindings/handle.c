/*
 * The handle that all libraries share. Events are taken from the library one
 * at a time with CS_DISPATCH_ONE_NONBLOCKING, which copies them into the
 * queue; Lua runs after the library has returned, so that a handler may raise,
 * finalize its own handle or dispatch again.
 *
 * Callbacks find their handle in a thread-local variable that is set around
 * the call of the library: cfg has no context of its own, and so all five
 * libraries are served alike.
 */
#include "handle.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "args.h"
#include "forked.h"
#include "limit.h"
#include "status.h"
#include "weak.h"

#define HANDLES_KEY "corosync.handles"
#define LIBRARY_FIELD "__library"

enum {
	BATCH_EVENTS = 256,          /* of one dispatch("all") */
	BATCH_BYTES = 1024 * 1024,   /* held in the queue at a time */
	BATCH_NANOSECONDS = 5000000, /* of one dispatch("all") */
};

enum mode { MODE_ONE, MODE_ALL, MODE_BLOCKING, MODE_ONE_NONBLOCKING };

static const struct name modes[] = {
	{MODE_ONE, "one"},
	{MODE_ALL, "all"},
	{MODE_BLOCKING, "blocking"},
	{MODE_ONE_NONBLOCKING, "one_nonblocking"},
	{0, NULL},
};

static _Thread_local struct handle *dispatching;

struct handle *handle_dispatching(void)
{
	return dispatching;
}

bool handle_wants(const struct handle *handle, int kind)
{
	return (handle->handlers >> kind & 1U) != 0;
}

void *handle_add_event(int kind, size_t size)
{
	if (!handle_wants(dispatching, kind))
		return NULL;
	return events_add(&dispatching->events, kind, size);
}

/* Keeps the list of open handles, for a program that ends in good order. */
static void list_handle(lua_State *L, int index, bool open)
{
	index = lua_absindex(L, index);
	push_weak(L, HANDLES_KEY, "k");
	lua_pushvalue(L, index);
	if (open)
		lua_pushboolean(L, 1);
	else
		lua_pushnil(L);
	lua_rawset(L, -3);
	lua_pop(L, 1);
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

	if (!handle->open)
		luaL_error(L, "the %s handle is closed", handle->library->type);
	if (handle->forks != fork_depth())
		luaL_error(L, "the %s handle is of the process that forked",
			   handle->library->type);
	return handle;
}

/* Takes one event from the library into the queue. */
static cs_error_t handle_read(struct handle *handle)
{
	struct handle *before = dispatching;
	cs_error_t err;

	dispatching = handle;
	err = handle->library->dispatch(handle->id,
					CS_DISPATCH_ONE_NONBLOCKING);
	dispatching = before;
	if (err == CS_OK && handle->events.lost) {
		handle->events.lost = false;
		return CS_ERR_NO_MEMORY;
	}
	return err;
}

/* Fills an empty queue; CS_ERR_TRY_AGAIN where the library has no more. */
static cs_error_t handle_fill(struct handle *handle, size_t most)
{
	cs_error_t err = CS_OK;

	while (err == CS_OK && handle->events.count < most &&
	       handle->events.tail < BATCH_BYTES)
		err = handle_read(handle);
	return err;
}

/* false for an event that nobody wants any more. */
static bool push_handler(lua_State *L, const struct library *library,
			 const struct event *event)
{
	if (library->push_handler == NULL)
		lua_getiuservalue(L, 1, event->kind + 1);
	else
		library->push_handler(L, event);
	if (!lua_isnil(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

/*
 * Calls the handler of the first event; false if it has none any more. The
 * event leaves the queue before the call, and after all that may fail for want
 * of memory.
 */
static bool handle_call(lua_State *L, struct handle *handle,
			struct limit *limit)
{
	const struct event *event = events_first(&handle->events);
	lua_State *before;
	int arguments;

	if (!push_handler(L, handle->library, event)) {
		events_drop_first(&handle->events);
		return false;
	}
	lua_pushvalue(L, 1);
	arguments = handle->library->push_event(L, event);
	events_drop_first(&handle->events);
	if (limit == NULL) {
		lua_call(L, arguments + 1, 0);
		return true;
	}
	before = limit_enter(limit, L);
	lua_call(L, arguments + 1, 0);
	limit_leave(limit, L, before);
	return true;
}

static int64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/*
 * One round of dispatch("all"): false in *more once the library has nothing
 * left. A handler may dispatch too, so the queue may be empty at any time.
 */
static cs_error_t handle_all(lua_State *L, struct handle *handle,
			     struct limit *limit, bool *more)
{
	int64_t end = nanoseconds() + BATCH_NANOSECONDS;
	cs_error_t err = CS_OK;

	for (int left = BATCH_EVENTS; left > 0; left--) {
		if (handle->events.count == 0 && err == CS_OK)
			err = handle_fill(handle, (size_t)left);
		if (handle->events.count == 0)
			break;
		handle_call(L, handle, limit);
		if (!handle->open || nanoseconds() >= end)
			break;
	}
	*more = handle->open && (handle->events.count > 0 || err == CS_OK);
	if (*more || !handle->open || err == CS_ERR_TRY_AGAIN)
		return CS_OK;
	return err;
}

/* The tick of the handler limit is not a signal that ends a wait. */
static cs_error_t handle_wait(struct handle *handle)
{
	struct pollfd pollfd = {.events = POLLIN};
	sigset_t mask;
	cs_error_t err = handle->library->fd_get(handle->id, &pollfd.fd);

	if (err != CS_OK)
		return err;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	sigaddset(&mask, SIGVTALRM);
	if (ppoll(&pollfd, 1, NULL, &mask) >= 0)
		return CS_OK;
	return errno == EINTR ? CS_ERR_INTERRUPT : CS_ERR_LIBRARY;
}

/* One event: waits for it, or says CS_ERR_TRY_AGAIN where it must not. */
static cs_error_t handle_one(lua_State *L, struct handle *handle,
			     struct limit *limit, bool wait)
{
	cs_error_t err = CS_OK;
	bool called = false;

	while (!called && err == CS_OK) {
		if (handle->events.count == 0)
			err = handle_fill(handle, 1);
		if (handle->events.count > 0) {
			called = handle_call(L, handle, limit);
			err = CS_OK;
		} else if (err == CS_ERR_TRY_AGAIN && wait) {
			err = handle_wait(handle);
		}
	}
	return err;
}

static cs_error_t handle_blocking(lua_State *L, struct handle *handle,
				  struct limit *limit)
{
	cs_error_t err = CS_OK;

	while (handle->open && err == CS_OK)
		err = handle_one(L, handle, limit, true);
	return err;
}

static int raised_limit_close(lua_State *L)
{
	struct limit *limit = limit_of(L);
	lua_State **before = lua_touserdata(L, 1);

	limit_leave(limit, L, *before);
	return 0;
}

/*
 * A handler that raises unwinds past limit_leave: a variable that is closed on
 * the way out does its work then.
 */
static void push_limit_guard(lua_State *L, const struct limit *limit)
{
	lua_State **before = lua_newuserdatauv(L, sizeof(lua_State *), 0);

	*before = limit->running;
	if (luaL_newmetatable(L, LIMIT_KEY ".guard")) {
		lua_pushcfunction(L, raised_limit_close);
		lua_setfield(L, -2, "__close");
	}
	lua_setmetatable(L, -2);
	lua_toclose(L, -1);
}

/*
 * handle:dispatch("one" | "all" | "blocking" | "one_nonblocking")
 *   -> true (for "all": true, more) | nil, message, code
 *
 * Calls the handlers of what has happened, in order. "all" takes at most 256
 * events or 5 ms, and says whether there may be more; "one" waits for one
 * event, "blocking" goes on until finalize, an error or a signal
 * ("ERR_INTERRUPT"). A handler that raises ends dispatch with its error; the
 * events behind it stay queued and come first next time (see pending).
 */
static int handle_dispatch(lua_State *L)
{
	struct handle *handle = check_handle(L);
	enum mode mode = (enum mode)check_name(L, 2, "mode", modes);
	struct limit *limit = limit_of(L);
	bool more = false;
	cs_error_t err;

	lua_settop(L, 1);
	if (limit != NULL)
		push_limit_guard(L, limit);
	if (mode == MODE_ALL)
		err = handle_all(L, handle, limit, &more);
	else if (mode == MODE_BLOCKING)
		err = handle_blocking(L, handle, limit);
	else
		err = handle_one(L, handle, limit, mode == MODE_ONE);
	if (err != CS_OK)
		return push_failure(L, handle->library->dispatch_name, err);
	lua_pushboolean(L, 1);
	if (mode != MODE_ALL)
		return 1;
	lua_pushboolean(L, more);
	return 2;
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

static cs_error_t handle_close(lua_State *L, struct handle *handle)
{
	/* What a worker finalized has its events still. */
	events_clear(&handle->events);
	if (!handle->open)
		return CS_OK;
	handle->open = false;
	list_handle(L, 1, false);
	if (handle->forks != fork_depth())
		return CS_OK;
	return handle->library->finalize(handle->id);
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
			handle->open ? "" : " (closed)", (const void *)handle);
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
		lua_setiuservalue(L, -2, kind + 1);
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
	handle = lua_newuserdatauv(L, size, kinds + 1);
	memset(handle, 0, size);
	handle->library = library;
	luaL_setmetatable(L, library->type);
	if (given)
		set_handlers(L, handle, callbacks);
	return handle;
}

void handle_open(lua_State *L, struct handle *handle, uint64_t id)
{
	handle->id = id;
	handle->open = true;
	handle->forks = fork_depth();
	list_handle(L, -1, true);
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

void handle_lend(lua_State *L, int index)
{
	struct handle *handle = lua_touserdata(L, index);

	handle->open = false;
	list_handle(L, index, false);
}
