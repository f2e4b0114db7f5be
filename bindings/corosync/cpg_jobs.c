/* The calls of corosync.cpg that wait for the daemon: see blocking.h. */
#include "corosync/cpg.h"

#include <lauxlib.h>
#include <unistd.h>

#include "corosync/blocking.h"
#include "corosync/member.h"

struct group_job {
	struct job job;
	struct cpg_name group;
	uint32_t nodeid;
};

static void check_join(lua_State *L, int arg, struct handle *handle,
		       struct job *job)
{
	check_group(L, arg, &((struct group_job *)job)->group);
	if (((struct cpg *)handle)->state != STATE_NEW)
		luaL_error(L, "the handle has joined a group before; open a "
			      "new one for each join");
	lua_pushvalue(L, arg);
	lua_setiuservalue(L, 1, GROUP_VALUE);
}

static cs_error_t run_join(struct job *job)
{
	struct group_job *join = (struct group_job *)job;
	cs_error_t err = cpg_local_get(job->id, &join->nodeid);

	return err == CS_OK ? cpg_join(job->id, &join->group) : err;
}

/* The own member object, which the JOIN is known by. */
static int push_join(lua_State *L, struct handle *handle, const struct job *job)
{
	const struct group_job *join = (const struct group_job *)job;
	struct cpg *self = (struct cpg *)handle;

	self->group = join->group;
	self->nodeid = join->nodeid;
	self->state = STATE_JOINED;
	push_member(L, join->nodeid, (uint32_t)getpid());
	return 1;
}

static void check_leave(lua_State *L, int arg, struct handle *handle,
			struct job *job)
{
	const struct cpg *self = (struct cpg *)handle;

	(void)arg;
	if (self->state != STATE_JOINED)
		luaL_error(L, "the handle is not joined");
	((struct group_job *)job)->group = self->group;
}

static cs_error_t run_leave(struct job *job)
{
	return cpg_leave(job->id, &((struct group_job *)job)->group);
}

static int push_leave(lua_State *L, struct handle *handle,
		      const struct job *job)
{
	(void)job;
	((struct cpg *)handle)->state = STATE_LEAVING;
	lua_pushboolean(L, 1);
	return 1;
}

const struct blocking group_jobs[] = {
	[GROUP_JOIN] = {"join", "cpg_join", sizeof(struct group_job),
			check_join, run_join, push_join},
	[GROUP_LEAVE] = {"leave", "cpg_leave", sizeof(struct group_job),
			 check_leave, run_leave, push_leave},
	{NULL, NULL, 0, NULL, NULL, NULL},
};
