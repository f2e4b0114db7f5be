/* The tables that a script describes ports and faults with. */
#include "switch/options.h"

#include <lauxlib.h>
#include <string.h>

#include "common/args.h"
#include "common/options.h"

#define NANOSECONDS 1e9

enum { LONGEST = 3600 }; /* delay and jitter in seconds */

static const char *const port_keys[] = {"name", "node", "link", NULL};

static const char *const fault_keys[] = {
	"block",  "loss",  "duplicate", "reorder", "corrupt",
	"repair", "delay", "jitter",    "rate",    NULL,
};

static uint64_t chance(const struct options *options, const char *key)
{
	return (uint64_t)(option_number(options, key, 1) * (double)CERTAIN);
}

static uint64_t span(const struct options *options, const char *key)
{
	return (uint64_t)(option_number(options, key, LONGEST) * NANOSECONDS);
}

void check_faults(lua_State *L, int arg, int index, struct faults *faults)
{
	const struct options options = {L, arg, lua_absindex(L, index)};

	check_keys(&options, "fault", fault_keys);
	*faults = (struct faults){
		.block = option_flag(&options, "block"),
		.repair = option_flag(&options, "repair"),
		.loss = chance(&options, "loss"),
		.duplicate = chance(&options, "duplicate"),
		.reorder = chance(&options, "reorder"),
		.corrupt = chance(&options, "corrupt"),
		.delay = span(&options, "delay"),
		.jitter = span(&options, "jitter"),
		.rate = option_number(&options, "rate", 1e15),
	};
	if (faults->rate > 0 && faults->rate < 1)
		raise_argument(L, arg,
			       "option 'rate' must be at least 1 bit per "
			       "second, or 0 for no limit");
}

static void check_interface(lua_State *L, int arg, struct switch_port *port)
{
	const char *name = lua_tostring(L, -1);
	size_t length = name != NULL ? strlen(name) : 0;

	if (lua_type(L, -1) != LUA_TSTRING || length == 0 ||
	    length >= IF_NAMESIZE)
		raise_argument(L, arg,
			       "a port's name must be that of an "
			       "interface, got %s",
			       luaL_tolstring(L, -1, NULL));
	memcpy(port->name, name, length + 1);
}

/* The port on top of the stack: "v1", or { name =, node =, link = }. */
static void check_port(lua_State *L, int arg, unsigned int number,
		       struct switch_port *port)
{
	const struct options options = {L, arg, lua_gettop(L)};

	*port = (struct switch_port){.node = number};
	if (!lua_istable(L, -1)) {
		check_interface(L, arg, port);
		return;
	}
	check_keys(&options, "port option", port_keys);
	port->node = (unsigned int)option_integer(&options, "node", 1,
						  NODES_MAX, number);
	port->link = (unsigned int)option_integer(&options, "link", 0,
						  LINKS_MAX - 1, 0);
	lua_getfield(L, -1, "name");
	check_interface(L, arg, port);
	lua_pop(L, 1);
}

static void check_distinct(lua_State *L, int arg, const struct ports *ports,
			   const struct switch_port *port)
{
	for (const struct switch_port *other = ports->port; other < port;
	     other++) {
		if (strcmp(other->name, port->name) == 0)
			raise_argument(L, arg, "port '%s' is named twice",
				       port->name);
		if (other->node == port->node && other->link == port->link)
			raise_argument(L, arg,
				       "ports '%s' and '%s' are both node %d "
				       "on link %d",
				       other->name, port->name, (int)port->node,
				       (int)port->link);
	}
}

void check_ports(lua_State *L, int arg, struct ports *ports)
{
	lua_Integer count;

	*ports = (struct ports){0};
	if (lua_getfield(L, arg, "ports") != LUA_TTABLE)
		raise_argument(L, arg, "option 'ports' must be a table, got %s",
			       luaL_typename(L, -1));
	count = luaL_len(L, -1);
	if (count < 1 || count > PORTS_MAX)
		raise_argument(L, arg, "a switch has 1 to %d ports, got %I",
			       (int)PORTS_MAX, (LUAI_UACINT)count);
	for (lua_Integer i = 1; i <= count; i++) {
		struct switch_port *port = &ports->port[ports->count++];

		lua_geti(L, -1, i);
		check_port(L, arg, (unsigned int)i, port);
		check_distinct(L, arg, ports, port);
		if (port->node > ports->nodes)
			ports->nodes = port->node;
		if (port->link >= ports->links)
			ports->links = port->link + 1;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}
