/*
 * corosync.quorum: whether the partition of this node has quorum, and who is
 * in it. Model v1, which gives the ring of each event and who came and went.
 */
#include <corosync/quorum.h>

#include "common/args.h"
#include "common/module.h"
#include "corosync/dispatch.h"
#include "corosync/handle.h"
#include "corosync/ring.h"
#include "corosync/ring_events.h"

enum kind { KIND_QUORUM, KIND_NODELIST };

static const struct name types[] = {
	{QUORUM_FREE, "free"},
	{QUORUM_SET, "set"},
	{0, NULL},
};

static int push_quorum(lua_State *L, const struct event *event)
{
	lua_pushboolean(L, ((const struct ring_event *)event)->quorate);
	return 1 + push_ring_event(L, event);
}

static const struct event_kind kinds[] = {
	[KIND_QUORUM] = {"quorum", push_quorum},
	[KIND_NODELIST] = {"nodelist", push_ring_event},
	{NULL, NULL},
};

static void on_quorum(quorum_handle_t id, uint32_t quorate,
		      struct quorum_ring_id ring, uint32_t count,
		      const uint32_t *nodeids)
{
	const struct tap_nodes nodes = {nodeids, count};
	struct life *life = handle_dispatching()->life;
	struct ring_event *event;

	(void)id;
	if (life != NULL)
		life->tap->quorum(life, quorate != 0,
				  (struct tap_ring){ring.nodeid, ring.seq},
				  nodes);
	event = add_ring_event(KIND_QUORUM, ring.nodeid, ring.seq, &nodes, 1);
	if (event != NULL)
		event->quorate = quorate != 0;
}

static void on_nodelist(quorum_handle_t id, struct quorum_ring_id ring,
			uint32_t member_count, const uint32_t *members,
			uint32_t joined_count, const uint32_t *joined,
			uint32_t left_count, const uint32_t *left)
{
	const struct tap_nodes nodes[] = {
		{members, member_count},
		{joined, joined_count},
		{left, left_count},
	};
	struct life *life = handle_dispatching()->life;

	(void)id;
	if (life != NULL)
		life->tap->nodelist(life, nodes[1], nodes[2]);
	add_ring_event(KIND_NODELIST, ring.nodeid, ring.seq, nodes, 3);
}

struct track_job {
	struct job job;
	unsigned int flags;
};

/*
 * handle:trackstart("current" | "changes" | "changes_only")
 *   -> true | nil, message, code
 *
 * "current" asks for one nodelist and one quorum event; "changes" for these
 * and all later ones; "changes_only" for the later ones alone. A handle that
 * tracks already answers "ERR_EXIST".
 */
static void check_trackstart(lua_State *L, int arg, struct handle *handle,
			     struct job *job)
{
	(void)handle;
	((struct track_job *)job)->flags = check_track(L, arg);
}

static cs_error_t run_trackstart(struct job *job)
{
	return quorum_trackstart(job->id, ((struct track_job *)job)->flags);
}

static const struct blocking blocking[] = {
	{"trackstart", "quorum_trackstart", sizeof(struct track_job),
	 check_trackstart, run_trackstart, NULL},
	{NULL, NULL, 0, NULL, NULL, NULL},
};

/*
 * quorum.initialize(callbacks)
 *   -> handle, "free" | "set" | nil, message, code
 *
 * Connects to the local daemon (quorum_model_initialize, model v1). Callbacks
 * are quorum(handle, quorate, ring, nodeids) and nodelist(handle, ring,
 * nodeids, joined, left). "free" says that no quorum provider is configured,
 * and that everything counts as quorate: then a trace is told of nothing.
 */
static cs_error_t tracker_connect(struct connection *connection)
{
	quorum_model_v1_data_t data = {
		.model = QUORUM_MODEL_V1,
		.quorum_notify_fn = on_quorum,
		.nodelist_notify_fn = on_nodelist,
	};
	cs_error_t err;

	err = quorum_model_initialize(&connection->id, QUORUM_MODEL_V1,
				      (quorum_model_data_t *)&data,
				      &connection->type, NULL);
	if (connection->type != QUORUM_SET)
		connection->place = 0;
	return err;
}

static void push_type(lua_State *L, uint32_t type)
{
	push_name(L, types, type);
}

/*
 * handle:getquorate() -> boolean | nil, message, code
 *
 * Whether the partition has quorum as the daemon sees it now, which may be
 * newer than the last event. false is an answer and not a failure.
 */
static cs_error_t getquorate(lua_State *L)
{
	int quorate = 0;
	cs_error_t err = quorum_getquorate(check_id(L), &quorate);

	lua_pushboolean(L, quorate != 0);
	return err;
}

/* handle:trackstop() -> true | nil, message, code: no error where it does not
 * track */
static const struct verb verbs[] = {
	{"getquorate", .make = getquorate},
	{"trackstop", .plain = quorum_trackstop},
	{.name = NULL},
};

static const struct library library = {
	.type = "corosync.quorum",
	.prefix = "quorum",
	.initialize_name = "quorum_model_initialize",
	.kinds = kinds,
	.size = sizeof(struct handle),
	.is_traced = true,
	.connect = tracker_connect,
	.push_type = push_type,
	.dispatch = quorum_dispatch,
	.fd_get = quorum_fd_get,
	.finalize = quorum_finalize,
	.blocking = blocking,
	.verbs = verbs,
};

MODULE(corosync_quorum)
{
	return open_library(L, &library, NULL);
}
