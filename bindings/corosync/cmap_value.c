/* Values of cmap between Lua and the library, type by type. */
#include "corosync/cmap_value.h"

#include <endian.h>
#include <lauxlib.h>
#include <math.h>
#include <string.h>

const struct name value_types[] = {
	{CMAP_VALUETYPE_INT8, "int8"},
	{CMAP_VALUETYPE_UINT8, "uint8"},
	{CMAP_VALUETYPE_INT16, "int16"},
	{CMAP_VALUETYPE_UINT16, "uint16"},
	{CMAP_VALUETYPE_INT32, "int32"},
	{CMAP_VALUETYPE_UINT32, "uint32"},
	{CMAP_VALUETYPE_INT64, "int64"},
	{CMAP_VALUETYPE_UINT64, "uint64"},
	{CMAP_VALUETYPE_FLOAT, "float"},
	{CMAP_VALUETYPE_DOUBLE, "double"},
	{CMAP_VALUETYPE_STRING, "string"},
	{CMAP_VALUETYPE_BINARY, "binary"},
	{0, NULL},
};

/* An integer type; all 64 bits are integers of Lua. */
struct integer_type {
	lua_Integer min;
	lua_Integer max;
	size_t size;
};

static const struct integer_type integer_types[] = {
	[CMAP_VALUETYPE_INT8] = {INT8_MIN, INT8_MAX, 1},
	[CMAP_VALUETYPE_UINT8] = {0, UINT8_MAX, 1},
	[CMAP_VALUETYPE_INT16] = {INT16_MIN, INT16_MAX, 2},
	[CMAP_VALUETYPE_UINT16] = {0, UINT16_MAX, 2},
	[CMAP_VALUETYPE_INT32] = {INT32_MIN, INT32_MAX, 4},
	[CMAP_VALUETYPE_UINT32] = {0, UINT32_MAX, 4},
	[CMAP_VALUETYPE_INT64] = {LUA_MININTEGER, LUA_MAXINTEGER, 8},
	[CMAP_VALUETYPE_UINT64] = {LUA_MININTEGER, LUA_MAXINTEGER, 8},
};

/* Where the low bytes of 64 bits lie, whichever end comes first. */
static char *low_bytes(uint64_t *bits, size_t size)
{
	char *bytes = (char *)bits;

	return BYTE_ORDER == BIG_ENDIAN ? bytes + sizeof *bits - size : bytes;
}

static void check_integer(lua_State *L, int arg, struct value *value)
{
	const struct integer_type *type = &integer_types[value->type];

	value->number.bits =
		(uint64_t)check_range(L, arg, "value", type->min, type->max);
	value->bytes = low_bytes(&value->number.bits, type->size);
	value->length = type->size;
}

static lua_Number check_number(lua_State *L, int arg)
{
	if (lua_type(L, arg) != LUA_TNUMBER)
		raise_argument(L, arg, "value must be a number, got %s",
			       luaL_typename(L, arg));
	return lua_tonumber(L, arg);
}

static void check_float(lua_State *L, int arg, struct value *value)
{
	lua_Number number = check_number(L, arg);

	value->number.f = (float)number;
	if (isinf(value->number.f) && !isinf(number))
		luaL_argerror(L, arg, "value does not fit into a float");
	value->bytes = &value->number;
	value->length = sizeof value->number.f;
}

/* The NUL goes along: the daemon looks for it. */
static void check_string(lua_State *L, int arg, struct value *value)
{
	value->bytes = check_text(L, arg, "value", 0, VALUE_BYTES_MAX - 1,
				  &value->length);
	value->length++;
}

void check_value(lua_State *L, int arg, cmap_value_types_t type,
		 struct value *value)
{
	value->type = type;
	switch (type) {
	case CMAP_VALUETYPE_FLOAT:
		check_float(L, arg, value);
		break;
	case CMAP_VALUETYPE_DOUBLE:
		value->number.d = check_number(L, arg);
		value->bytes = &value->number;
		value->length = sizeof value->number.d;
		break;
	case CMAP_VALUETYPE_STRING:
		check_string(L, arg, value);
		break;
	case CMAP_VALUETYPE_BINARY:
		value->bytes = check_bytes(L, arg, "value", VALUE_BYTES_MAX,
					   &value->length);
		break;
	default:
		check_integer(L, arg, value);
	}
}

/* Shifted up and down again, a signed integer keeps its sign. */
static void push_integer(lua_State *L, cmap_value_types_t type,
			 const void *bytes, size_t length)
{
	unsigned int spare = 64 - 8 * (unsigned int)length;
	uint64_t bits = 0;

	memcpy(low_bytes(&bits, length), bytes, length);
	if (integer_types[type].min < 0)
		bits = (uint64_t)((int64_t)(bits << spare) >> spare);
	lua_pushinteger(L, (lua_Integer)bits);
}

static void push_float(lua_State *L, const void *bytes)
{
	float number;

	memcpy(&number, bytes, sizeof number);
	lua_pushnumber(L, number);
}

static void push_double(lua_State *L, const void *bytes)
{
	double number;

	memcpy(&number, bytes, sizeof number);
	lua_pushnumber(L, number);
}

void push_value(lua_State *L, cmap_value_types_t type, const void *bytes,
		size_t length)
{
	if (type == CMAP_VALUETYPE_STRING)
		lua_pushlstring(L, bytes, strnlen(bytes, length));
	else if (type == CMAP_VALUETYPE_FLOAT && length == sizeof(float))
		push_float(L, bytes);
	else if (type == CMAP_VALUETYPE_DOUBLE && length == sizeof(double))
		push_double(L, bytes);
	else if (type >= CMAP_VALUETYPE_INT8 && type <= CMAP_VALUETYPE_UINT64 &&
		 length == integer_types[type].size)
		push_integer(L, type, bytes, length);
	else
		lua_pushlstring(L, bytes, length);
}
