/*
 * corolua.file: work on files by a thread of its own, so that a disk that is
 * slow or hangs holds up nobody but who waits for it. Here is the mechanism
 * alone: what is done with a failure is for Lua to say.
 */
#include <fcntl.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/args.h"
#include "common/class.h"
#include "common/module.h"
#include "common/status.h"
#include "disk/file_jobs.h"

#define FILE_NAME "corolua.file"

#define OFFSET_MAX ((lua_Integer)1 << 60)

enum { READ_MAX = 1 << 30 };

struct operation {
	const char *name;
	/* Takes the arguments from arg on into the job; raises on bad ones. */
	void (*check)(lua_State *L, int arg, struct file_job *job);
	int (*run)(struct file_job *job);
	/* Pushes one result. */
	void (*push)(lua_State *L, const struct file_job *job);
};

/* What Lua holds: its user value has the functions by job. */
struct file {
	struct files *files;  /* NULL once it is closed */
	struct file_job *job; /* in Lua's hands, on either way */
};

static struct file *check_file(lua_State *L)
{
	struct file *file = luaL_checkudata(L, 1, FILE_NAME);

	if (file->files == NULL)
		luaL_error(L, "the files are closed");
	if (!crew_is_here(&file->files->crew))
		luaL_error(L, "the files are of the process that forked");
	return file;
}

static char *copy(lua_State *L, const char *bytes, size_t length)
{
	char *made = malloc(length + 1);

	if (made == NULL)
		luaL_error(L, "out of memory");
	else
		memcpy(made, bytes, length);
	return made;
}

static char *check_path(lua_State *L, int arg)
{
	size_t length;
	const char *path = check_text(L, arg, "path", 1, 4095, &length);

	return copy(L, path, length + 1);
}

static void check_slot(lua_State *L, int arg, struct file_job *job)
{
	job->slot = (int)check_range(L, arg, "slot", 1, FILE_SLOTS) - 1;
}

static void check_offset(lua_State *L, int arg, struct file_job *job)
{
	job->offset = check_range(L, arg, "offset", 0, OFFSET_MAX);
}

static void check_open(lua_State *L, int arg, struct file_job *job)
{
	static const struct name modes[] = {
		{O_RDWR | O_CREAT | O_TRUNC, "new"},
		{O_RDWR, "old"},
		{O_RDWR | O_CREAT, "lock"},
		{0, NULL},
	};

	check_slot(L, arg, job);
	job->flags = (int)check_name(L, arg + 2, "mode", modes);
	job->path = check_path(L, arg + 1);
}

static void check_read(lua_State *L, int arg, struct file_job *job)
{
	check_slot(L, arg, job);
	check_offset(L, arg + 1, job);
	job->length = (size_t)check_range(L, arg + 2, "size", 1, READ_MAX);
}

static void check_write(lua_State *L, int arg, struct file_job *job)
{
	/* A string and no number: to make one of it may run a finalizer that
	 * closes the file, and so frees the job. */
	const char *bytes =
		check_bytes(L, arg + 2, "bytes", SIZE_MAX, &job->length);

	check_slot(L, arg, job);
	check_offset(L, arg + 1, job);
	job->sync = lua_toboolean(L, arg + 3);
	job->bytes = copy(L, bytes, job->length);
}

static void check_truncate(lua_State *L, int arg, struct file_job *job)
{
	check_slot(L, arg, job);
	check_offset(L, arg + 1, job);
}

static void check_one_path(lua_State *L, int arg, struct file_job *job)
{
	job->path = check_path(L, arg);
}

static void check_rename(lua_State *L, int arg, struct file_job *job)
{
	job->path = check_path(L, arg);
	job->other = check_path(L, arg + 1);
}

static void push_true(lua_State *L, const struct file_job *job)
{
	(void)job;
	lua_pushboolean(L, 1);
}

static void push_size(lua_State *L, const struct file_job *job)
{
	lua_pushinteger(L, job->size);
}

static void push_bytes(lua_State *L, const struct file_job *job)
{
	lua_pushlstring(L, job->bytes, job->length);
}

static const struct operation operations[] = {
	{"open", check_open, job_open, push_size},
	{"close", check_slot, job_close, push_true},
	{"lock", check_slot, job_lock, push_true},
	{"read", check_read, job_read, push_bytes},
	{"write", check_write, job_write, push_true},
	{"sync", check_slot, job_sync, push_true},
	{"truncate", check_truncate, job_truncate, push_true},
	{"sync_folder", check_one_path, job_sync_folder, push_true},
	{"mkdir", check_one_path, job_mkdir, push_true},
	{"rename", check_rename, job_rename, push_true},
	{"remove", check_one_path, job_remove, push_true},
	{NULL, NULL, NULL, NULL},
};

