/*
 * Calls of corosync.cpg that corolua.worker makes in a thread of its own, as
 * the daemon may be slow to answer them.
 */
#include "corosync/cpg.h"

#include <lauxlib.h>
#include <unistd.h>

#include "corosync/blocking.h"
#include "corosync/member.h"

/* A call of a handle that a worker makes. */
struct call {
	struct job job;
	struct cpg_name group;
	uint32_t nodeid;
};

static void check_join_job(lua_State *L, int arg, struct handle *handle,
			   struct job *job)
{
	check_group(L, arg, &((struct call *)job)->group);
	if (((struct cpg *)handle)->state != STATE_NEW)
		luaL_error(L, JOINED_BEFORE);
	lua_pushvalue(L, arg);
	lua_setiuservalue(L, 1, GROUP_VALUE);
}

static cs_error_t run_join_job(struct job *job)
{
	struct call *call = (struct call *)job;
	cs_error_t err = cpg_local_get(job->id, &call->nodeid);

	return err == CS_OK ? cpg_join(job->id, &call->group) : err;
}

/* The own member object, which the JOIN is known by. */
static int push_join_job(lua_State *L, struct handle *handle,
			 const struct job *job)
{
	const struct call *call = (const struct call *)job;
	struct cpg *self = (struct cpg *)handle;

	self->group = call->group;
	self->state = STATE_JOINED;
	push_member(L, call->nodeid, (uint32_t)getpid());
	return 1;
}

static void check_leave_job(lua_State *L, int arg, struct handle *handle,
			    struct job *job)
{
	const struct cpg *self = (struct cpg *)handle;

	(void)arg;
	if (self->state != STATE_JOINED)
		luaL_error(L, "the handle is not joined");
	((struct call *)job)->group = self->group;
}

static cs_error_t run_leave_job(struct job *job)
{
	struct call *call = (struct call *)job;
	cs_error_t err = cpg_local_get(job->id, &call->nodeid);

	return err == CS_OK ? cpg_leave(job->id, &call->group) : err;
}

static int push_leave_job(lua_State *L, struct handle *handle,
			  const struct job *job)
{
	struct cpg *self = (struct cpg *)handle;

	self->nodeid = ((const struct call *)job)->nodeid;
	self->state = STATE_LEAVING;
	lua_pushboolean(L, 1);
	return 1;
}

const struct blocking group_jobs[] = {
	{"join", "cpg_join", sizeof(struct call), check_join_job, run_join_job,
	 push_join_job},
	{"leave", "cpg_leave", sizeof(struct call), check_leave_job,
	 run_leave_job, push_leave_job},
	{NULL, NULL, 0, NULL, NULL, NULL},
};
