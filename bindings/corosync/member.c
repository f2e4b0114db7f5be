/*
 * Members are interned: one weak table per Lua state, shared by all modules,
 * holds the object of each process that somebody still refers to. So no table
 * is built per message, and equality is identity.
 */
#include "corosync/member.h"

#include <lauxlib.h>
#include <string.h>

#include "common/class.h"

#define MEMBER_TYPE "corosync.member"
#define MEMBERS_KEY "corosync.members"

struct member {
	uint32_t nodeid;
	uint32_t pid;
};

/* member.nodeid, member.pid -> integer; nil for any other key */
static int member_index(lua_State *L)
{
	const struct member *member = luaL_checkudata(L, 1, MEMBER_TYPE);
	const char *key = lua_tostring(L, 2);

	if (key != NULL && strcmp(key, "nodeid") == 0)
		lua_pushinteger(L, member->nodeid);
	else if (key != NULL && strcmp(key, "pid") == 0)
		lua_pushinteger(L, member->pid);
	else
		lua_pushnil(L);
	return 1;
}

static int member_newindex(lua_State *L)
{
	return luaL_error(L, "a member is read-only");
}

/* tostring(member) -> "1/4711" */
static int member_tostring(lua_State *L)
{
	const struct member *member = luaL_checkudata(L, 1, MEMBER_TYPE);

	lua_pushfstring(L, "%I/%I", (LUAI_UACINT)member->nodeid,
			(LUAI_UACINT)member->pid);
	return 1;
}

static const luaL_Reg metamethods[] = {
	{"__index", member_index},
	{"__newindex", member_newindex},
	{"__tostring", member_tostring},
	{NULL, NULL},
};

static void push_new_member(lua_State *L, uint32_t nodeid, uint32_t pid)
{
	struct member *member = lua_newuserdatauv(L, sizeof *member, 0);

	member->nodeid = nodeid;
	member->pid = pid;
	luaL_setmetatable(L, MEMBER_TYPE);
}

bool is_member(lua_State *L, int arg)
{
	return luaL_testudata(L, arg, MEMBER_TYPE) != NULL;
}

void members_register(lua_State *L)
{
	luaL_newmetatable(L, MEMBER_TYPE);
	luaL_setfuncs(L, metamethods, 0);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
}

/* Making a member may run a finalizer that makes the very same one: whichever
 * is in the table first is the member. */
void push_member(lua_State *L, uint32_t nodeid, uint32_t pid)
{
	lua_Integer key = (lua_Integer)((uint64_t)nodeid << 32 | pid);

	push_weak(L, MEMBERS_KEY, "v");
	if (lua_rawgeti(L, -1, key) == LUA_TNIL) {
		push_new_member(L, nodeid, pid);
		lua_replace(L, -2);
		if (lua_rawgeti(L, -2, key) == LUA_TNIL) {
			lua_pop(L, 1);
			lua_pushvalue(L, -1);
			lua_rawseti(L, -3, key);
		} else {
			lua_replace(L, -2);
		}
	}
	lua_remove(L, -2);
}
