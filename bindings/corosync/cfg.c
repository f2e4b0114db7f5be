/*
 * corosync.cfg: the daemon itself: its links, its nodes, its end.
 */
#include <arpa/inet.h>
#include <corosync/cfg.h>
#include <stdlib.h>
#include <string.h>

#include "common/args.h"
#include "common/fields.h"
#include "common/module.h"
#include "corosync/dispatch.h"
#include "corosync/handle.h"
#include "corosync/ring.h"

enum kind { KIND_SHUTDOWN };

static const struct name shutdowns[] = {
	{COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST, "request"},
	{COROSYNC_CFG_SHUTDOWN_FLAG_REGARDLESS, "regardless"},
	{COROSYNC_CFG_SHUTDOWN_FLAG_IMMEDIATE, "immediate"},
	{0, NULL},
};

static const struct name replies[] = {
	{COROSYNC_CFG_SHUTDOWN_FLAG_NO, "no"},
	{COROSYNC_CFG_SHUTDOWN_FLAG_YES, "yes"},
	{0, NULL},
};

enum {
	/* The daemon keeps names of 255 bytes and a NUL. */
	REASON_MAX = CS_MAX_NAME_LENGTH - 1,
};

struct shutdown {
	struct event event;
	corosync_cfg_shutdown_flags_t flags;
};

/* What corosync_cfg_ring_status_get allocates. */
struct ring_status {
	char **interfaces;
	char **statuses;
	unsigned int count;
};

static int push_shutdown(lua_State *L, const struct event *event)
{
	const struct shutdown *shutdown = (const void *)event;

	push_name(L, shutdowns, shutdown->flags);
	return 1;
}

static const struct event_kind kinds[] = {
	[KIND_SHUTDOWN] = {"shutdown", push_shutdown},
	{NULL, NULL},
};

static void set_host(lua_State *L, const char *key, const char *host)
{
	lua_pushlstring(L, host, strnlen(host, CFG_MAX_HOST_LEN));
	lua_setfield(L, -2, key);
}

static void push_link(lua_State *L, unsigned int number,
		      const struct corosync_knet_link_status_v1 *link)
{
	lua_createtable(L, 0, 7);
	set_integer(L, "link", number);
	set_boolean(L, "enabled", link->enabled != 0);
	set_boolean(L, "connected", link->connected != 0);
	set_boolean(L, "dynconnected", link->dynconnected != 0);
	set_integer(L, "mtu", link->mtu);
	set_host(L, "src_ipaddr", link->src_ipaddr);
	set_host(L, "dst_ipaddr", link->dst_ipaddr);
}

/* The links that are configured: the rest of the array is empty. */
static void push_links(lua_State *L,
		       const struct corosync_knet_link_status_v1 *links)
{
	lua_Integer count = 0;

	lua_newtable(L);
	for (unsigned int i = 0; i < CFG_MAX_LINKS; i++) {
		if (!links[i].enabled && links[i].src_ipaddr[0] == '\0')
			continue;
		push_link(L, i, &links[i]);
		lua_rawseti(L, -2, ++count);
	}
}

static void push_node_status(lua_State *L,
			     const struct corosync_cfg_node_status_v1 *status)
{
	lua_createtable(L, 0, 8);
	set_integer(L, "nodeid", status->nodeid);
	set_boolean(L, "reachable", status->reachable != 0);
	set_boolean(L, "remote", status->remote != 0);
	set_boolean(L, "external", status->external != 0);
	set_integer(L, "onwire_min", status->onwire_min);
	set_integer(L, "onwire_max", status->onwire_max);
	set_integer(L, "onwire_ver", status->onwire_ver);
	push_links(L, status->link_status);
	lua_setfield(L, -2, "links");
}

