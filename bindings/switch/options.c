/* The tables that a script describes ports and faults with. */
#include "switch/options.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <string.h>

#include "common/args.h"

#define NANOSECONDS 1e9

enum { LONGEST = 3600 }; /* delay and jitter in seconds */

static const char *const port_keys[] = {"name", "node", "link", NULL};

static const char *const fault_keys[] = {
	"block",  "loss",  "duplicate", "reorder", "corrupt",
	"repair", "delay", "jitter",    "rate",    NULL,
};

/* A field that is an integer; otherwise's value where it is nil. */
static unsigned int integer_field(lua_State *L, int arg, int index,
				  const char *key, lua_Integer min,
				  lua_Integer max, lua_Integer otherwise)
{
	lua_Integer value = otherwise;
	int exact = 1;

	if (lua_getfield(L, index, key) != LUA_TNIL)
		value = lua_tointegerx(L, -1, &exact);
	if (!exact || value < min || value > max)
		raise_argument(L, arg,
			       "%s must be an integer of %I to %I, "
			       "got %s",
			       key, (LUAI_UACINT)min, (LUAI_UACINT)max,
			       luaL_tolstring(L, -1, NULL));
	lua_pop(L, 1);
	return (unsigned int)value;
}

static double number_field(lua_State *L, int arg, int index, const char *key,
			   double max)
{
	double value = 0;
	bool fits = true;

	if (lua_getfield(L, index, key) != LUA_TNIL) {
		fits = lua_type(L, -1) == LUA_TNUMBER;
		value = lua_tonumber(L, -1);
	}
	if (!fits || !(value >= 0 && value <= max))
		raise_argument(L, arg, "%s must be a number of 0 to %f, got %s",
			       key, max, luaL_tolstring(L, -1, NULL));
	lua_pop(L, 1);
	return value;
}

static bool flag_field(lua_State *L, int arg, int index, const char *key)
{
	bool flag;

	lua_getfield(L, index, key);
	if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
		raise_argument(L, arg, "%s must be a boolean, got %s", key,
			       luaL_typename(L, -1));
	flag = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return flag;
}

static uint64_t chance_field(lua_State *L, int arg, int index, const char *key)
{
	double chance = number_field(L, arg, index, key, 1);

	return (uint64_t)(chance * (double)SWITCH_CERTAIN);
}

static uint64_t time_field(lua_State *L, int arg, int index, const char *key)
{
	double seconds = number_field(L, arg, index, key, LONGEST);

	return (uint64_t)(seconds * NANOSECONDS);
}

void check_faults(lua_State *L, int arg, int index,
		  struct switch_faults *faults)
{
	index = lua_absindex(L, index);
	*faults = (struct switch_faults){0};
	if (lua_isnoneornil(L, index))
		return;
	check_fields(L, arg, index, "fault", fault_keys);
	faults->block = flag_field(L, arg, index, "block");
	faults->repair = flag_field(L, arg, index, "repair");
	faults->loss = chance_field(L, arg, index, "loss");
	faults->duplicate = chance_field(L, arg, index, "duplicate");
	faults->reorder = chance_field(L, arg, index, "reorder");
	faults->corrupt = chance_field(L, arg, index, "corrupt");
	faults->delay = time_field(L, arg, index, "delay");
	faults->jitter = time_field(L, arg, index, "jitter");
	faults->rate = number_field(L, arg, index, "rate", 1e15);
	if (faults->rate > 0 && faults->rate < 1)
		raise_argument(L, arg,
			       "rate must be at least 1 bit per "
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
	int index = lua_gettop(L);

	*port = (struct switch_port){.node = number};
	if (!lua_istable(L, index)) {
		check_interface(L, arg, port);
		return;
	}
	check_fields(L, arg, index, "port option", port_keys);
	port->node =
		integer_field(L, arg, index, "node", 1, SWITCH_NODES, number);
	port->link =
		integer_field(L, arg, index, "link", 0, SWITCH_LINKS - 1, 0);
	lua_getfield(L, index, "name");
	check_interface(L, arg, port);
	lua_pop(L, 1);
}

static void check_distinct(lua_State *L, int arg,
			   const struct switch_ports *ports,
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

void check_ports(lua_State *L, int arg, struct switch_ports *ports)
{
	lua_Integer count;

	*ports = (struct switch_ports){0};
	if (lua_getfield(L, arg, "ports") != LUA_TTABLE)
		raise_argument(L, arg, "option 'ports' must be a table, got %s",
			       luaL_typename(L, -1));
	count = luaL_len(L, -1);
	if (count < 1 || count > SWITCH_PORTS)
		raise_argument(L, arg, "a switch has 1 to %d ports, got %I",
			       (int)SWITCH_PORTS, (LUAI_UACINT)count);
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
