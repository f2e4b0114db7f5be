/*
 * The dispatch that all libraries share. Events are taken from the library one
 * at a time with CS_DISPATCH_ONE_NONBLOCKING, which copies them into the
 * queue; Lua runs after the library has returned, so that a handler may raise,
 * finalize its own handle or dispatch again.
 *
 * The pushes of a handler's arguments may run a finalizer of Lua, which may do
 * all that too. So an event leaves the queue before anything is pushed, as a
 * copy that belongs to this dispatch alone.
 *
 * Callbacks find their handle in a thread-local variable that is set around
 * the call of the library: cfg has no context of its own, and so all five
 * libraries are served alike.
 */
#include "corosync/dispatch.h"

#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>

#include "common/args.h"
#include "common/class.h"
#include "common/clock.h"
#include "common/limit.h"
#include "common/status.h"

#define TURN_NAME "corosync.turn"

enum {
	BATCH_EVENTS = 256,          /* of one dispatch("all") */
	BATCH_BYTES = 1024 * 1024,   /* held in the queue at a time */
	BATCH_NANOSECONDS = 5000000, /* of one dispatch("all") */
	SPARE_MAX = 64 * 1024,       /* kept between two of them */
	/* For a dispatch, and for ending it when memory has run out. */
	STACK = 3 * LUA_MINSTACK,
};

enum mode { MODE_ONE, MODE_ALL, MODE_BLOCKING, MODE_ONE_NONBLOCKING };

static const struct name modes[] = {
	{MODE_ONE, "one"},
	{MODE_ALL, "all"},
	{MODE_BLOCKING, "blocking"},
	{MODE_ONE_NONBLOCKING, "one_nonblocking"},
	{0, NULL},
};

/*
 * What a dispatch holds while it runs. It is closed on the way out, also by a
 * handler or a push that raises, and then waits in TURN_VALUE for the next one;
 * one inside another makes its own. A coroutine that died of an error closes
 * nothing: then the collector does it.
 */
struct turn {
	struct handle *handle; /* NULL while no dispatch runs */
	struct limit *limit;   /* NULL where there is none */
	lua_State *before;     /* what ran under the limit */
	struct taken taken;    /* while it is pushed */
	bool unhandled; /* the event that was taken has not had its handler */
};

enum { OWNER_VALUE = 1 }; /* user value of a turn: its handle */

static _Thread_local struct handle *dispatching;

struct handle *handle_dispatching(void)
{
	return dispatching;
}

