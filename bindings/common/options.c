/* Checks of tables of options. */
#include "common/options.h"

#include <lauxlib.h>
#include <string.h>

#include "common/args.h"
#include "common/spelling.h"

static bool is_listed(const char *word, const char *const list[])
{
	for (size_t i = 0; list[i] != NULL; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static void check_key(const struct options *options, const char *what,
		      const char *const valid[])
{
	lua_State *L = options->L;
	const char *key = NULL;
	const char *near;

	if (lua_type(L, -2) == LUA_TSTRING)
		key = lua_tostring(L, -2);
	if (key != NULL && is_listed(key, valid))
		return;
	near = key != NULL ? nearest(key, valid) : NULL;
	if (near != NULL)
		raise_argument(L, options->arg,
			       "unknown %s '%s', did you mean '%s'?", what, key,
			       near);
	raise_argument(L, options->arg, "unknown %s '%s'", what,
		       luaL_tolstring(L, -2, NULL));
}

void check_keys(const struct options *options, const char *what,
		const char *const valid[])
{
	lua_State *L = options->L;

	if (lua_isnoneornil(L, options->index))
		return;
	if (!lua_istable(L, options->index))
		raise_argument(L, options->arg,
			       "a table of %ss was expected, got %s", what,
			       luaL_typename(L, options->index));
	lua_pushnil(L);
	while (lua_next(L, options->index)) {
		check_key(options, what, valid);
		lua_pop(L, 1);
	}
}

/* Pushes the option; returns its type. */
static int push_option(const struct options *options, const char *key)
{
	if (!lua_isnoneornil(options->L, options->index))
		return lua_getfield(options->L, options->index, key);
	lua_pushnil(options->L);
	return LUA_TNIL;
}

bool option_flag(const struct options *options, const char *key)
{
	lua_State *L = options->L;
	int type = push_option(options, key);
	bool flag = lua_toboolean(L, -1);

	if (type != LUA_TNIL && type != LUA_TBOOLEAN)
		raise_argument(L, options->arg,
			       "option '%s' must be a boolean, got %s", key,
			       lua_typename(L, type));
	lua_pop(L, 1);
	return flag;
}

lua_Integer option_integer(const struct options *options, const char *key,
			   lua_Integer min, lua_Integer max,
			   lua_Integer otherwise)
{
	lua_State *L = options->L;
	int type = push_option(options, key);
	int exact = type == LUA_TNIL;
	lua_Integer value = otherwise;

	if (type == LUA_TNUMBER)
		value = lua_tointegerx(L, -1, &exact);
	if (!exact || value < min || value > max)
		raise_argument(L, options->arg,
			       "option '%s' must be an integer of %I to %I, "
			       "got %s",
			       key, (LUAI_UACINT)min, (LUAI_UACINT)max,
			       luaL_tolstring(L, -1, NULL));
	lua_pop(L, 1);
	return value;
}

double option_number(const struct options *options, const char *key, double max)
{
	lua_State *L = options->L;
	int type = push_option(options, key);
	double value = lua_tonumber(L, -1);

	if ((type != LUA_TNIL && type != LUA_TNUMBER) ||
	    !(value >= 0 && value <= max))
		raise_argument(L, options->arg,
			       "option '%s' must be a number of 0 to %f, "
			       "got %s",
			       key, max, luaL_tolstring(L, -1, NULL));
	lua_pop(L, 1);
	return value;
}
