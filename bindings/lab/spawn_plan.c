/* The arguments of sys.spawn, made into what a forked child can use. */
#include "lab/spawn_plan.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/args.h"
#include "common/descriptor.h"
#include "common/options.h"
#include "lab/guard.h"

static const struct name placements[] = {
	{PLACE_GROUP, "group"},
	{PLACE_SESSION, "session"},
	{PLACE_TERMINAL, "terminal"},
	{0, NULL},
};

static const char **new_list(lua_State *L, size_t count)
{
	const char **list = lua_newuserdatauv(L, (count + 1) * sizeof *list, 0);

	memset(list, 0, (count + 1) * sizeof *list);
	return list;
}

/* The strings of the array at index; pushes what holds the list. */
static const char **push_list(lua_State *L, int index, const char *what)
{
	size_t count = lua_rawlen(L, index);
	const char **list = new_list(L, count);

	for (size_t i = 0; i < count; i++) {
		if (lua_geti(L, index, (lua_Integer)i + 1) != LUA_TSTRING)
			luaL_error(L, "%s must be strings, got %s", what,
				   luaL_typename(L, -1));
		list[i] = lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	return list;
}

/* The list in a field of the options at index 2, or an empty one. */
static const char **push_field_list(lua_State *L, const char *key)
{
	if (lua_getfield(L, 2, key) == LUA_TNIL) {
		lua_newtable(L);
		lua_replace(L, -2);
	}
	luaL_checktype(L, -1, LUA_TTABLE);
	return push_list(L, lua_gettop(L), key);
}

static bool is_overridden(const char *entry, const char *const *overrides)
{
	size_t length = strcspn(entry, "=");

	for (; *overrides != NULL; overrides++)
		if (strcspn(*overrides, "=") == length &&
		    strncmp(entry, *overrides, length) == 0)
			return true;
	return false;
}

/* The program's own environment, with the entries of the option instead of
 * those of the same name; a name alone takes the variable away. */
static const char **push_environment(lua_State *L)
{
	const char **overrides = push_field_list(L, "env");
	size_t count = 0;
	const char **list;

	while (environ[count] != NULL)
		count++;
	for (const char **entry = overrides; *entry != NULL; entry++)
		count++;
	list = new_list(L, count);
	count = 0;
	for (char **entry = environ; *entry != NULL; entry++)
		if (!is_overridden(*entry, overrides))
			list[count++] = *entry;
	for (; *overrides != NULL; overrides++)
		if (strchr(*overrides, '=') != NULL)
			list[count++] = *overrides;
	return list;
}

static int descriptor_field(lua_State *L, const char *key)
{
	lua_getfield(L, 2, key);
	return opt_descriptor(L, lua_gettop(L));
}

static enum placement placement_field(lua_State *L)
{
	lua_getfield(L, 2, "placement");
	return (enum placement)opt_name(L, lua_gettop(L), "placement",
					placements, PLACE_GROUP);
}

/* With inherit, what is not given is the program's own. */
static void plan_stdio(lua_State *L, struct spawn_plan *plan)
{
	static const char *const keys[] = {"stdin", "stdout", "stderr"};
	const struct options options = {L, 2, 2};
	bool inherit = option_flag(&options, "inherit");

	for (int i = 0; i < 3; i++) {
		plan->stdio[i] = descriptor_field(L, keys[i]);
		if (plan->stdio[i] < 0 && inherit)
			plan->stdio[i] = i;
	}
}

void check_spawn_plan(lua_State *L, struct spawn_plan *plan)
{
	static const char *const keys[] = {
		"binds",     "cwd",    "env",   "guard",  "inherit", "net",
		"placement", "stderr", "stdin", "stdout", NULL,
	};

	const struct options options = {L, 2, 2};

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	luaL_argcheck(L, lua_rawlen(L, 1) > 0, 1, "no program given");
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	check_keys(&options, "spawn option", keys);
	plan->argv = push_list(L, 1, "the words of a command");
	plan->envp = push_environment(L);
	plan->binds = push_field_list(L, "binds");
	lua_getfield(L, 2, "cwd");
	plan->cwd = luaL_optstring(L, -1, NULL);
	lua_getfield(L, 2, "guard");
	plan->guard = opt_guard(L, lua_gettop(L));
	plan->placement = placement_field(L);
	plan->net = descriptor_field(L, "net");
	plan_stdio(L, plan);
	plan->parent = getpid();
}
