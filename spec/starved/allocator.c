/*
 * Linked into the program in a build for tests (-DFAIL_ALLOC=ON): it can be
 * told to fail one request for memory, Lua's or of our own C, to see that
 * nothing is lost by it. The linker leads our calls of these functions here.
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_lua_setallocf(lua_State *L, lua_Alloc allocate, void *data);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_lua_setallocf(lua_State *L, lua_Alloc allocate, void *data);

static lua_Integer left;   /* requests up to the one that fails; 0 is off */
static size_t failed_size; /* Lua collects and asks again for as much, once */
static lua_Alloc allocate_for_lua;
static _Thread_local bool
	in_lua; /* its allocator asks for what has been counted */

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
	return !in_lua && fails() ? NULL : __real_realloc(block, size);
}

/* The first size is a type where the block is new: see lua_Alloc. */
static void *allocate(void *data, void *block, size_t old, size_t size)
{
	void *new;

	if (size > (block == NULL ? 0 : old) && fails_for_lua(size))
		return NULL;
	in_lua = true;
	new = allocate_for_lua(data, block, old, size);
	in_lua = false;
	return new;
}

/* fail_allocation(n) -> integer: the n-th request for memory from now on fails,
 * 0 for none; returns what was left before */
static int fail_allocation(lua_State *L)
{
	lua_Integer count = luaL_checkinteger(L, 1);

	lua_pushinteger(L, left);
	left = count;
	failed_size = 0;
	return 1;
}

static int open_module(lua_State *L)
{
	lua_pushcfunction(L, fail_allocation);
	return 1;
}

/* The program gives its state the allocator that knows its limit. */
void __wrap_lua_setallocf(lua_State *L, lua_Alloc limited, void *data)
{
	const char *number = getenv("COROLUA_FAIL_ALLOC");

	allocate_for_lua = limited;
	__real_lua_setallocf(L, allocate, data);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_pushcfunction(L, open_module);
	lua_setfield(L, -2, "fail_allocation");
	lua_pop(L, 1);
	if (number != NULL)
		left = strtoll(number, NULL, 10);
}
