/*
 * corolua.worker: the calls of the libraries that wait for the daemon, each
 * made by a thread of its own, so that a daemon that is stopped holds up
 * nobody but its own caller. What was given up stays with its thread, which
 * finalizes the connection whenever the daemon lets it.
 */
#include <corosync/corotypes.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/class.h"
#include "common/descriptor.h"
#include "common/module.h"
#include "common/status.h"
#include "common/thread.h"
#include "corosync/blocking.h"
#include "corosync/handle.h"

#define CALL_NAME "corolua.call"

enum { VALUE_HANDLE = 1, VALUE_DONE };

static struct crew crew = {.fd = -1};

/* A call that a thread makes; no Lua. */
struct work {
	struct errand errand;
	int network; /* the namespace to make the call in, or -1 */
	int error;   /* of the system, before the call was made */
	cs_error_t err;
	struct job *job;
};

static void work_free(struct work *work)
{
	if (work->network >= 0)
		close(work->network);
	free(work->job);
	free(work);
}

static void work_discard(struct errand *errand)
{
	struct work *work = (struct work *)errand;

	if (work->job->connected)
		work->job->library->finalize(work->job->id);
	work_free(work);
}

static void work_run(struct errand *errand)
{
	struct work *work = (struct work *)errand;

	if (work->network >= 0 && setns(work->network, CLONE_NEWNET) != 0)
		work->error = errno;
	else
		work->err = work->job->blocking->run(work->job);
}

/* Finalizes the connection of a call that is over. Without a thread it stays
 * until the program ends. */
static void work_let_go(struct work *work)
{
	if (errand_discard(&work->errand) != 0)
		work_free(work);
}

static void work_abandon(struct work *work)
{
	if (!errand_abandon(&work->errand))
		work_let_go(work);
}

/* Work in no namespace, whose job is zeroed but for these; NULL without memory.
 */
static struct work *work_new(const struct library *library,
			     const struct blocking *blocking)
{
	struct work *work = calloc(1, sizeof *work);
	struct job *job = calloc(1, blocking->size);

	if (work == NULL || job == NULL) {
		free(work);
		free(job);
		return NULL;
	}
	*job = (struct job){.library = library, .blocking = blocking};
	*work = (struct work){
		.errand = {.run = work_run, .discard = work_discard},
		.network = -1,
		.err = CS_OK,
		.job = job,
	};
	return work;
}

/* What Lua holds of it; work is NULL once it has been taken or given up. */
struct call {
	struct work *work;
	bool started; /* a thread has it too */
};

static void forget_call(lua_State *L, struct work *work)
{
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, work);
}

/*
 * call:abandon(): nobody waits for it any more. Its handle is closed for good,
 * and the connection is finalized once the daemon has answered. Harmless when
 * the call is over, or when repeated.
 */
static int call_abandon(lua_State *L)
{
	struct call *call = luaL_checkudata(L, 1, CALL_NAME);
	struct work *work = call->work;

	if (work == NULL)
		return 0;
	call->work = NULL;
	lua_getiuservalue(L, 1, VALUE_HANDLE);
	handle_become(L, -1, HANDLE_CLOSED);
	forget_call(L, work);
	if (crew_is_here(&crew))
		work_abandon(work);
	return 0;
}

static cs_error_t run_finalize(struct job *job)
{
	job->connected = false;
	return job->library->finalize(job->id);
}

static const struct blocking finalizing = {
	"finalize", NULL, sizeof(struct job), NULL, run_finalize, NULL,
};

struct initialize_job {
	struct job job;
	struct connection connection;
};

static void check_initialize(lua_State *L, int arg, struct handle *handle,
			     struct job *job)
{
	(void)L;
	(void)arg;
	((struct initialize_job *)job)->connection = handle_connection(handle);
}

static cs_error_t run_initialize(struct job *job)
{
	struct connection *connection =
		&((struct initialize_job *)job)->connection;
	cs_error_t err = handle_connect(job->library, connection);

	job->id = connection->id;
	job->connected = err == CS_OK;
	return err;
}

static int push_initialized(lua_State *L, struct handle *handle,
			    const struct job *job)
{
	const struct initialize_job *done = (const struct initialize_job *)job;

	handle_has_connected(handle, &done->connection);
	if (handle->library->push_type != NULL)
		handle->library->push_type(L, done->connection.type);
	else
		lua_pushboolean(L, 1);
	return 1;
}

