/*
 * corosync.quorum: whether the partition of this node has quorum, and who is
 * in it. Model v1, which gives the ring of each event and who came and went.
 */
#include <corosync/quorum.h>
#include <string.h>

#include "common/args.h"
#include "common/module.h"
#include "common/status.h"
#include "corosync/connect.h"
#include "corosync/dispatch.h"
#include "corosync/handle.h"
#include "corosync/ring.h"

enum kind { KIND_QUORUM, KIND_NODELIST };

static const char *const handlers[] = {
	[KIND_QUORUM] = "quorum",
	[KIND_NODELIST] = "nodelist",
	NULL,
};

static const struct name types[] = {
	{QUORUM_FREE, "free"},
	{QUORUM_SET, "set"},
	{0, NULL},
};

struct quorum {
	struct event event;
	bool quorate;
	struct quorum_ring_id ring;
	size_t count;
	uint32_t nodeids[];
};

struct nodelist {
	struct event event;
	struct quorum_ring_id ring;
	size_t members;
	size_t joined;
	size_t left;
	uint32_t nodeids[]; /* the three lists, one by one */
};

static int push_quorum(lua_State *L, const struct event *event)
{
	const struct quorum *quorum = (const void *)event;

	lua_pushboolean(L, quorum->quorate);
	push_ring(L, quorum->ring.nodeid, quorum->ring.seq);
	push_nodeids(L, quorum->nodeids, quorum->count);
	return 3;
}

static int push_nodelist(lua_State *L, const struct event *event)
{
	const struct nodelist *nodelist = (const void *)event;
	const uint32_t *joined = nodelist->nodeids + nodelist->members;

	push_ring(L, nodelist->ring.nodeid, nodelist->ring.seq);
	push_nodeids(L, nodelist->nodeids, nodelist->members);
	push_nodeids(L, joined, nodelist->joined);
	push_nodeids(L, joined + nodelist->joined, nodelist->left);
	return 4;
}

static int push_event(lua_State *L, const struct event *event)
{
	switch ((enum kind)event->kind) {
	case KIND_QUORUM:
		return push_quorum(L, event);
	case KIND_NODELIST:
		return push_nodelist(L, event);
	}
	return 0;
}

static void append(uint32_t **end, const uint32_t *list, size_t count)
{
	if (count > 0)
		memcpy(*end, list, count * sizeof *list);
	*end += count;
}

static void on_quorum(quorum_handle_t id, uint32_t quorate,
		      struct quorum_ring_id ring, uint32_t count,
		      const uint32_t *nodeids)
{
	struct quorum *quorum = handle_add_event(
		KIND_QUORUM, sizeof *quorum + count * sizeof *nodeids);
	uint32_t *end;

	(void)id;
	if (quorum == NULL)
		return;
	quorum->quorate = quorate != 0;
	quorum->ring = ring;
	quorum->count = count;
	end = quorum->nodeids;
	append(&end, nodeids, count);
}

static void on_nodelist(quorum_handle_t id, struct quorum_ring_id ring,
			uint32_t member_count, const uint32_t *members,
			uint32_t joined_count, const uint32_t *joined,
			uint32_t left_count, const uint32_t *left)
{
	size_t count = (size_t)member_count + joined_count + left_count;
	struct nodelist *nodelist = handle_add_event(
		KIND_NODELIST, sizeof *nodelist + count * sizeof *members);
	uint32_t *end;

	(void)id;
	if (nodelist == NULL)
		return;
	nodelist->ring = ring;
	nodelist->members = member_count;
	nodelist->joined = joined_count;
	nodelist->left = left_count;
	end = nodelist->nodeids;
	append(&end, members, member_count);
	append(&end, joined, joined_count);
	append(&end, left, left_count);
}

/* A call of a handle that a worker makes. */
struct call {
	struct job job;
	unsigned int flags;
};

static void check_trackstart_job(lua_State *L, int arg, struct handle *handle,
				 struct job *job)
{
	(void)handle;
	((struct call *)job)->flags = check_track(L, arg);
}

static cs_error_t run_trackstart_job(struct job *job)
{
	return quorum_trackstart(job->id, ((struct call *)job)->flags);
}

static const struct blocking blocking[] = {
	{"trackstart", "quorum_trackstart", sizeof(struct call),
	 check_trackstart_job, run_trackstart_job, NULL},
	{NULL, NULL, 0, NULL, NULL, NULL},
};

static void on_traced_quorum(quorum_handle_t id, uint32_t quorate,
			     struct quorum_ring_id ring, uint32_t count,
			     const uint32_t *nodeids)
{
	struct life *life = handle_dispatching()->life;

	if (life != NULL)
		life->tap->quorum(life, quorate != 0,
				  (struct tap_ring){ring.nodeid, ring.seq},
				  (struct tap_nodes){nodeids, count});
	on_quorum(id, quorate, ring, count, nodeids);
}

