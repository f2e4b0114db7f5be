/*
 * corosync.votequorum: votes, what is expected of them, and the quorum device.
 *
 * Callbacks are always given whole, since newer libraries follow a missing
 * struct. Whether there is quorum is what the daemon says, never a sum: two
 * nodes, a tie breaker or wait_for_all make any sum wrong.
 */
#include <corosync/votequorum.h>
#include <string.h>

#include "common/args.h"
#include "common/fields.h"
#include "common/module.h"
#include "corosync/dispatch.h"
#include "corosync/handle.h"
#include "corosync/qdevice.h"
#include "corosync/ring.h"
#include "corosync/ring_events.h"

enum kind {
	KIND_QUORUM,
	KIND_NODELIST,
	KIND_EXPECTEDVOTES,
	KIND_QDEVICE_EXTRA_INFO,
};

static const struct name states[] = {
	{VOTEQUORUM_NODESTATE_MEMBER, "member"},
	{VOTEQUORUM_NODESTATE_DEAD, "dead"},
	{VOTEQUORUM_NODESTATE_LEAVING, "leaving"},
	{0, NULL},
};

static const struct name flag_names[] = {
	{VOTEQUORUM_INFO_TWONODE, "two_node"},
	{VOTEQUORUM_INFO_QUORATE, "quorate"},
	{VOTEQUORUM_INFO_WAIT_FOR_ALL, "wait_for_all"},
	{VOTEQUORUM_INFO_LAST_MAN_STANDING, "last_man_standing"},
	{VOTEQUORUM_INFO_AUTO_TIE_BREAKER, "auto_tie_breaker"},
	{VOTEQUORUM_INFO_ALLOW_DOWNSCALE, "allow_downscale"},
	{VOTEQUORUM_INFO_QDEVICE_REGISTERED, "qdevice_registered"},
	{VOTEQUORUM_INFO_QDEVICE_ALIVE, "qdevice_alive"},
	{VOTEQUORUM_INFO_QDEVICE_CAST_VOTE, "qdevice_cast_vote"},
	{VOTEQUORUM_INFO_QDEVICE_MASTER_WINS, "qdevice_master_wins"},
#if HAVE_VOTEQUORUM_QDEVICE_EXTRA_INFO
	{VOTEQUORUM_INFO_QDEVICE_HAS_EXTRA_INFO, "qdevice_has_extra_info"},
#endif
	{0, NULL},
};

enum {
	/* The daemon counts votes in a byte; larger sums wrap there. */
	VOTES_MAX = 255,
};

struct quorum {
	struct event event;
	bool quorate;
	size_t count;
	votequorum_node_t nodes[];
};

struct expectedvotes {
	struct event event;
	uint32_t expected;
};

#if HAVE_VOTEQUORUM_QDEVICE_EXTRA_INFO
struct extra_info {
	struct event event;
	uint32_t nodeid;
	size_t length;
	char bytes[];
};
#endif

static void push_node(lua_State *L, const votequorum_node_t *node)
{
	lua_createtable(L, 0, 2);
	set_integer(L, "nodeid", node->nodeid);
	push_name(L, states, node->state);
	lua_setfield(L, -2, "state");
}