static const struct blocking initializing = {
	"initialize",     NULL,           sizeof(struct initialize_job),
	check_initialize, run_initialize, push_initialized,
};

static const struct blocking *check_blocking(lua_State *L, int arg,
					     const struct library *library)
{
	const char *name = luaL_checkstring(L, arg);
	const struct blocking *blocking = library->blocking;

	if (strcmp(name, initializing.name) == 0)
		return &initializing;
	if (strcmp(name, finalizing.name) == 0)
		return &finalizing;
	for (; blocking != NULL && blocking->name != NULL; blocking++)
		if (strcmp(blocking->name, name) == 0)
			return blocking;
	luaL_error(L, "a worker makes no call '%s' of %s", name, library->type);
	return NULL;
}

/* A namespace of its own, since the script may close the descriptor. */
static int dup_network(lua_State *L, int arg)
{
	const int *fd;

	if (lua_isnoneornil(L, arg))
		return -1;
	fd = luaL_checkudata(L, arg, DESCRIPTOR_NAME);
	return fcntl(*fd, F_DUPFD_CLOEXEC, 0);
}

/* The userdata owns the work until its thread has started. */
static struct call *push_call(lua_State *L)
{
	struct call *call = lua_newuserdatauv(L, sizeof *call, VALUE_DONE);

	*call = (struct call){.work = NULL};
	luaL_setmetatable(L, CALL_NAME);
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, VALUE_HANDLE);
	lua_pushvalue(L, 4);
	lua_setiuservalue(L, -2, VALUE_DONE);
	return call;
}

static int call_fail(lua_State *L, struct call *call, const char *what, int err)
{
	work_free(call->work);
	call->work = NULL;
	return push_errno(L, what, err);
}

static int call_start(lua_State *L, struct call *call, struct handle *handle)
{
	struct work *work = call->work;
	enum handle_state before = handle->state;
	int err;

	work->job->id = handle->id;
	work->job->connected = before == HANDLE_OPEN;
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, work);
	handle_become(L, 1, HANDLE_LENT);
	err = errand_start(&work->errand, &crew);
	call->started = err == 0;
	if (call->started)
		return 1;
	forget_call(L, work);
	handle_become(L, 1, before);
	return call_fail(L, call, "pthread_create", err);
}

/* A handle connects once, and makes one call at a time. */
static void check_state(lua_State *L, const struct handle *handle,
			const struct blocking *blocking)
{
	bool connects = blocking == &initializing;

	if (handle->state == (connects ? HANDLE_NEW : HANDLE_OPEN))
		return;
	luaL_error(L, "the %s handle is %s", handle->library->type,
		   handle->state == HANDLE_OPEN ? "open" : "closed");
}

/*
 * worker.start(handle, name, network, done, ...)
 *   -> call | nil, message, code
 *
 * Makes the call of that name ("initialize", "join", "leave", "trackstart",
 * "getinfo", "join_counts", "finalize") in a thread, in a network namespace (a
 * descriptor) or, without one, in the program's own. The handle is closed until
 * take has given done back.
 */
static int worker_start(lua_State *L)
{
	struct handle *handle = check_any_handle(L, 1);
	const struct blocking *blocking = check_blocking(L, 2, handle->library);
	struct call *call;

	if (!crew_is_here(&crew))
		return luaL_error(L, "the threads are of the process that "
				     "forked");
	check_state(L, handle, blocking);
	luaL_checktype(L, 4, LUA_TFUNCTION);
	call = push_call(L);
	call->work = work_new(handle->library, blocking);
	if (call->work == NULL)
		return luaL_error(L, "out of memory");
	if (blocking->check != NULL)
		blocking->check(L, 5, handle, call->work->job);
	call->work->network = dup_network(L, 3);
	if (call->work->network < 0 && !lua_isnoneornil(L, 3))
		return call_fail(L, call, "fcntl", errno);
	/* Once more, as push_call may have run a finalizer. */
	check_state(L, handle, blocking);
	return call_start(L, call, handle);
}