void *handle_add_event(int kind, size_t size)
{
	if ((dispatching->handlers >> kind & 1U) == 0)
		return NULL;
	return events_add(&dispatching->events, kind, size);
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
	if (err == CS_ERR_LIBRARY && handle->library->has_members &&
	    handle->life != NULL)
		handle->life->tap->lost(handle->life);
	if (handle->events.lost && (err == CS_OK || err == CS_ERR_TRY_AGAIN)) {
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

static void push_handler(lua_State *L, const struct library *library,
			 const struct event *event)
{
	if (library->push_handler == NULL)
		lua_getiuservalue(L, 1, HANDLER_VALUE + event->kind);
	else
		library->push_handler(L, event);
}

/* The handler is on the stack, with arguments behind it. */
static void turn_call(lua_State *L, struct turn *turn, int arguments)
{
	lua_State *before;

	turn->unhandled = false;
	if (turn->limit == NULL) {
		lua_call(L, arguments, 0);
		return;
	}
	before = limit_enter(turn->limit, L);
	lua_call(L, arguments, 0);
	limit_leave(turn->limit, before);
}

/* The memory of the handle is the turn's while an event is pushed. */
static bool turn_take(struct turn *turn)
{
	struct handle *handle = turn->handle;

	turn->taken = handle->spare;
	handle->spare = (struct taken){.event = NULL};
	return events_take(&handle->events, &turn->taken);
}

/* A dispatch within the pushes may have given the handle other memory. */
static void turn_give_back(struct turn *turn)
{
	struct handle *handle = turn->handle;

	if (handle->spare.event != NULL || handle->state == HANDLE_CLOSED) {
		taken_free(&turn->taken);
		return;
	}
	handle->spare = turn->taken;
	turn->taken = (struct taken){.event = NULL};
}

/* What was taken comes first again, unless the handle is closed for good. */
static void turn_put_back(struct turn *turn)
{
	if (turn->unhandled && turn->handle->state != HANDLE_CLOSED)
		events_put_back(&turn->handle->events, turn->taken.event);
	turn->unhandled = false;
}

/*
 * Calls the handler of the first event; false in *called if it has none any
 * more. The handle may be closed by a finalizer before its handler is called:
 * then it is not, and the event waits for the handle to come back from a
 * worker.
 */
static cs_error_t turn_next(lua_State *L, struct turn *turn, bool *called)
{
	struct handle *handle = turn->handle;
	const struct event_kind *kind;
	int top = lua_gettop(L);
	int arguments;

	*called = false;
	if (!turn_take(turn))
		return CS_ERR_NO_MEMORY;
	kind = &handle->library->kinds[turn->taken.event->kind];
	push_handler(L, handle->library, turn->taken.event);
	if (lua_isnil(L, -1)) {
		turn_give_back(turn);
		lua_settop(L, top);
		return CS_OK;
	}
	*called = true;
	turn->unhandled = true;
	lua_pushvalue(L, 1);
	arguments = kind->push(L, turn->taken.event);
	if (handle->state == HANDLE_OPEN) {
		turn_give_back(turn);
		turn_call(L, turn, arguments + 1);
		return CS_OK;
	}
	turn_put_back(turn);
	turn_give_back(turn);
	lua_settop(L, top);
	return CS_OK;
}

/*
 * One round of dispatch("all"): false in *more once the library has nothing
 * left. A handler may dispatch too, so the queue may be empty at any time.
 */
static cs_error_t turn_all(lua_State *L, struct turn *turn, bool *more)
{
	struct handle *handle = turn->handle;
	uint64_t end = clock_coarse() + BATCH_NANOSECONDS;
	cs_error_t err = CS_OK;
	bool called;

	for (int left = BATCH_EVENTS; left > 0; left--) {
		if (handle->events.count == 0 && err == CS_OK)
			err = handle_fill(handle, (size_t)left);
		if (handle->events.count == 0)
			break;
		if (turn_next(L, turn, &called) != CS_OK)
			return CS_ERR_NO_MEMORY;
		if (handle->state != HANDLE_OPEN || clock_coarse() >= end)
			break;
	}
	*more = handle->state == HANDLE_OPEN &&
		(handle->events.count > 0 || err == CS_OK);
	if (*more || handle->state != HANDLE_OPEN || err == CS_ERR_TRY_AGAIN)
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
static cs_error_t turn_one(lua_State *L, struct turn *turn, bool wait)
{
	struct handle *handle = turn->handle;
	cs_error_t err = CS_OK;
	bool called = false;

	while (!called && err == CS_OK) {
		if (handle->events.count == 0)
			err = handle_fill(handle, 1);
		if (handle->events.count > 0)
			err = turn_next(L, turn, &called);
		else if (err == CS_ERR_TRY_AGAIN && wait)
			err = handle_wait(handle);
	}
	return err;
}

static cs_error_t turn_blocking(lua_State *L, struct turn *turn)
{
	cs_error_t err = CS_OK;

	while (turn->handle->state == HANDLE_OPEN && err == CS_OK)
		err = turn_one(L, turn, true);
	return err;
}

static void turn_end(struct turn *turn)
{
	struct handle *handle = turn->handle;

	turn_put_back(turn);
	turn_give_back(turn);
	if (turn->limit != NULL)
		limit_leave(turn->limit, turn->before);
	turn->handle = NULL;
	if (handle->spare.room > SPARE_MAX)
		taken_free(&handle->spare);
}

/* Behind a dispatch that has ended in good order there is nothing to do. */
static int turn_close(lua_State *L)
{
	struct turn *turn = lua_touserdata(L, 1);

	if (turn->handle != NULL)
		turn_end(turn);
	return 0;
}

/* Its coroutine died in a push. Later events may have had their handlers, so
 * what was taken does not come again: dispatch tells that it is lost. */
static int turn_gc(lua_State *L)
{
	struct turn *turn = lua_touserdata(L, 1);

	if (turn->handle != NULL && turn->unhandled)
		turn->handle->events.lost = true;
	turn->handle = NULL;
	taken_free(&turn->taken);
	return 0;
}

/* At index 2, behind the handle. */
static struct turn *push_turn(lua_State *L)
{
	struct turn *turn;

	if (lua_getiuservalue(L, 1, TURN_VALUE) == LUA_TUSERDATA) {
		lua_pushnil(L);
		lua_setiuservalue(L, 1, TURN_VALUE);
		return lua_touserdata(L, 2);
	}
	lua_pop(L, 1);
	turn = lua_newuserdatauv(L, sizeof *turn, 1);
	*turn = (struct turn){.handle = NULL};
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, OWNER_VALUE);
	luaL_setmetatable(L, TURN_NAME);
	return turn;
}

/* Ends by turn_end, or when the function is left that called it. */
static struct turn *turn_begin(lua_State *L)
{
	struct limit *limit = limit_of(L);
	struct turn *turn = push_turn(L);
	/* Once more, as what has been pushed may have run a finalizer. */
	struct handle *handle = check_handle(L);

	*turn = (struct turn){
		.handle = handle,
		.limit = limit,
		.before = limit != NULL ? limit->running : NULL,
	};
	lua_toclose(L, 2);
	return turn;
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
int handle_dispatch(lua_State *L)
{
	struct handle *handle = check_handle(L);
	enum mode mode = (enum mode)check_name(L, 2, "mode", modes);
	struct turn *turn;
	bool more = false;
	cs_error_t err;

	lua_settop(L, 1);
	luaL_checkstack(L, STACK, NULL);
	turn = turn_begin(L);
	if (mode == MODE_ALL)
		err = turn_all(L, turn, &more);
	else if (mode == MODE_BLOCKING)
		err = turn_blocking(L, turn);
	else
		err = turn_one(L, turn, mode == MODE_ONE);
	turn_end(turn);
	lua_pushvalue(L, 2);
	lua_setiuservalue(L, 1, TURN_VALUE);
	if (err != CS_OK)
		return push_verb_failure(L, handle->library, "dispatch", err);
	lua_pushboolean(L, 1);
	if (mode != MODE_ALL)
		return 1;
	lua_pushboolean(L, more);
	return 2;
}

void dispatch_register(lua_State *L)
{
	register_class(L, TURN_NAME, NULL, turn_gc, turn_close);
}
