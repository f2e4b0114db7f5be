/* Values of cmap between Lua and the library, type by type. */
#include "corosync/cmap_value.h"

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

/* The range of an integer type; all 64 bits are integers of Lua. */
struct range {
	lua_Integer min;
	lua_Integer max;
};

static const struct range ranges[] = {
	[CMAP_VALUETYPE_INT8] = {INT8_MIN, INT8_MAX},
	[CMAP_VALUETYPE_UINT8] = {0, UINT8_MAX},
	[CMAP_VALUETYPE_INT16] = {INT16_MIN, INT16_MAX},
	[CMAP_VALUETYPE_UINT16] = {0, UINT16_MAX},
	[CMAP_VALUETYPE_INT32] = {INT32_MIN, INT32_MAX},
	[CMAP_VALUETYPE_UINT32] = {0, UINT32_MAX},
	[CMAP_VALUETYPE_INT64] = {LUA_MININTEGER, LUA_MAXINTEGER},
	[CMAP_VALUETYPE_UINT64] = {LUA_MININTEGER, LUA_MAXINTEGER},
};

static void set_number(struct value *value, size_t size)
{
	value->bytes = &value->number;
	value->length = size;
}

static void check_integer(lua_State *L, int arg, struct value *value)
{
	lua_Integer integer =
		check_range(L, arg, "value", ranges[value->type].min,
			    ranges[value->type].max);

	switch (value->type) {
	case CMAP_VALUETYPE_INT8:
	case CMAP_VALUETYPE_UINT8:
		value->number.u8 = (uint8_t)integer;
		set_number(value, sizeof value->number.u8);
		break;
	case CMAP_VALUETYPE_INT16:
	case CMAP_VALUETYPE_UINT16:
		value->number.u16 = (uint16_t)integer;
		set_number(value, sizeof value->number.u16);
		break;
	case CMAP_VALUETYPE_INT32:
	case CMAP_VALUETYPE_UINT32:
		value->number.u32 = (uint32_t)integer;
		set_number(value, sizeof value->number.u32);
		break;
	default:
		value->number.u64 = (uint64_t)integer;
		set_number(value, sizeof value->number.u64);
	}
}

static lua_Number check_number(lua_State *L, int arg)
{
	if (lua_type(L, arg) != LUA_TNUMBER)
		luaL_argerror(L, arg,
			      lua_pushfstring(L,
					      "value must be a number, got %s",
					      luaL_typename(L, arg)));
	return lua_tonumber(L, arg);
}

static void check_float(lua_State *L, int arg, struct value *value)
{
	lua_Number number = check_number(L, arg);

	value->number.f = (float)number;
	if (isinf(value->number.f) && !isinf(number))
		luaL_argerror(L, arg, "value does not fit into a float");
	set_number(value, sizeof value->number.f);
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
		set_number(value, sizeof value->number.d);
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

/* Widens an integer of the type out of its low bits. */
static lua_Integer integer_of(cmap_value_types_t type, uint64_t bits)
{
	switch (type) {
	case CMAP_VALUETYPE_INT8:
		return (int8_t)bits;
	case CMAP_VALUETYPE_INT16:
		return (int16_t)bits;
	case CMAP_VALUETYPE_INT32:
		return (int32_t)bits;
	default:
		return (lua_Integer)bits;
	}
}

static uint64_t read_bits(const void *bytes, size_t length)
{
	struct value value;

	memset(&value.number, 0, sizeof value.number);
	memcpy(&value.number, bytes, length);
	switch (length) {
	case sizeof value.number.u8:
		return value.number.u8;
	case sizeof value.number.u16:
		return value.number.u16;
	case sizeof value.number.u32:
		return value.number.u32;
	default:
		return value.number.u64;
	}
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
	else if (type <= CMAP_VALUETYPE_UINT64 && length <= sizeof(uint64_t))
		lua_pushinteger(L, integer_of(type, read_bits(bytes, length)));
	else
		lua_pushlstring(L, bytes, length);
}