static const struct operation *check_operation(lua_State *L, int arg)
{
	const char *name = luaL_checkstring(L, arg);

	for (const struct operation *o = operations; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	raise_argument(L, arg, "files have no operation '%s'", name);
	return NULL;
}

/* jobs[job] = done, called protected, as the job must be freed without memory
 * for it. */
static int note_done(lua_State *L)
{
	lua_rawsetp(L, 1, lua_touserdata(L, 2));
	return 0;
}

/* The job leaves the file first, which a finalizer may use or close. */
static void give(lua_State *L, struct file *file)
{
	struct file_job *job = file->job;
	int status;

	file->job = NULL;
	lua_pushcfunction(L, note_done);
	lua_getiuservalue(L, 1, 1);
	lua_pushlightuserdata(L, job);
	lua_pushvalue(L, 3);
	status = lua_pcall(L, 3, 0, 0);
	if (status == LUA_OK && file->files != NULL) {
		files_give(file->files, job);
		return;
	}
	job_free(job);
	if (status != LUA_OK)
		lua_error(L);
	check_file(L);
}

/*
 * file:begin(operation, done, ...): has it done, after what was begun before;
 * done comes back from take. The operations and their results:
 *   open(slot, path, "new" | "old" | "lock") -> size
 *   close(slot), lock(slot), sync(slot), truncate(slot, size) -> true
 *   read(slot, offset, size) -> bytes, fewer at the end of the file
 *   write(slot, offset, bytes [, sync]) -> true
 *   sync_folder(path), mkdir(path), rename(path, new), remove(path) -> true
 * A write is whole or has failed, and what then is on the disk is not known.
 */
static int file_begin(lua_State *L)
{
	struct file *file = check_file(L);
	const struct operation *operation = check_operation(L, 2);

	luaL_checktype(L, 3, LUA_TFUNCTION);
	job_free(file->job);
	file->job = calloc(1, sizeof *file->job);
	if (file->job == NULL)
		return luaL_error(L, "out of memory");
	*file->job =
		(struct file_job){.kind = operation, .run = operation->run};
	operation->check(L, 4, file->job);
	give(L, file);
	return 0;
}

/* file:take() -> done, result | done, nil, message, code | nothing */
static int file_take(lua_State *L)
{
	struct file *file = check_file(L);
	const struct operation *operation;

	job_free(file->job);
	file->job = (struct file_job *)crew_take(&file->files->crew);
	if (file->job == NULL)
		return 0;
	lua_getiuservalue(L, 1, 1);
	lua_rawgetp(L, -1, file->job);
	lua_pushnil(L);
	lua_rawsetp(L, -3, file->job);
	if (file->job->error != 0)
		return 1 + push_errno(L, file->job->call, file->job->error);
	operation = file->job->kind;
	operation->push(L, file->job);
	return 2;
}

/* file:fd() -> descriptor that is readable once a job is over */
static int file_fd(lua_State *L)
{
	lua_pushinteger(L, check_file(L)->files->crew.fd);
	return 1;
}

/*
 * file:close(): the thread does what it was given, closes its files and ends;
 * nobody is told. Harmless when repeated.
 */
static int file_close(lua_State *L)
{
	struct file *file = luaL_checkudata(L, 1, FILE_NAME);
	struct files *files = file->files;

	job_free(file->job);
	*file = (struct file){.files = NULL};
	if (files != NULL && crew_is_here(&files->crew))
		crew_end(&files->crew);
	return 0;
}

/* file.start() -> file | nil, message, code: with a thread of its own */
static int file_start(lua_State *L)
{
	struct file *file = lua_newuserdatauv(L, sizeof *file, 1);
	const char *call;
	int error;

	*file = (struct file){.files = NULL};
	luaL_setmetatable(L, FILE_NAME);
	lua_newtable(L);
	lua_setiuservalue(L, -2, 1);
	file->files = files_new(&call, &error);
	return file->files != NULL ? 1 : push_errno(L, call, error);
}

/* file.crc32(bytes [, before]) -> integer: of zlib, going on from before */
static int file_crc32(lua_State *L)
{
	size_t length;
	const char *bytes = luaL_checklstring(L, 1, &length);
	lua_Integer before = 0;

	if (!lua_isnoneornil(L, 2))
		before = check_range(L, 2, "before", 0, UINT32_MAX);
	lua_pushinteger(L, (lua_Integer)crc32_z((uLong)before,
						(const Bytef *)bytes, length));
	return 1;
}

static const luaL_Reg methods[] = {
	{"begin", file_begin}, {"take", file_take}, {"fd", file_fd},
	{"close", file_close}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
	{"start", file_start},
	{"crc32", file_crc32},
	{NULL, NULL},
};

MODULE(corolua_file)
{
	register_class(L, FILE_NAME, methods, file_close, file_close);
	luaL_newlib(L, functions);
	return 1;
}
