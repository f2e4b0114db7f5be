/* Events with rings and nodes: copied in a callback, pushed behind it. */
#include "corosync/ring_events.h"

#include <string.h>

#include "corosync/dispatch.h"
#include "corosync/ring.h"

struct ring_event *add_ring_event(int kind, uint32_t nodeid, uint64_t seq,
				  const struct tap_nodes nodes[], size_t lists)
{
	struct ring_event *event;
	uint32_t *end;
	size_t count = 0;

	for (size_t i = 0; i < lists; i++)
		count += nodes[i].count;
	event = handle_add_event(kind, sizeof *event + count * sizeof *end);
	if (event == NULL)
		return NULL;
	event->nodeid = nodeid;
	event->seq = seq;
	event->lists = lists;
	end = event->nodeids;
	for (size_t i = 0; i < lists; i++) {
		event->counts[i] = nodes[i].count;
		if (nodes[i].count > 0)
			memcpy(end, nodes[i].list,
			       nodes[i].count * sizeof *end);
		end += nodes[i].count;
	}
	return event;
}

int push_ring_event(lua_State *L, const struct event *event)
{
	const struct ring_event *told = (const void *)event;
	const uint32_t *nodeids = told->nodeids;

	push_ring(L, told->nodeid, told->seq);
	for (size_t i = 0; i < told->lists; i++) {
		push_nodeids(L, nodeids, told->counts[i]);
		nodeids += told->counts[i];
	}
	return 1 + (int)told->lists;
}
