/* Checks of arguments, and the tables that pair enums with their names. */
#include "common/args.h"

#include <lauxlib.h>
#include <string.h>

int raise_argument(lua_State *L, int arg, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	lua_pushvfstring(L, format, list);
	va_end(list);
	return luaL_argerror(L, arg, lua_tostring(L, -1));
}

/* Pushes the argument as people read it, before anything takes its place. */
static const char *shown(lua_State *L, int arg)
{
	if (lua_isnone(L, arg))
		return lua_pushliteral(L, "no value");
	return luaL_tolstring(L, arg, NULL);
}

lua_Integer check_range(lua_State *L, int arg, const char *what,
			lua_Integer min, lua_Integer max)
{
	int exact = 0;
	lua_Integer value = lua_tointegerx(L, arg, &exact);

	if (lua_type(L, arg) != LUA_TNUMBER || !exact || value < min ||
	    value > max)
		raise_argument(L, arg,
			       "%s must be an integer of %I to %I, "
			       "got %s",
			       what, (LUAI_UACINT)min, (LUAI_UACINT)max,
			       shown(L, arg));
	return value;
}

static const char *check_string(lua_State *L, int arg, const char *what,
				size_t *length)
{
	if (lua_type(L, arg) != LUA_TSTRING)
		raise_argument(L, arg, "%s must be a string, got %s", what,
			       luaL_typename(L, arg));
	return lua_tolstring(L, arg, length);
}

const char *check_text(lua_State *L, int arg, const char *what, size_t min,
		       size_t max, size_t *length)
{
	size_t bytes;
	const char *text = check_string(L, arg, what, &bytes);

	if (bytes < min || bytes > max)
		raise_argument(L, arg, "%s must have %d to %d bytes, got %d",
			       what, (int)min, (int)max, (int)bytes);
	if (memchr(text, '\0', bytes) != NULL)
		raise_argument(L, arg, "%s must not contain a NUL byte", what);
	if (length != NULL)
		*length = bytes;
	return text;
}

const char *check_bytes(lua_State *L, int arg, const char *what, size_t max,
			size_t *length)
{
	const char *bytes = check_string(L, arg, what, length);

	if (*length > max)
		raise_argument(L, arg, "%s must have at most %I bytes, got %I",
			       what, (LUAI_UACINT)max, (LUAI_UACINT)*length);
	return bytes;
}

bool check_boolean(lua_State *L, int arg, const char *what)
{
	if (!lua_isboolean(L, arg))
		raise_argument(L, arg, "%s must be a boolean, got %s", what,
			       luaL_typename(L, arg));
	return lua_toboolean(L, arg);
}

static int raise_name(lua_State *L, int arg, const char *what,
		      const struct name *names)
{
	luaL_Buffer list;
	const char *got = shown(L, arg);

	luaL_buffinit(L, &list);
	for (size_t i = 0; names[i].name != NULL; i++) {
		luaL_addstring(&list, i == 0 ? "\"" : ", \"");
		luaL_addstring(&list, names[i].name);
		luaL_addchar(&list, '"');
	}
	luaL_pushresult(&list);
	return raise_argument(L, arg, "%s must be one of %s, got %s", what,
			      lua_tostring(L, -1), got);
}

unsigned int check_name(lua_State *L, int arg, const char *what,
			const struct name *names)
{
	const char *word = NULL;

	if (lua_type(L, arg) == LUA_TSTRING)
		word = lua_tostring(L, arg);
	for (size_t i = 0; word != NULL && names[i].name != NULL; i++)
		if (strcmp(word, names[i].name) == 0)
			return names[i].value;
	return (unsigned int)raise_name(L, arg, what, names);
}

unsigned int opt_name(lua_State *L, int arg, const char *what,
		      const struct name *names, unsigned int otherwise)
{
	if (lua_isnoneornil(L, arg))
		return otherwise;
	return check_name(L, arg, what, names);
}

void push_name(lua_State *L, const struct name *names, unsigned int value)
{
	for (size_t i = 0; names[i].name != NULL; i++) {
		if (names[i].value == value) {
			lua_pushstring(L, names[i].name);
			return;
		}
	}
	lua_pushfstring(L, "unknown (%d)", (int)value);
}