static void on_traced_nodelist(quorum_handle_t id, struct quorum_ring_id ring,
			       uint32_t member_count, const uint32_t *members,
			       uint32_t joined_count, const uint32_t *joined,
			       uint32_t left_count, const uint32_t *left)
{
	struct life *life = handle_dispatching()->life;

	if (life != NULL)
		life->tap->nodelist(life,
				    (struct tap_nodes){joined, joined_count},
				    (struct tap_nodes){left, left_count});
	on_nodelist(id, ring, member_count, members, joined_count, joined,
		    left_count, left);
}

static cs_error_t connect_with(struct connection *connection,
			       quorum_model_v1_data_t data)
{
	data.model = QUORUM_MODEL_V1;
	return quorum_model_initialize(&connection->id, QUORUM_MODEL_V1,
				       (quorum_model_data_t *)&data,
				       &connection->type, NULL);
}

static cs_error_t tracker_connect(struct connection *connection)
{
	return connect_with(connection,
			    (quorum_model_v1_data_t){
				    .quorum_notify_fn = on_quorum,
				    .nodelist_notify_fn = on_nodelist,
			    });
}

/* Without a quorum provider there is no quorum to tell of. */
static cs_error_t tracker_connect_traced(struct connection *connection)
{
	cs_error_t err = connect_with(
		connection, (quorum_model_v1_data_t){
				    .quorum_notify_fn = on_traced_quorum,
				    .nodelist_notify_fn = on_traced_nodelist,
			    });

	if (err == CS_OK && connection->type == QUORUM_SET)
		connection->place = connect_place();
	return err;
}

static void push_type(lua_State *L, uint32_t type)
{
	push_name(L, types, type);
}

#define LIBRARY(connect_function)                                              \
	{                                                                      \
		.type = "corosync.quorum",                                     \
		.initialize_name = "quorum_model_initialize",                  \
		.dispatch_name = "quorum_dispatch",                            \
		.fd_get_name = "quorum_fd_get",                                \
		.finalize_name = "quorum_finalize", .handlers = handlers,      \
		.connect = connect_function, .push_type = push_type,           \
		.dispatch = quorum_dispatch, .fd_get = quorum_fd_get,          \
		.finalize = quorum_finalize, .push_event = push_event,         \
		.blocking = blocking,                                          \
	}

static const struct library library = LIBRARY(tracker_connect);
static const struct library traced = LIBRARY(tracker_connect_traced);

/*
 * handle:getquorate() -> boolean | nil, message, code
 *
 * Whether the partition has quorum as the daemon sees it now, which may be
 * newer than the last event. false is an answer and not a failure.
 */
static int tracker_getquorate(lua_State *L)
{
	const struct handle *handle = check_handle(L);
	int quorate;
	cs_error_t err = quorum_getquorate(handle->id, &quorate);

	if (err != CS_OK)
		return push_failure(L, "quorum_getquorate", err);
	lua_pushboolean(L, quorate != 0);
	return 1;
}

/*
 * handle:trackstart("current" | "changes" | "changes_only")
 *   -> true | nil, message, code
 *
 * "current" asks for one nodelist and one quorum event; "changes" for these
 * and all later ones; "changes_only" for the later ones alone. A handle that
 * tracks already answers "ERR_EXIST".
 */
static int tracker_trackstart(lua_State *L)
{
	const struct handle *handle = check_handle(L);
	unsigned int flags = check_track(L, 2);

	return push_result(L, "quorum_trackstart",
			   quorum_trackstart(handle->id, flags));
}

/*
 * handle:trackstop() -> true | nil, message, code
 *
 * No error where it does not track.
 */
static int tracker_trackstop(lua_State *L)
{
	const struct handle *handle = check_handle(L);

	return push_result(L, "quorum_trackstop", quorum_trackstop(handle->id));
}

static struct handle *push_prepared(lua_State *L)
{
	struct handle *self = push_handle(L, &library, sizeof *self, 1);

	handle_trace(L, self, &traced, false);
	return self;
}

/*
 * quorum.initialize(callbacks)
 *   -> handle, "free" | "set" | nil, message, code
 *
 * Connects to the local daemon (quorum_model_initialize, model v1). Callbacks
 * are quorum(handle, quorate, ring, nodeids) and nodelist(handle, ring,
 * nodeids, joined, left). "free" says that no quorum provider is configured,
 * and that everything counts as quorate.
 */
static int initialize(lua_State *L)
{
	return handle_initialize(L, push_prepared(L));
}

/*
 * quorum.prepare(callbacks) -> handle
 *
 * The handle of initialize, still closed: corolua.worker connects it.
 */
static int prepare(lua_State *L)
{
	push_prepared(L);
	return 1;
}

static const luaL_Reg methods[] = {
	{"getquorate", tracker_getquorate},
	{"trackstart", tracker_trackstart},
	{"trackstop", tracker_trackstop},
	{NULL, NULL},
};

static const luaL_Reg functions[] = {
	{"initialize", initialize},
	{"prepare", prepare},
	{NULL, NULL},
};

MODULE(corosync_quorum)
{
	handle_register(L, &library, methods);
	luaL_newlib(L, functions);
	return 1;
}
