/*
 * For the build alone: compiles the Lua files that every script needs, so that
 * the program has them without a parser, and without a descriptor to open.
 *
 *   embed FOLDER FILE...    writes the arrays of embedded.h
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS = 20 };

static int print_bytes(lua_State *L, const void *bytes, size_t size, void *data)
{
	const unsigned char *byte = bytes;
	size_t *printed = data;

	(void)L;
	for (size_t i = 0; i < size; i++) {
		printf("%u,", byte[i]);
		if (++*printed % COLUMNS == 0)
			putchar('\n');
	}
	return 0;
}

/* A file is known to tracebacks by its path in the folder; the sources of files
 * that are read begin with another letter. */
static void load(lua_State *L, const char *folder, const char *path)
{
	const char *file = lua_pushfstring(L, "%s/%s", folder, path);
	const char *name = lua_pushfstring(L, "=%s", path);
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

/* "corolua.cli.main" of "corolua/cli/main.lua", "corolua" of its init.lua */
static const char *push_module(lua_State *L, const char *path)
{
	const char *module = luaL_gsub(L, path, ".lua", "");

	return luaL_gsub(L, luaL_gsub(L, module, "/init", ""), "/", ".");
}

/* All are in one array, in the order given: compilers turn that of several
 * round, and what is read at every start is to lie together. */
static int embed(lua_State *L)
{
	const char *folder = lua_tostring(L, 1);
	int top = lua_gettop(L);
	size_t *ends = lua_newuserdata(L, ((size_t)top + 1) * sizeof *ends);

	ends[1] = 0;
	puts("static const unsigned char script_bytes[] = {");
	for (int i = 2; i <= top; i++) {
		ends[i] = ends[i - 1];
		load(L, folder, lua_tostring(L, i));
		lua_dump(L, print_bytes, &ends[i], 0);
		lua_settop(L, top + 1);
	}
	puts("};\nstatic const struct script scripts[] = {");
	for (int i = 2; i <= top; i++) {
		printf("{\"%s\", script_bytes + %zu, %zu},\n",
		       push_module(L, lua_tostring(L, i)), ends[i - 1],
		       ends[i] - ends[i - 1]);
		lua_settop(L, top + 1);
	}
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
	luaL_checkstack(L, argc + LUA_MINSTACK, NULL);
	for (int i = 1; i < argc; i++)
		lua_pushstring(L, argv[i]);
	status = lua_pcall(L, argc - 1, 0, 0);
	if (status != LUA_OK)
		fprintf(stderr, "embed: %s\n", lua_tostring(L, -1));
	lua_close(L);
	return status == LUA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
