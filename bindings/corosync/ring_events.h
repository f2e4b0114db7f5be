#ifndef COROLUA_RING_EVENTS_H
#define COROLUA_RING_EVENTS_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/tap.h"
#include "corosync/events.h"

/* Events that tell of a ring with lists of nodes, which three libraries have.
 */
enum { NODE_LISTS = 3 };

struct ring_event {
	struct event event;
	bool quorate; /* where the event says so */
	uint32_t nodeid;
	uint64_t seq;
	size_t lists;
	size_t counts[NODE_LISTS];
	uint32_t nodeids[]; /* the lists, one by one */
};

/* For a callback: as handle_add_event, filled. */
struct ring_event *add_ring_event(int kind, uint32_t nodeid, uint64_t seq,
				  const struct tap_nodes nodes[], size_t lists);

/* Pushes the ring and an array for each list; returns how many values. */
int push_ring_event(lua_State *L, const struct event *event);

#endif
