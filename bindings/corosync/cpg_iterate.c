/* handle:iterate: what groups there are, and who is in them. */
#include "corosync/cpg.h"

#include "common/args.h"
#include "common/status.h"
#include "corosync/iterate.h"
#include "corosync/member.h"

static const struct name iterations[] = {
	{CPG_ITERATION_NAME_ONLY, "name_only"},
	{CPG_ITERATION_ONE_GROUP, "one_group"},
	{CPG_ITERATION_ALL, "all"},
	{0, NULL},
};

static cs_error_t push_next(lua_State *L, const struct iteration *iteration)
{
	struct cpg_iteration_description_t found;
	cs_error_t err = cpg_iteration_next(iteration->id, &found);

	if (err != CS_OK)
		return err;
	lua_createtable(L, 0, 2);
	lua_pushlstring(L, found.group.value, found.group.length);
	lua_setfield(L, -2, "group");
	if (iteration->kind != CPG_ITERATION_NAME_ONLY) {
		push_member(L, found.nodeid, found.pid);
		lua_setfield(L, -2, "member");
	}
	return CS_OK;
}

static void finalize(const struct iteration *iteration)
{
	cpg_iteration_finalize(iteration->id);
}

/*
 * handle:iterate("all" | "one_group" | "name_only", group)
 *   -> iterator of { group =, member = } | nil, message, code
 *
 * What groups there are and who is in them, as one snapshot of the daemon.
 * "one_group" wants the group; "name_only" gives no members.
 */
int group_iterate(lua_State *L)
{
	const struct cpg *self = check_handle(L);
	unsigned int kind = check_name(L, 2, "kind", iterations);
	bool one = kind == CPG_ITERATION_ONE_GROUP;
	struct cpg_name group;
	struct iteration iteration = {
		.width = 1,
		.call = "cpg_iteration_next",
		.kind = kind,
		.next = push_next,
		.finalize = finalize,
	};
	cs_error_t err;

	if (one)
		check_group(L, 3, &group);
	err = cpg_iteration_initialize(self->handle.id,
				       (cpg_iteration_type_t)kind,
				       one ? &group : NULL, &iteration.id);
	if (err != CS_OK)
		return push_failure(L, "cpg_iteration_initialize", err);
	return push_iterator(L, &iteration);
}