static int push_quorum(lua_State *L, const struct event *event)
{
	const struct quorum *quorum = (const void *)event;

	lua_pushboolean(L, quorum->quorate);
	lua_createtable(L, (int)quorum->count, 0);
	for (size_t i = 0; i < quorum->count; i++) {
		push_node(L, &quorum->nodes[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 2;
}

static int push_expectedvotes(lua_State *L, const struct event *event)
{
	const struct expectedvotes *votes = (const void *)event;

	lua_pushinteger(L, votes->expected);
	return 1;
}

#if HAVE_VOTEQUORUM_QDEVICE_EXTRA_INFO
static int push_extra_info(lua_State *L, const struct event *event)
{
	const struct extra_info *info = (const void *)event;

	lua_pushinteger(L, info->nodeid);
	lua_pushlstring(L, info->bytes, info->length);
	return 2;
}
#endif

static const struct event_kind kinds[] = {
	[KIND_QUORUM] = {"quorum", push_quorum},
	[KIND_NODELIST] = {"nodelist", push_ring_event},
	[KIND_EXPECTEDVOTES] = {"expectedvotes", push_expectedvotes},
#if HAVE_VOTEQUORUM_QDEVICE_EXTRA_INFO
	[KIND_QDEVICE_EXTRA_INFO] = {"qdevice_extra_info", push_extra_info},
#endif
	{NULL, NULL},
};

static void push_flags(lua_State *L, unsigned int flags)
{
	lua_createtable(L, 0, 12);
	for (const struct name *flag = flag_names; flag->name != NULL; flag++)
		set_boolean(L, flag->name, (flags & flag->value) != 0);
}

static void push_info(lua_State *L, const struct votequorum_info *info)
{
	lua_createtable(L, 0, 10);
	set_integer(L, "node_id", info->node_id);
	set_integer(L, "node_votes", info->node_votes);
	set_integer(L, "node_expected_votes", info->node_expected_votes);
	set_integer(L, "highest_expected", info->highest_expected);
	set_integer(L, "total_votes", info->total_votes);
	set_integer(L, "quorum", info->quorum);
	set_integer(L, "qdevice_votes", info->qdevice_votes);
	push_name(L, states, info->node_state);
	lua_setfield(L, -2, "node_state");
	push_flags(L, info->flags);
	lua_setfield(L, -2, "flags");
	lua_pushlstring(L, info->qdevice_name,
			strnlen(info->qdevice_name, sizeof info->qdevice_name));
	lua_setfield(L, -2, "qdevice_name");
}

static void on_quorum(votequorum_handle_t id, uint64_t context,
		      uint32_t quorate, uint32_t count,
		      votequorum_node_t nodes[])
{
	struct quorum *quorum = handle_add_event(
		KIND_QUORUM, sizeof *quorum + count * sizeof *nodes);

	(void)id;
	(void)context;
	if (quorum == NULL)
		return;
	quorum->quorate = quorate != 0;
	quorum->count = count;
	memcpy(quorum->nodes, nodes, count * sizeof *nodes);
}

static void on_nodelist(votequorum_handle_t id, uint64_t context,
			votequorum_ring_id_t ring, uint32_t count,
			uint32_t nodeids[])
{
	const struct tap_nodes nodes = {nodeids, count};

	(void)id;
	(void)context;
	add_ring_event(KIND_NODELIST, ring.nodeid, ring.seq, &nodes, 1);
}

static void on_expectedvotes(votequorum_handle_t id, uint64_t context,
			     uint32_t expected)
{
	struct expectedvotes *votes =
		handle_add_event(KIND_EXPECTEDVOTES, sizeof *votes);

	(void)id;
	(void)context;
	if (votes != NULL)
		votes->expected = expected;
}

#if HAVE_VOTEQUORUM_QDEVICE_EXTRA_INFO
static void on_extra_info(votequorum_handle_t id, uint64_t context,
			  uint32_t nodeid, uint32_t length, void *bytes)
{
	struct extra_info *info = handle_add_event(KIND_QDEVICE_EXTRA_INFO,
						   sizeof *info + length);

	(void)id;
	(void)context;
	if (info == NULL)
		return;
	info->nodeid = nodeid;
	info->length = length;
	memcpy(info->bytes, bytes, length);
}
#endif

/*
 * votequorum.initialize(callbacks) -> handle | nil, message, code
 *
 * Connects to the local daemon. Callbacks are quorum(handle, quorate, nodes),
 * nodelist(handle, ring, nodeids) and expectedvotes(handle, expected), each of
 * which may be left out; none is called before trackstart.
 */
static cs_error_t votes_connect(struct connection *connection)
{
#if HAVE_VOTEQUORUM_MODEL_INITIALIZE
	const votequorum_model_v1_data_t data = {
		.model = VOTEQUORUM_MODEL_V1,
		.votequorum_quorum_notify_fn = on_quorum,
		.votequorum_expectedvotes_notify_fn = on_expectedvotes,
		.votequorum_nodelist_notify_fn = on_nodelist,
#if HAVE_VOTEQUORUM_QDEVICE_EXTRA_INFO
		.votequorum_qdevice_extra_info_fn = on_extra_info,
#endif
	};

	return votequorum_model_initialize(&connection->id, &data);
#else
	votequorum_callbacks_t callbacks = {
		.votequorum_quorum_notify_fn = on_quorum,
		.votequorum_expectedvotes_notify_fn = on_expectedvotes,
		.votequorum_nodelist_notify_fn = on_nodelist,
	};

	return votequorum_initialize(&connection->id, &callbacks);
#endif
}

static unsigned int check_votes(lua_State *L, int arg, lua_Integer least)
{
	return (unsigned int)check_range(L, arg, "votes", least, VOTES_MAX);
}

struct info_job {
	struct job job;
	unsigned int nodeid;
	struct roomy_info roomy;
};

/*
 * handle:getinfo(nodeid) -> table | nil, message, code
 *
 * The votes of a node and of the cluster; node 0 is this one. A node that the
 * daemon has never seen gives "ERR_NOT_EXIST", also if it is configured.
 */
static void check_getinfo(lua_State *L, int arg, struct handle *handle,
			  struct job *job)
{
	(void)handle;
	((struct info_job *)job)->nodeid = check_nodeid(L, arg, 0);
}

static cs_error_t run_getinfo(struct job *job)
{
	struct info_job *getinfo = (struct info_job *)job;

	return votequorum_getinfo(job->id, getinfo->nodeid,
				  &getinfo->roomy.info);
}

static int push_getinfo(lua_State *L, struct handle *handle,
			const struct job *job)
{
	(void)handle;
	push_info(L, &((const struct info_job *)job)->roomy.info);
	return 1;
}

static const struct blocking blocking[] = {
	{"getinfo", "votequorum_getinfo", sizeof(struct info_job),
	 check_getinfo, run_getinfo, push_getinfo},
	{NULL, NULL, 0, NULL, NULL, NULL},
};

/*
 * handle:setvotes(nodeid, votes) -> true | nil, message, code
 *
 * Changes the votes of a node, until its daemon restarts. Node 0 is refused:
 * corosync takes it for the quorum device and so breaks expected_votes.
 */
static cs_error_t setvotes(lua_State *L)
{
	unsigned int nodeid = check_nodeid(L, 2, 1);
	unsigned int votes = check_votes(L, 3, 0);

	return votequorum_setvotes(check_id(L), nodeid, votes);
}

/*
 * handle:setexpected(votes) -> true | nil, message, code
 *
 * Changes expected_votes on all current members. Fewer than there are votes,
 * or so many that quorum were lost, give "ERR_INVALID_PARAM".
 */
static cs_error_t setexpected(lua_State *L)
{
	return votequorum_setexpected(check_id(L), check_votes(L, 2, 1));
}

/*
 * handle:trackstart("current" | "changes" | "changes_only")
 *   -> true | nil, message, code
 *
 * "current" asks for one nodelist and one quorum event; "changes" for these
 * and all later ones; "changes_only" for the later ones alone. A handle that
 * tracks already answers "ERR_EXIST" and sends the first two once more.
 */
static cs_error_t trackstart(lua_State *L)
{
	return votequorum_trackstart(check_id(L), 0, check_track(L, 2));
}

/* handle:trackstop() -> true | nil, message, code ("ERR_NOT_EXIST") */
static const struct verb verbs[] = {
	{"setvotes", .make = setvotes},
	{"setexpected", .make = setexpected},
	{"trackstart", .make = trackstart},
	{"trackstop", .plain = votequorum_trackstop},
	{"qdevice_register", .make = qdevice_register},
	{"qdevice_unregister", .make = qdevice_unregister},
	{"qdevice_update", .make = qdevice_update},
	{"qdevice_poll", .make = qdevice_poll},
	{"qdevice_master_wins", .make = qdevice_master_wins},
#if HAVE_VOTEQUORUM_QDEVICE_EXTRA_INFO
	{"get_qdevice_extra_info", .make = qdevice_extra_info_get},
	{"set_qdevice_extra_info", .make = qdevice_extra_info_set},
#endif
	{.name = NULL},
};

static const struct library library = {
	.type = "corosync.votequorum",
	.prefix = "votequorum",
	.initialize_name = "votequorum_initialize",
	.kinds = kinds,
	.size = sizeof(struct handle),
	.connect = votes_connect,
	.dispatch = votequorum_dispatch,
	.fd_get = votequorum_fd_get,
	.finalize = votequorum_finalize,
	.blocking = blocking,
	.verbs = verbs,
};

MODULE(corosync_votequorum)
{
	return open_library(L, &library, NULL);
}
