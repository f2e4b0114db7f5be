/* The counters of the shared memory as tables of Lua. */
#include "switch/report.h"

#include "common/fields.h"

struct counter {
	const char *name;
	size_t offset;
};

static const struct counter cell_counters[] = {
	{"offered", offsetof(struct switch_counters, offered)},
	{"forwarded", offsetof(struct switch_counters, forwarded)},
	{"blocked", offsetof(struct switch_counters, blocked)},
	{"lost", offsetof(struct switch_counters, lost)},
	{"duplicated", offsetof(struct switch_counters, duplicated)},
	{"reordered", offsetof(struct switch_counters, reordered)},
	{"corrupted", offsetof(struct switch_counters, corrupted)},
	{"discarded", offsetof(struct switch_counters, discarded)},
	{"delayed", offsetof(struct switch_counters, delayed)},
	{"overflow", offsetof(struct switch_counters, overflow)},
	{"refused", offsetof(struct switch_counters, refused)},
	{"queued", offsetof(struct switch_counters, queued)},
	{NULL, 0},
};

static const struct counter port_counters[] = {
	{"received", offsetof(struct switch_port, received)},
	{"dropped", offsetof(struct switch_port, dropped)},
	{"oversized", offsetof(struct switch_port, oversized)},
	{"unwanted", offsetof(struct switch_port, unwanted)},
	{"overrun", offsetof(struct switch_port, overrun)},
	{NULL, 0},
};

static uint64_t counter_at(const void *base, size_t offset)
{
	return switch_read((_Atomic uint64_t *)((uintptr_t)base + offset));
}

static void push_port(lua_State *L, const struct switch_port *port)
{
	lua_newtable(L);
	for (size_t i = 0; port_counters[i].name != NULL; i++) {
		uint64_t value = counter_at(port, port_counters[i].offset);

		set_integer(L, port_counters[i].name, (lua_Integer)value);
	}
	set_integer(L, "slots", (lua_Integer)port->slots);
}

static void push_ports(lua_State *L, const struct switch_shared *shared)
{
	lua_newtable(L);
	for (unsigned int i = 0; i < shared->ports; i++) {
		push_port(L, &shared->port[i]);
		lua_setfield(L, -2, shared->port[i].name);
	}
}

static void push_cell(lua_State *L, const struct switch_shared *shared,
		      const struct links *links, unsigned int from,
		      unsigned int to)
{
	lua_newtable(L);
	for (size_t i = 0; cell_counters[i].name != NULL; i++) {
		uint64_t sum = 0;

		for (unsigned int link = links->first; link <= links->last;
		     link++) {
			size_t at = switch_index(shared, link, from, to);

			sum += counter_at(&shared->slot[at].counters,
					  cell_counters[i].offset);
		}
		set_integer(L, cell_counters[i].name, (lua_Integer)sum);
	}
}

static void push_row(lua_State *L, const struct switch_shared *shared,
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

void push_counters(lua_State *L, struct switch_shared *shared,
		   const struct links *links)
{
	lua_newtable(L);
	for (unsigned int from = 1; from <= shared->nodes; from++) {
		push_row(L, shared, links, from);
		lua_seti(L, -2, from);
	}
	push_ports(L, shared);
	lua_setfield(L, -2, "ports");
	set_integer(L, "captured", (lua_Integer)switch_read(&shared->captured));
	set_integer(L, "uncaptured",
		    (lua_Integer)switch_read(&shared->uncaptured));
}
