/*
 * For the build alone: compiles the Lua files that every script needs, so that
 * the program has them without a parser, and without a descriptor to open.
 *
 *   embed FOLDER MODULE...    writes the arrays of embedded.h
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS = 20 };

static int print_bytes(lua_State *L, const void *bytes, size_t size, void *data)
{
	const unsigned char *byte = bytes;
	unsigned int *printed = data;

	(void)L;
	for (size_t i = 0; i < size; i++) {
		printf("%u,", byte[i]);
		if (++*printed % COLUMNS == 0)
			putchar('\n');
	}
	return 0;
}

/* "folder/corolua/cli/main.lua" of "corolua.cli.main", known to tracebacks as
 * "corolua/cli/main.lua"; the sources of files begin with another letter */
static void load(lua_State *L, const char *folder, const char *module)
{
	const char *path = luaL_gsub(L, module, ".", LUA_DIRSEP);
	const char *file = lua_pushfstring(L, "%s/%s.lua", folder, path);
	const char *name = lua_pushfstring(L, "=%s.lua", path);
	luaL_Buffer text;
	size_t size;
	FILE *stream = fopen(file, "r");

	if (stream == NULL)
		luaL_error(L, "cannot open %s", file);
	luaL_buffinit(L, &text);
	do {
		char *part = luaL_prepbuffer(&text);

		size = fread(part, 1, LUAL_BUFFERSIZE, stream);
		luaL_addsize(&text, size);
	} while (size > 0);
	fclose(stream);
	luaL_pushresult(&text);
	if (luaL_loadbuffer(L, lua_tostring(L, -1), lua_rawlen(L, -1), name) !=
	    LUA_OK)
		lua_error(L);
}

static int embed(lua_State *L)
{
	const char *folder = lua_tostring(L, 1);
	int top = lua_gettop(L);

	for (int i = 2; i <= top; i++) {
		unsigned int printed = 0;

		load(L, folder, lua_tostring(L, i));
		printf("static const unsigned char script_%d[] = {\n", i - 1);
		lua_dump(L, print_bytes, &printed, 0);
		puts("};");
		lua_settop(L, top);
	}
	puts("static const struct script scripts[] = {");
	for (int i = 2; i <= top; i++)
		printf("{\"%s\", script_%d, sizeof script_%d},\n",
		       lua_tostring(L, i), i - 1, i - 1);
	puts("{NULL, NULL, 0}};");
	return 0;
}

int main(int argc, char *argv[])
{
	lua_State *L = luaL_newstate();
	int status;

	if (L == NULL)
		return EXIT_FAILURE;
	lua_pushcfunction(L, embed);
	luaL_checkstack(L, argc, NULL);
	for (int i = 1; i < argc; i++)
		lua_pushstring(L, argv[i]);
	status = lua_pcall(L, argc - 1, 0, 0);
	if (status != LUA_OK)
		fprintf(stderr, "embed: %s\n", lua_tostring(L, -1));
	lua_close(L);
	return status == LUA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
