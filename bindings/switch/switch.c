/*
 * corolua.switch: a process that forwards frames between the cables of a lab's
 * nodes, and does to them in each direction what a script says. This file is
 * the script's side; engine.c is the process.
 */
#include <lauxlib.h>
#include <string.h>

#include "common/args.h"
#include "common/class.h"
#include "common/fields.h"
#include "common/module.h"
#include "common/options.h"
#include "switch/options.h"
#include "switch/start.h"

#define SWITCH_NAME "corolua.switch"

enum { RING_LEAST = 64 * 1024, RING_DEFAULT = 64 * 1024 * 1024 };

/* A range of links in which the cells of a pair of nodes are meant. */
struct links {
	unsigned int first;
	unsigned int last;
};

static const char *const cell_counters[CELL_COUNTERS] = {
	"offered",    "forwarded", "blocked",   "lost",
	"duplicated", "reordered", "corrupted", "discarded",
	"delayed",    "overflow",  "refused",   "queued",
};

static const char *const port_counters[PORT_COUNTERS] = {
	"received", "dropped", "oversized", "unwanted", "overrun",
};

static int push_switch_failure(lua_State *L, const struct failure *failure)
{
	lua_pushnil(L);
	lua_pushstring(L, failure->text);
	lua_pushstring(L, strerrorname_np(failure->error));
	return 3;
}

static struct process *check_any(lua_State *L)
{
	return luaL_checkudata(L, 1, SWITCH_NAME);
}

static struct process *check_switch(lua_State *L)
{
	struct process *process = check_any(L);

	if (process->control < 0)
		luaL_error(L, "the switch is closed");
	return process;
}

/*
 * Pushes a copy of the shared memory, for what pushes more, or reads tables of
 * the script: both may run what closes the switch.
 */
static struct shared *push_copy(lua_State *L)
{
	size_t size = check_switch(L)->size;
	struct shared *copy = lua_newuserdatauv(L, size, 0);

	memcpy(copy, (const void *)check_switch(L)->shared, size);
	return copy;
}

/* The link at arg, or all of them. */
static struct links check_links(lua_State *L, int arg,
				const struct shared *shared)
{
	struct links links = {0, shared->links - 1};

	if (!lua_isnoneornil(L, arg))
		links.first = links.last = (unsigned int)check_range(
			L, arg, "link", 0, (lua_Integer)shared->links - 1);
	return links;
}

static void stage(struct shared *shared, const struct links *links,
		  unsigned int from, unsigned int to,
		  const struct faults *faults)
{
	for (unsigned int link = links->first; link <= links->last; link++) {
		size_t at = slot_index(shared, link, from, to);

		shared->slot[at].staged = *faults;
		shared->slot[at].changed = true;
	}
}

/* A request that failed leaves nothing for the next one. */
static void unstage_all(struct shared *shared)
{
	for (size_t i = 0; i < cell_count(shared); i++)
		shared->slot[i].changed = false;
}

static void stage_all(struct shared *shared, const struct shared *draft)
{
	for (size_t i = 0; i < cell_count(shared); i++) {
		shared->slot[i].staged = draft->slot[i].staged;
		shared->slot[i].changed = draft->slot[i].changed;
	}
}

static int push_request(lua_State *L, struct process *process,
			enum request kind)
{
	struct failure failure;

	if (!process_request(process, kind, &failure))
		return push_switch_failure(L, &failure);
	lua_pushboolean(L, 1);
	return 1;
}

/* switch:ready() -> true | nil, message, code */
static int switch_ready(lua_State *L)
{
	return push_request(L, check_switch(L), REQUEST_SYNC);
}

/* switch:set(from, to, faults, link) -> true | nil, message, code */
static int switch_set(lua_State *L)
{
	struct process *process = check_switch(L);
	struct shared *shared = process->shared;
	lua_Integer from = check_range(L, 2, "from", 1, shared->nodes);
	lua_Integer to = check_range(L, 3, "to", 1, shared->nodes);
	struct links links = check_links(L, 5, shared);
	struct faults faults;

	luaL_argcheck(L, from != to, 3, "from and to are the same node");
	check_faults(L, 4, 4, &faults);
	/* Once more, as the faults may have closed it. */
	check_switch(L);
	unstage_all(shared);
	stage(shared, &links, (unsigned int)from, (unsigned int)to, &faults);
	return push_request(L, process, REQUEST_APPLY);
}

/* A node's number in a list's entry, which is on top of the stack. */
static unsigned int check_entry_node(lua_State *L, int at, unsigned int nodes)
{
	lua_Integer node;
	int exact;

	lua_geti(L, -1, at);
	node = lua_tointegerx(L, -1, &exact);
	if (!exact || node < 1 || node > nodes)
		raise_argument(L, 2,
			       "an entry is { from, to, faults, link } with "
			       "nodes of 1 to %d, got %s",
			       (int)nodes, luaL_tolstring(L, -1, NULL));
	lua_pop(L, 1);
	return (unsigned int)node;
}

