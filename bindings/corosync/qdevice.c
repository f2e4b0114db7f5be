/*
 * The calls of a quorum device, a client that casts further votes for one
 * partition. The daemon takes them under the name of the registered device.
 */
#include "corosync/qdevice.h"

#include "common/args.h"
#include "corosync/handle.h"
#include "corosync/ring.h"

enum { QDEVICE_NAME_MAX = VOTEQUORUM_QDEVICE_MAX_NAME_LEN - 1 };

static const char *check_qdevice(lua_State *L, int arg, const char *what)
{
	return check_text(L, arg, what, 1, QDEVICE_NAME_MAX, NULL);
}

/* handle:qdevice_register(name) -> true | nil, message, code */
cs_error_t qdevice_register(lua_State *L)
{
	return votequorum_qdevice_register(check_id(L),
					   check_qdevice(L, 2, "name"));
}

/* handle:qdevice_unregister(name) -> true | nil, message, code */
cs_error_t qdevice_unregister(lua_State *L)
{
	return votequorum_qdevice_unregister(check_id(L),
					     check_qdevice(L, 2, "name"));
}

/* handle:qdevice_update(old, new) -> true | nil, message, code */
cs_error_t qdevice_update(lua_State *L)
{
	const char *old = check_qdevice(L, 2, "old name");
	const char *new = check_qdevice(L, 3, "new name");

	return votequorum_qdevice_update(check_id(L), old, new);
}

static bool get_field(lua_State *L, int arg, const char *key, lua_Integer max,
		      lua_Integer *value)
{
	int exact;

	lua_getfield(L, arg, key);
	*value = lua_tointegerx(L, -1, &exact);
	lua_pop(L, 1);
	return exact && *value >= 0 && *value <= max;
}

/* The ring that push_ring made, or one that a script wrote. */
static votequorum_ring_id_t check_ring(lua_State *L, int arg)
{
	lua_Integer nodeid = 0;
	lua_Integer seq = 0;

	if (!lua_istable(L, arg) ||
	    !get_field(L, arg, "nodeid", UINT32_MAX, &nodeid) ||
	    !get_field(L, arg, "seq", LUA_MAXINTEGER, &seq))
		luaL_argerror(L, arg,
			      "ring must be { nodeid =, seq = } as nodelist "
			      "gives it");
	return (votequorum_ring_id_t){
		.nodeid = (uint32_t)nodeid,
		.seq = (uint64_t)seq,
	};
}

/*
 * handle:qdevice_poll(name, cast_vote, ring) -> true | nil, message, code
 *
 * Says that the registered device is alive, and whether it votes for this
 * partition. The ring is that of the last nodelist event; with any other one
 * the answer is "ERR_MESSAGE_ERROR" and nothing changes.
 */
cs_error_t qdevice_poll(lua_State *L)
{
	const char *name = check_qdevice(L, 2, "name");
	bool cast_vote = check_boolean(L, 3, "cast_vote");
	votequorum_ring_id_t ring = check_ring(L, 4);

	/* Last, as the ring may have run whatever its metatable says. */
	return votequorum_qdevice_poll(check_id(L), name, cast_vote, ring);
}

/* handle:qdevice_master_wins(name, allow) -> true | nil, message, code */
cs_error_t qdevice_master_wins(lua_State *L)
{
	const char *name = check_qdevice(L, 2, "name");
	bool allow = check_boolean(L, 3, "allow");

	return votequorum_qdevice_master_wins(check_id(L), name, allow);
}

#if HAVE_VOTEQUORUM_QDEVICE_EXTRA_INFO
/*
 * For an unknown node, or where a device may not operate, the daemon answers
 * with a length that nobody wrote, and the library copies so much. What fails
 * for a name that no device has, and for a node, says so before.
 */
static cs_error_t check_extra_info(votequorum_handle_t id, unsigned int nodeid)
{
	struct roomy_info roomy;
	cs_error_t err = votequorum_qdevice_master_wins(id, "", 0);

	if (err != CS_ERR_NOT_EXIST && err != CS_ERR_INVALID_PARAM)
		return err;
	return votequorum_getinfo(id, nodeid, &roomy.info);
}

/*
 * handle:get_qdevice_extra_info(nodeid) -> string | nil, message, code
 *
 * Node 0 raises: corosync takes it for the device itself, which has none.
 */
cs_error_t qdevice_extra_info_get(lua_State *L)
{
	uint64_t id = check_id(L);
	uint32_t nodeid = check_nodeid(L, 2, 1);
	char bytes[VOTEQUORUM_QDEVICE_EXTRA_NODEINFO_MAXSIZE];
	uint32_t length = 0;
	cs_error_t err = check_extra_info(id, nodeid);

	if (err == CS_OK)
		err = votequorum_get_qdevice_extra_info(id, nodeid, &length,
							bytes);
	if (err == CS_OK)
		lua_pushlstring(L, bytes, length);
	return err;
}

/* handle:set_qdevice_extra_info(bytes) -> true | nil, message, code */
cs_error_t qdevice_extra_info_set(lua_State *L)
{
	size_t length;
	const char *bytes =
		check_bytes(L, 2, "extra info",
			    VOTEQUORUM_QDEVICE_EXTRA_NODEINFO_MAXSIZE, &length);

	return votequorum_set_qdevice_extra_info(check_id(L), (uint32_t)length,
						 bytes);
}
#endif
