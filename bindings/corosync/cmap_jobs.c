/*
 * The call of corosync.cmap that corolua.worker makes in a thread of its own,
 * as the daemon may be slow to answer it.
 */
#include "corosync/cmap.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "common/args.h"
#include "corosync/blocking.h"

enum { NODES_MAX = 128 };

struct join_counts {
	struct job job;
	size_t count;
	uint32_t nodeids[NODES_MAX];
	uint32_t counts[NODES_MAX];
	bool is_known[NODES_MAX];
};

static void check_join_counts(lua_State *L, int arg, struct handle *handle,
			      struct job *job)
{
	struct join_counts *call = (struct join_counts *)job;

	(void)handle;
	luaL_checktype(L, arg, LUA_TTABLE);
	call->count = (size_t)luaL_len(L, arg);
	if (call->count > NODES_MAX)
		luaL_error(L, "at most %d nodes", NODES_MAX);
	for (size_t i = 0; i < call->count; i++) {
		lua_geti(L, arg, (lua_Integer)i + 1);
		call->nodeids[i] = (uint32_t)luaL_checkinteger(L, -1);
		lua_pop(L, 1);
	}
}

/* A node that the daemon has never seen has no count. */
static cs_error_t run_join_counts(struct job *job)
{
	struct join_counts *call = (struct join_counts *)job;
	char key[CMAP_KEYNAME_MAXLEN + 1];
	cs_error_t err = CS_OK;

	for (size_t i = 0; i < call->count && err == CS_OK; i++) {
		snprintf(key, sizeof key, "runtime.members.%u.join_count",
			 (unsigned int)call->nodeids[i]);
		err = cmap_get_uint32(job->id, key, &call->counts[i]);
		call->is_known[i] = err == CS_OK;
		if (err == CS_ERR_NOT_EXIST || err == CS_ERR_INVALID_PARAM)
			err = CS_OK;
	}
	return err;
}

static int push_join_counts(lua_State *L, struct handle *handle,
			    const struct job *job)
{
	const struct join_counts *call = (const struct join_counts *)job;

	(void)handle;
	lua_createtable(L, 0, (int)call->count);
	for (size_t i = 0; i < call->count; i++) {
		if (!call->is_known[i])
			continue;
		lua_pushinteger(L, call->counts[i]);
		lua_rawseti(L, -2, (lua_Integer)call->nodeids[i]);
	}
	return 1;
}

const struct blocking map_jobs[] = {
	{
		.name = "join_counts",
		.call = "cmap_get",
		.size = sizeof(struct join_counts),
		.check = check_join_counts,
		.run = run_join_counts,
		.push = push_join_counts,
	},
	{.name = NULL},
};