/* A function of Lua, called protected: what it reads must be freed after. */
static int push_ring_status(lua_State *L)
{
	const struct ring_status *status = lua_touserdata(L, 1);

	lua_createtable(L, (int)status->count, 0);
	for (unsigned int i = 0; i < status->count; i++) {
		lua_createtable(L, 0, 2);
		set_string(L, "interface", status->interfaces[i]);
		set_string(L, "status", status->statuses[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* nil for an address that is not in use. */
static void push_address(lua_State *L,
			 const corosync_cfg_node_address_t *address)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct sockaddr_in6 storage;
	const struct sockaddr_in *in = (const void *)&storage;

	memcpy(&storage, address->address, sizeof storage);
	if (storage.sin6_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
	else if (storage.sin6_family == AF_INET6)
		inet_ntop(AF_INET6, &storage.sin6_addr, text, sizeof text);
	if (text[0] != '\0')
		lua_pushstring(L, text);
	else
		lua_pushnil(L);
}

static void on_shutdown(corosync_cfg_handle_t id,
			corosync_cfg_shutdown_flags_t flags)
{
	struct shutdown *shutdown =
		handle_add_event(KIND_SHUTDOWN, sizeof *shutdown);

	(void)id;
	if (shutdown != NULL)
		shutdown->flags = flags;
}

/*
 * cfg.initialize(callbacks) -> handle | nil, message, code
 *
 * Connects to the local daemon. The callback shutdown(handle, flags) is called
 * after trackstart when somebody asks for a shutdown; flags is "request",
 * "regardless" or "immediate".
 */
static cs_error_t control_connect(struct connection *connection)
{
	const corosync_cfg_callbacks_t callbacks = {
		.corosync_cfg_shutdown_callback = on_shutdown,
	};

	return corosync_cfg_initialize(&connection->id, &callbacks);
}

static void free_strings(char **strings, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		free(strings[i]);
	free(strings);
}

/*
 * handle:ring_status_get() -> { { interface =, status = }, ... }
 *                           | nil, message, code
 *
 * The links of this node and what the daemon says of each, in its own words.
 */
static cs_error_t ring_status_get(lua_State *L)
{
	struct ring_status status = {0};
	cs_error_t err =
		corosync_cfg_ring_status_get(check_id(L), &status.interfaces,
					     &status.statuses, &status.count);
	int result;

	if (err != CS_OK)
		return err;
	lua_pushcfunction(L, push_ring_status);
	lua_pushlightuserdata(L, &status);
	result = lua_pcall(L, 1, 1, 0);
	free_strings(status.interfaces, status.count);
	free_strings(status.statuses, status.count);
	if (result != LUA_OK)
		lua_error(L);
	return CS_OK;
}

/*
 * handle:node_status_get(nodeid) -> table | nil, message, code
 *
 * Whether a node is reached, with the protocol versions and the links to it. A
 * node that nobody knows is one that is not reached; with knet it is
 * "ERR_FAILED_OPERATION".
 */
static cs_error_t node_status_get(lua_State *L)
{
	struct corosync_cfg_node_status_v1 status = {0};
	cs_error_t err =
		corosync_cfg_node_status_get(check_id(L), check_nodeid(L, 2, 1),
					     CFG_NODE_STATUS_V1, &status);

	if (err == CS_OK)
		push_node_status(L, &status);
	return err;
}

/*
 * handle:kill_node(nodeid, reason) -> true | nil, message, code
 *
 * Makes the daemon of a member exit; its log holds the reason. Another node
 * gives "ERR_NOT_EXIST".
 *
 * Without a daemon corosync_cfg_kill_node answers at random, so a call that
 * needs one comes first.
 */
static cs_error_t kill_node(lua_State *L)
{
	uint64_t id = check_id(L);
	unsigned int nodeid = check_nodeid(L, 2, 1);
	const char *reason = check_text(L, 3, "reason", 0, REASON_MAX, NULL);
	unsigned int local;
	cs_error_t err = corosync_cfg_local_get(id, &local);

	return err == CS_OK ? corosync_cfg_kill_node(id, nodeid, reason) : err;
}

/*
 * handle:trackstart() -> true | nil, message, code
 *
 * Asks for the event shutdown, and makes this handle one of those that must
 * agree to a shutdown with replyto_shutdown.
 */
static cs_error_t trackstart(uint64_t id)
{
	return corosync_cfg_trackstart(id, 0);
}

/*
 * handle:try_shutdown("request" | "regardless" | "immediate")
 *   -> true | nil, message, code
 *
 * Ends the daemon of this node. The first two ask all handles that track, and
 * block until they have answered or cfg.shutdown_timeout (5 s) has passed;
 * "request" then gives "ERR_BUSY" unless all have agreed.
 */
static cs_error_t try_shutdown(lua_State *L)
{
	unsigned int flags = check_name(L, 2, "flags", shutdowns);

	return corosync_cfg_try_shutdown(check_id(L),
					 (corosync_cfg_shutdown_flags_t)flags);
}

/*
 * handle:replyto_shutdown("yes" | "no") -> true | nil, message, code
 *
 * Answers the event shutdown. The library does not tell whether anybody had
 * asked.
 */
static cs_error_t replyto_shutdown(lua_State *L)
{
	unsigned int reply = check_name(L, 2, "reply", replies);

	return corosync_cfg_replyto_shutdown(
		check_id(L), (corosync_cfg_shutdown_reply_flags_t)reply);
}

/*
 * handle:get_node_addrs(nodeid) -> { address, ... } | nil, message, code
 *
 * The addresses of a node as strings, one for each link in use; node 0 is this
 * one. An unknown node gives "ERR_NOT_EXIST".
 */
static cs_error_t get_node_addrs(lua_State *L)
{
	corosync_cfg_node_address_t addresses[CFG_MAX_LINKS] = {0};
	int count = 0;
	lua_Integer used = 0;
	cs_error_t err =
		corosync_cfg_get_node_addrs(check_id(L), check_nodeid(L, 2, 0),
					    CFG_MAX_LINKS, &count, addresses);

	if (err != CS_OK)
		return err;
	lua_newtable(L);
	for (int i = 0; i < count && i < CFG_MAX_LINKS; i++) {
		push_address(L, &addresses[i]);
		if (lua_isnil(L, -1))
			lua_pop(L, 1);
		else
			lua_rawseti(L, -2, ++used);
	}
	return CS_OK;
}

/*
 * handle:trackstop(), handle:reload_config(), handle:reopen_log_files()
 *   -> true | nil, message, code
 * handle:local_get() -> nodeid | nil, message, code
 *
 * reload_config makes all nodes read their corosync.conf again.
 */
static const struct verb verbs[] = {
	{"ring_status_get", .make = ring_status_get},
	{"node_status_get", .make = node_status_get},
	{"kill_node", .make = kill_node},
	{"trackstart", .plain = trackstart},
	{"trackstop", .plain = corosync_cfg_trackstop},
	{"try_shutdown", .make = try_shutdown},
	{"replyto_shutdown", .make = replyto_shutdown},
	{"get_node_addrs", .make = get_node_addrs},
	{"local_get", .number = corosync_cfg_local_get},
	{"reload_config", .plain = corosync_cfg_reload_config},
	{"reopen_log_files", .plain = corosync_cfg_reopen_log_files},
	{.name = NULL},
};

static const struct library library = {
	.type = "corosync.cfg",
	.prefix = "corosync_cfg",
	.initialize_name = "corosync_cfg_initialize",
	.kinds = kinds,
	.size = sizeof(struct handle),
	.connect = control_connect,
	.dispatch = corosync_cfg_dispatch,
	.fd_get = corosync_cfg_fd_get,
	.finalize = corosync_cfg_finalize,
	.verbs = verbs,
};

MODULE(corosync_cfg)
{
	return open_library(L, &library, NULL);
}
