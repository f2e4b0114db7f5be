/* Iterations of libraries as iterators of Lua. */
#include "corosync/iterate.h"

#include <lauxlib.h>

#include "common/status.h"

/* Upvalues are the values of all steps, the place of the last one given, and
 * the width of a step. */
static int next_step(lua_State *L)
{
	lua_Integer place = lua_tointeger(L, lua_upvalueindex(2));
	int width = (int)lua_tointeger(L, lua_upvalueindex(3));

	lua_pushinteger(L, place + width);
	lua_replace(L, lua_upvalueindex(2));
	for (int i = 1; i <= width; i++)
		lua_rawgeti(L, lua_upvalueindex(1), place + i);
	return width;
}

/* A protected call, so that the iteration is finalized whatever happens. */
static int collect(lua_State *L)
{
	const struct iteration *iteration = lua_touserdata(L, 1);
	lua_Integer place = 0;
	cs_error_t err;

	lua_newtable(L);
	while ((err = iteration->next(L, iteration)) == CS_OK) {
		place += iteration->width;
		for (int i = 0; i < iteration->width; i++)
			lua_rawseti(L, 2, place - i);
	}
	lua_pushinteger(L, err);
	return 2;
}

int push_iterator(lua_State *L, const struct iteration *iteration)
{
	cs_error_t err;
	int status;

	lua_pushcfunction(L, collect);
	lua_pushlightuserdata(L, (void *)iteration);
	status = lua_pcall(L, 1, 2, 0);
	iteration->finalize(iteration);
	if (status != LUA_OK)
		return lua_error(L);
	err = (cs_error_t)lua_tointeger(L, -1);
	if (err != CS_ERR_NO_SECTIONS)
		return push_failure(L, iteration->call, err);
	lua_pushinteger(L, 0);
	lua_replace(L, -2);
	lua_pushinteger(L, iteration->width);
	lua_pushcclosure(L, next_step, 3);
	return 1;
}
