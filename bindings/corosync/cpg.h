#ifndef COROLUA_CPG_H
#define COROLUA_CPG_H

#include <corosync/cpg.h>
#include <stdint.h>

#include "corosync/handle.h"

/*
 * The handle of corosync.cpg, and what its files have of one another: its
 * methods are in cpg.c, the events in cpg_events.c, join and leave in
 * cpg_jobs.c.
 */
enum state { STATE_NEW, STATE_JOINED, STATE_LEAVING, STATE_LEFT };

struct cpg {
	struct handle handle;
	enum state state;
	struct cpg_name group; /* once joined */
	uint32_t nodeid;       /* own one, once joined */
	/* Of the latest message; its object is the user value SENDER_VALUE. */
	uint32_t sender_nodeid;
	uint32_t sender_pid;
};

extern const struct event_kind group_kinds[];

/* The user values of a handle behind its three handlers: the name of its group
 * once it has joined, and the sender of the latest message. */
enum {
	GROUP_VALUE = HANDLER_VALUE + 3,
	SENDER_VALUE,
	GROUP_VALUES = 2,
};

/* cpg_model_initialize with the callbacks of the events. */
cs_error_t group_connect(struct connection *connection);

/* A trace is told what became of a payload. */
void group_tell_sent(struct life *life, cs_error_t err,
		     const struct iovec *payload);

/* The calls that wait for the daemon. */
enum { GROUP_JOIN, GROUP_LEAVE };

extern const struct blocking group_jobs[];

/* The group name at arg. */
void check_group(lua_State *L, int arg, struct cpg_name *group);

/* An array of member objects. */
void push_members(lua_State *L, const struct cpg_address *list, size_t count);

#endif
