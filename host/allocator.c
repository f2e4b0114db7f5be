/*
 * Where the memory of the Lua state comes from, and how much of it there may
 * be. A build for tests (-DFAIL_ALLOC=ON) can be told to fail one request for
 * memory, Lua's or of our own C, to see that nothing is lost by it.
 */
#include "host.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>

struct memory {
	size_t used;
	size_t limit;
};

static struct memory memory;

#if FAIL_ALLOC
/* The linker leads our calls of malloc, calloc and realloc to __wrap_. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

#define realloc __real_realloc

static lua_Integer left;   /* requests up to the one that fails; 0 is off */
static size_t failed_size; /* Lua collects and asks again for as much, once */

static bool fails(void)
{
	return left > 0 && --left == 0;
}

static bool fails_for_lua(size_t size)
{
	bool again = failed_size != 0 && failed_size == size;

	failed_size = 0;
	if (again)
		return true;
	if (!fails())
		return false;
	failed_size = size;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
	return fails() ? NULL : __real_realloc(block, size);
}

static void read_environment(void)
{
	const char *number = getenv("COROLUA_FAIL_ALLOC");

	if (number != NULL)
		left = strtoll(number, NULL, 10);
}

int allocator_fail(lua_State *L)
{
	lua_Integer count = luaL_checkinteger(L, 1);

	lua_pushinteger(L, left);
	left = count;
	failed_size = 0;
	return 1;
}
#else
static bool fails_for_lua(size_t size)
{
	(void)size;
	return false;
}

static void read_environment(void)
{
}
#endif

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
	if (size > old && fails_for_lua(size))
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
	read_environment();
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
