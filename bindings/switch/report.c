/* The counters of the shared memory as tables of Lua. */
#include "switch/report.h"

#include "common/fields.h"

static const char *const cell_counters[CELL_COUNTERS] = {
	"offered",    "forwarded", "blocked",   "lost",
	"duplicated", "reordered", "corrupted", "discarded",
	"delayed",    "overflow",  "refused",   "queued",
};

static const char *const port_counters[PORT_COUNTERS] = {
	"received", "dropped", "oversized", "unwanted", "overrun",
};

static void push_port(lua_State *L, struct switch_port *port)
{
	lua_newtable(L);
	for (size_t i = 0; i < PORT_COUNTERS; i++)
		set_integer(L, port_counters[i],
			    (lua_Integer)counter_read(&port->counters[i]));
	set_integer(L, "slots", (lua_Integer)port->slots);
}

static void push_ports(lua_State *L, struct shared *shared)
{
	lua_newtable(L);
	for (unsigned int i = 0; i < shared->ports; i++) {
		push_port(L, &shared->port[i]);
		lua_setfield(L, -2, shared->port[i].name);
	}
}

static void push_cell(lua_State *L, struct shared *shared,
		      const struct links *links, unsigned int from,
		      unsigned int to)
{
	lua_newtable(L);
	for (size_t i = 0; i < CELL_COUNTERS; i++) {
		uint64_t sum = 0;

		for (unsigned int link = links->first; link <= links->last;
		     link++)
			sum += counter_read(
				&shared->slot[slot_index(shared, link, from,
							 to)]
					 .counters[i]);
		set_integer(L, cell_counters[i], (lua_Integer)sum);
	}
}

static void push_row(lua_State *L, struct shared *shared,
		     const struct links *links, unsigned int from)
{
	lua_newtable(L);
	for (unsigned int to = 1; to <= shared->nodes; to++) {
		if (to == from)
			continue;
		push_cell(L, shared, links, from, to);
		lua_seti(L, -2, to);
	}
}

void push_counters(lua_State *L, struct shared *shared,
		   const struct links *links)
{
	lua_newtable(L);
	for (unsigned int from = 1; from <= shared->nodes; from++) {
		push_row(L, shared, links, from);
		lua_seti(L, -2, from);
	}
	push_ports(L, shared);
	lua_setfield(L, -2, "ports");
	set_integer(L, "captured",
		    (lua_Integer)counter_read(&shared->captured));
	set_integer(L, "uncaptured",
		    (lua_Integer)counter_read(&shared->uncaptured));
}