static int call_gc(lua_State *L)
{
	struct call *call = lua_touserdata(L, 1);
	struct work *work = call->work;

	call->work = NULL;
	/* A call that has started is anchored: then the whole state closes. */
	if (work != NULL && call->started && crew_is_here(&crew))
		work_abandon(work);
	else if (work != NULL && !call->started)
		work_free(work); /* its arguments were refused */
	return 0;
}

static int push_outcome(lua_State *L, struct handle *handle,
			const struct work *work)
{
	const struct blocking *blocking = work->job->blocking;

	if (work->error != 0)
		return push_errno(L, "setns", work->error);
	if (work->err == CS_OK)
		return push_job(L, handle, work->job);
	if (blocking == &finalizing)
		return push_verb_failure(L, handle->library, "finalize",
					 work->err);
	if (blocking == &initializing)
		return push_failure(L, handle->library->initialize_name,
				    work->err);
	return push_failure(L, blocking->call, work->err);
}

/* A function of Lua, called protected: the work must be freed after it. */
static int push_results(lua_State *L)
{
	struct handle *handle = lua_touserdata(L, 1);

	return push_outcome(L, handle, lua_touserdata(L, 2));
}

/*
 * What the call returned, behind the handle and done. Without memory for it
 * that is the failure, of words that are in memory already.
 */
static void take_results(lua_State *L, struct work *work)
{
	lua_pushcfunction(L, push_results);
	lua_pushvalue(L, 1);
	lua_pushlightuserdata(L, work);
	if (lua_pcall(L, 2, LUA_MULTRET, 0) == LUA_OK)
		return;
	lua_pushnil(L);
	lua_insert(L, -2);
	lua_pushvalue(L, lua_upvalueindex(1));
}

/*
 * The handle at index 1 has its connection back, if there still is one; false
 * if it was finalized while the call ran.
 */
static bool give_back(lua_State *L, struct work *work)
{
	struct handle *handle = lua_touserdata(L, 1);
	const struct job *job = work->job;

	if (handle->state != HANDLE_LENT) {
		if (job->connected)
			work->err = CS_ERR_BAD_HANDLE;
		return false;
	}
	handle->id = job->id;
	if (job->connected)
		handle_become(L, 1, HANDLE_OPEN);
	else if (job->blocking == &initializing)
		handle_become(L, 1, HANDLE_NEW);
	else
		handle_become(L, 1, HANDLE_CLOSED);
	return true;
}

/*
 * worker.take() -> done, what the call returned | nothing
 *
 * The next call that is over, in the order they ended; its handle is open
 * again if it has a connection.
 */
static int worker_take(lua_State *L)
{
	struct work *work = (struct work *)crew_take(&crew);
	struct call *call;
	bool returned;

	if (work == NULL)
		return 0;
	lua_settop(L, 0);
	lua_rawgetp(L, LUA_REGISTRYINDEX, work);
	call = lua_touserdata(L, 1);
	call->work = NULL;
	forget_call(L, work);
	lua_getiuservalue(L, 1, VALUE_HANDLE);
	lua_getiuservalue(L, 1, VALUE_DONE);
	lua_remove(L, 1);
	returned = give_back(L, work);
	take_results(L, work);
	if (returned)
		work_free(work);
	else
		work_let_go(work);
	return lua_gettop(L) - 1;
}

/* worker.is_open(handle) -> whether it has a connection, and no call runs */
static int worker_is_open(lua_State *L)
{
	lua_pushboolean(L, check_any_handle(L, 1)->state == HANDLE_OPEN);
	return 1;
}

/* worker.fd() -> descriptor that is readable once a call is over */
static int worker_fd(lua_State *L)
{
	lua_pushinteger(L, crew_fd(&crew));
	return 1;
}

static const luaL_Reg methods[] = {
	{"abandon", call_abandon},
	{NULL, NULL},
};

static const luaL_Reg functions[] = {
	{"start", worker_start},     {"take", worker_take}, {"fd", worker_fd},
	{"is_open", worker_is_open}, {NULL, NULL},
};

MODULE(corolua_worker)
{
	int err = crew.fd < 0 ? crew_open(&crew) : 0;

	if (err != 0)
		return luaL_error(L, "eventfd: %s", strerror(err));
	register_class(L, CALL_NAME, methods, call_gc, NULL);
	luaL_newlibtable(L, functions);
	lua_pushliteral(L, "ERR_NO_MEMORY");
	luaL_setfuncs(L, functions, 1);
	return 1;
}
