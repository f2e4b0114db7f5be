#ifndef COROLUA_SWITCH_REPORT_H
#define COROLUA_SWITCH_REPORT_H

#include <lua.h>

#include "switch/shared.h"

/* A range of links in which the cells of a pair of nodes are meant. */
struct links {
	unsigned int first;
	unsigned int last;
};

/*
 * The counters as a table: [from][to] has those of a pair, the sum over the
 * links; ports those of each port by its name.
 */
void push_counters(lua_State *L, struct shared *shared,
		   const struct links *links);

#endif
