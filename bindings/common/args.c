/* Checks of arguments, and the tables that pair enums with their names. */
#include "common/args.h"

#include <lauxlib.h>
#include <string.h>

enum { WORD_MAX = 63 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* The Levenshtein distance of two words; b has at most WORD_MAX bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t length = strlen(b);

	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t above = row[j];
			size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;

			row[j] = min3(above + 1, row[j - 1] + 1,
				      diagonal + cost);
			diagonal = above;
		}
	}
	return row[length];
}

/* What is longer than WORD_MAX is no slip of the hand, on either side. */
const char *nearest(const char *word, const char *const candidates[])
{
	const char *best = NULL;
	size_t least = (strlen(word) + 2) / 3;

	if (strlen(word) > WORD_MAX)
		return NULL;
	for (size_t i = 0; candidates[i] != NULL; i++) {
		size_t edits;

		if (strlen(candidates[i]) > WORD_MAX)
			continue;
		edits = distance(word, candidates[i]);
		if (edits <= least && (best == NULL || edits < least)) {
			best = candidates[i];
			least = edits;
		}
	}
	return best;
}

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
	const char *text = check_string(L, arg, what, length);

	if (*length < min || *length > max)
		raise_argument(L, arg, "%s must have %d to %d bytes, got %d",
			       what, (int)min, (int)max, (int)*length);
	if (memchr(text, '\0', *length) != NULL)
		raise_argument(L, arg, "%s must not contain a NUL byte", what);
	return text;
}

const char *check_bytes(lua_State *L, int arg, const char *what, size_t max,
			size_t *length)
{
	const char *bytes = check_string(L, arg, what, length);

	if (*length > max)
		raise_argument(L, arg, "%s must have at most %d bytes, got %d",
			       what, (int)max, (int)*length);
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

static bool is_listed(const char *word, const char *const list[])
{
	for (size_t i = 0; list[i] != NULL; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static void check_key(lua_State *L, int arg, const char *what,
		      const char *const valid[])
{
	const char *key = NULL;
	const char *near;

	if (lua_type(L, -2) == LUA_TSTRING)
		key = lua_tostring(L, -2);
	if (key != NULL && is_listed(key, valid))
		return;
	near = key != NULL ? nearest(key, valid) : NULL;
	if (near != NULL)
		raise_argument(L, arg, "unknown %s '%s', did you mean '%s'?",
			       what, key, near);
	raise_argument(L, arg, "unknown %s '%s'", what,
		       luaL_tolstring(L, -2, NULL));
}

void check_fields(lua_State *L, int arg, int index, const char *what,
		  const char *const valid[])
{
	if (!lua_istable(L, index))
		raise_argument(L, arg, "a table of %ss was expected, got %s",
			       what, luaL_typename(L, index));
	lua_pushnil(L);
	while (lua_next(L, index)) {
		check_key(L, arg, what, valid);
		lua_pop(L, 1);
	}
}

void check_keys(lua_State *L, int arg, const char *what,
		const char *const valid[])
{
	if (!lua_isnoneornil(L, arg))
		check_fields(L, arg, arg, what, valid);
}

bool check_flag(lua_State *L, int arg, const char *key)
{
	bool flag;

	if (lua_isnoneornil(L, arg))
		return false;
	lua_getfield(L, arg, key);
	if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
		raise_argument(L, arg, "option '%s' must be a boolean, got %s",
			       key, luaL_typename(L, -1));
	flag = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return flag;
}

lua_Integer option_integer(lua_State *L, int arg, const char *key,
			   lua_Integer min, lua_Integer max,
			   lua_Integer otherwise)
{
	lua_Integer value;
	int exact = 1;

	if (lua_isnoneornil(L, arg))
		return otherwise;
	if (lua_getfield(L, arg, key) == LUA_TNIL)
		value = otherwise;
	else
		value = lua_tointegerx(L, -1, &exact);
	if (lua_type(L, -1) == LUA_TSTRING || !exact || value < min ||
	    value > max)
		raise_argument(L, arg,
			       "option '%s' must be an integer of %I to %I, "
			       "got %s",
			       key, (LUAI_UACINT)min, (LUAI_UACINT)max,
			       luaL_tolstring(L, -1, NULL));
	lua_pop(L, 1);
	return value;
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