static void stage_entry(lua_State *L, struct shared *shared)
{
	unsigned int from = check_entry_node(L, 1, shared->nodes);
	unsigned int to = check_entry_node(L, 2, shared->nodes);
	struct links links = {0, shared->links - 1};
	struct faults faults;
	int exact = 1;

	luaL_argcheck(L, from != to, 2, "an entry has one node twice");
	lua_geti(L, -1, 3);
	check_faults(L, 2, -1, &faults);
	if (lua_geti(L, -2, 4) != LUA_TNIL)
		links.first = links.last =
			(unsigned int)lua_tointegerx(L, -1, &exact);
	luaL_argcheck(L, exact && links.last < shared->links, 2,
		      "an entry's link is none of this switch");
	lua_pop(L, 2);
	stage(shared, &links, from, to, &faults);
}

/* switch:apply({ { from, to, faults, link }, … })
 *   -> true | nil, message, code */
static int switch_apply(lua_State *L)
{
	struct process *process = check_switch(L);
	struct shared *draft;
	lua_Integer count;

	luaL_checktype(L, 2, LUA_TTABLE);
	draft = push_copy(L);
	unstage_all(draft);
	count = luaL_len(L, 2);
	for (lua_Integer i = 1; i <= count; i++) {
		if (lua_geti(L, 2, i) != LUA_TTABLE)
			luaL_argerror(L, 2, "each entry must be a table");
		stage_entry(L, draft);
		lua_pop(L, 1);
	}
	check_switch(L);
	stage_all(process->shared, draft);
	return push_request(L, process, REQUEST_APPLY);
}

/* switch:clear() -> true | nil, message, code */
static int switch_clear(lua_State *L)
{
	struct process *process = check_switch(L);
	struct shared *shared = process->shared;

	for (size_t i = 0; i < cell_count(shared); i++) {
		shared->slot[i].staged = (struct faults){0};
		shared->slot[i].changed = true;
	}
	return push_request(L, process, REQUEST_APPLY);
}

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

/*
 * The counters as a table: [from][to] has those of a pair, the sum over the
 * links; ports those of each port by its name.
 */
static void push_counters(lua_State *L, struct shared *shared,
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

/* switch:counters(link) -> cells | nil, message, code */
static int switch_counters(lua_State *L)
{
	struct process *process = check_switch(L);
	struct links links = check_links(L, 2, process->shared);
	struct failure failure;

	if (!process_request(process, REQUEST_SYNC, &failure))
		return push_switch_failure(L, &failure);
	push_counters(L, push_copy(L), &links);
	return 1;
}

/* switch:pid() -> integer */
static int switch_pid(lua_State *L)
{
	lua_pushinteger(L, check_any(L)->pid);
	return 1;
}

/* switch:fd() -> integer */
static int switch_fd(lua_State *L)
{
	lua_pushinteger(L, check_switch(L)->control);
	return 1;
}

/* switch:alive() -> boolean */
static int switch_is_alive(lua_State *L)
{
	lua_pushboolean(L, process_alive(check_any(L)));
	return 1;
}

/* switch:close(); also <close> and the collector */
static int switch_end(lua_State *L)
{
	process_close(check_any(L));
	return 0;
}

static struct process *push_switch(lua_State *L)
{
	struct process *process = lua_newuserdatauv(L, sizeof *process, 0);

	*process = (struct process){.control = -1};
	luaL_setmetatable(L, SWITCH_NAME);
	return process;
}

/* The string stays in the options table. */
static const char *opt_path(lua_State *L)
{
	const char *path = NULL;

	if (lua_getfield(L, 1, "pcap") != LUA_TNIL) {
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1,
			      "option 'pcap' must be a path");
		path = lua_tostring(L, -1);
	}
	lua_pop(L, 1);
	return path;
}

/* switch.start({ ports =, seed =, pcap =, ring_bytes = })
 *   -> switch | nil, message, code */
static int switch_start(lua_State *L)
{
	static const char *const keys[] = {"ports", "seed", "pcap",
					   "ring_bytes", NULL};
	const struct options options = {L, 1, 1};
	struct failure failure;
	struct process *process;
	struct ports ports;
	lua_Integer seed;
	lua_Integer bytes;
	const char *path;

	luaL_checktype(L, 1, LUA_TTABLE);
	check_keys(&options, "option", keys);
	check_ports(L, 1, &ports);
	seed = option_integer(&options, "seed", LUA_MININTEGER, LUA_MAXINTEGER,
			      0);
	bytes = option_integer(&options, "ring_bytes", RING_LEAST, INT32_MAX,
			       RING_DEFAULT);
	path = opt_path(L);
	process = push_switch(L);
	if (!process_prepare(process, ports.nodes, ports.links, &failure))
		return push_switch_failure(L, &failure);
	process->shared->ports = ports.count;
	memcpy(process->shared->port, ports.port, sizeof ports.port);
	if (process_fork(process, path, (size_t)bytes, (uint64_t)seed,
			 &failure))
		return 1;
	process_close(process);
	return push_switch_failure(L, &failure);
}

static const luaL_Reg methods[] = {
	{"ready", switch_ready},
	{"set", switch_set},
	{"apply", switch_apply},
	{"clear", switch_clear},
	{"counters", switch_counters},
	{"pid", switch_pid},
	{"fd", switch_fd},
	{"alive", switch_is_alive},
	{"close", switch_end},
	{NULL, NULL},
};

static const luaL_Reg functions[] = {
	{"start", switch_start},
	{NULL, NULL},
};

MODULE(corolua_switch)
{
	register_class(L, SWITCH_NAME, methods, switch_end, switch_end);
	luaL_newlib(L, functions);
	return 1;
}
