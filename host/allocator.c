/*
 * Where the memory of the Lua state comes from, and how much of it there may
 * be.
 */
#include "host.h"

#include <lauxlib.h>
#include <stdlib.h>

struct memory {
	size_t used;
	size_t limit;
};

static struct memory memory;

/* The first size is a type where the block is new: see lua_Alloc. */
static void *allocate(void *data, void *block, size_t old, size_t size)
{
	struct memory *m = data;
	void *new;

	if (block == NULL)
		old = 0;
	if (size == 0) {
		free(block);
		m->used -= old;
		return NULL;
	}
	if (m->limit != 0 && size > old && m->used + (size - old) > m->limit)
		return NULL;
	new = realloc(block, size);
	if (new != NULL)
		m->used = m->used - old + size;
	return new;
}

/* The state is begun with Lua's own allocator, which ours can take over from
 * as both are realloc; so no argument of lua_newstate matters. */
lua_State *limits_new_state(void)
{
	lua_State *L = luaL_newstate();

	if (L == NULL)
		return NULL;
	memory.used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 +
		      (size_t)lua_gc(L, LUA_GCCOUNTB);
	lua_setallocf(L, allocate, &memory);
	return L;
}

int limits_set_memory(lua_State *L)
{
	memory.limit = (size_t)luaL_checkinteger(L, 1);
	return 0;
}
