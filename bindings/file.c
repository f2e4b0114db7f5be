/*
 * corolua.file: work on files by a thread of its own, so that a disk that is
 * slow or hangs holds up nobody but who waits for it. Here is the mechanism
 * alone: what is done with a failure is for Lua to say.
 *
 * Jobs are done one after the other, in the order they were given. The files
 * belong to the thread, which knows them by a small number, the slot: no
 * descriptor is ever closed under a job. A thread whose object is closed, or
 * collected, does what is left, closes its files and ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "args.h"
#include "module.h"
#include "status.h"

#define FILE_NAME "corolua.file"

enum { SLOTS = 4, READ_MAX = 1 << 30 };

struct job {
	struct job *next;
	const struct operation *operation;
	int slot;
	int flags;
	bool sync;
	off_t offset;
	char *path;
	char *other; /* the new path */
	char *bytes; /* to write, or what was read */
	size_t length;
	/* What became of it. */
	const char *call; /* that failed */
	int error;
	off_t size;
};

struct list {
	struct job *first;
	struct job **end;
};

/* What the two threads share; the one that works frees it. */
struct shared {
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct list jobs;
	struct list over;
	bool closed; /* nobody takes results any more */
	int event_fd;
	int files[SLOTS]; /* of the working thread alone */
};

struct operation {
	const char *name;
	/* Takes the arguments from arg on into the job; raises on bad ones. */
	void (*check)(lua_State *L, int arg, struct job *job);
	/* Does it, in the thread: 0, or what errno says. */
	int (*run)(struct shared *shared, struct job *job);
	/* Pushes one result. */
	void (*push)(lua_State *L, const struct job *job);
};

/* What Lua holds: its user value has the functions by job. */
struct file {
	struct shared *shared; /* NULL once it is closed */
	struct job *job;       /* in Lua's hands, on either way */
};

static void list_add(struct list *list, struct job *job)
{
	job->next = NULL;
	*list->end = job;
	list->end = &job->next;
}

static struct job *list_take(struct list *list)
{
	struct job *job = list->first;

	if (job == NULL)
		return NULL;
	list->first = job->next;
	if (list->first == NULL)
		list->end = &list->first;
	return job;
}

static void job_free(struct job *job)
{
	if (job == NULL)
		return;
	free(job->path);
	free(job->other);
	free(job->bytes);
	free(job);
}

static int failed(struct job *job, const char *call)
{
	job->call = call;
	return errno;
}

static int run_open(struct shared *shared, struct job *job)
{
	struct stat status;
	int *fd = &shared->files[job->slot];

	if (*fd >= 0)
		close(*fd);
	*fd = open(job->path, job->flags | O_CLOEXEC, 0600);
	if (*fd < 0)
		return failed(job, "open");
	if (fstat(*fd, &status) != 0)
		return failed(job, "fstat");
	job->size = status.st_size;
	return 0;
}

static int run_close(struct shared *shared, struct job *job)
{
	int *fd = &shared->files[job->slot];

	/* All that counts has been synchronized: this tells nothing more. */
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return 0;
}

static int run_lock(struct shared *shared, struct job *job)
{
	if (flock(shared->files[job->slot], LOCK_EX | LOCK_NB) != 0)
		return failed(job, "flock");
	return 0;
}

static int run_read(struct shared *shared, struct job *job)
{
	size_t wanted = job->length;
	ssize_t got = 1;

	job->length = 0;
	job->bytes = malloc(wanted);
	if (job->bytes == NULL)
		return failed(job, "malloc");
	while (job->length < wanted && got != 0) {
		got = pread(shared->files[job->slot], job->bytes + job->length,
			    wanted - job->length,
			    job->offset + (off_t)job->length);
		if (got < 0 && errno != EINTR)
			return failed(job, "pread");
		if (got > 0)
			job->length += (size_t)got;
	}
	return 0;
}

static int run_sync(struct shared *shared, struct job *job)
{
	int err;

	do
		err = fdatasync(shared->files[job->slot]);
	while (err != 0 && errno == EINTR);
	return err != 0 ? failed(job, "fdatasync") : 0;
}

static int write_all(int fd, struct job *job)
{
	size_t done = 0;

	while (done < job->length) {
		ssize_t put = pwrite(fd, job->bytes + done, job->length - done,
				     job->offset + (off_t)done);

		if (put < 0 && errno != EINTR)
			return failed(job, "pwrite");
		if (put > 0)
			done += (size_t)put;
	}
	return 0;
}

static int run_write(struct shared *shared, struct job *job)
{
	int err = write_all(shared->files[job->slot], job);

	return err == 0 && job->sync ? run_sync(shared, job) : err;
}

static int run_truncate(struct shared *shared, struct job *job)
{
	if (ftruncate(shared->files[job->slot], job->offset) != 0)
		return failed(job, "ftruncate");
	return run_sync(shared, job);
}

/* A name is on the disk once its folder is. */
static int sync_folder(struct job *job, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return failed(job, "open");
	if (fsync(fd) != 0)
		err = failed(job, "fsync");
	close(fd);
	return err;
}

static int run_folder(struct shared *shared, struct job *job)
{
	(void)shared;
	return sync_folder(job, job->path);
}

static int run_mkdir(struct shared *shared, struct job *job)
{
	(void)shared;
	return mkdir(job->path, 0700) != 0 ? failed(job, "mkdir") : 0;
}

static int run_rename(struct shared *shared, struct job *job)
{
	(void)shared;
	if (rename(job->path, job->other) != 0)
		return failed(job, "rename");
	return 0;
}

static int run_remove(struct shared *shared, struct job *job)
{
	(void)shared;
	return unlink(job->path) != 0 ? failed(job, "unlink") : 0;
}

static void work(struct shared *shared)
{
	struct job *job;

	pthread_mutex_lock(&shared->lock);
	while (shared->jobs.first != NULL || !shared->closed) {
		job = list_take(&shared->jobs);
		if (job == NULL) {
			pthread_cond_wait(&shared->given, &shared->lock);
			continue;
		}
		pthread_mutex_unlock(&shared->lock);
		job->error = job->operation->run(shared, job);
		pthread_mutex_lock(&shared->lock);
		list_add(&shared->over, job);
		/* An eventfd takes every one but the last. */
		if (eventfd_write(shared->event_fd, 1) != 0)
			abort();
	}
	pthread_mutex_unlock(&shared->lock);
}

static void shared_free(struct shared *shared)
{
	for (int slot = 0; slot < SLOTS; slot++)
		if (shared->files[slot] >= 0)
			close(shared->files[slot]);
	for (struct job *job; (job = list_take(&shared->over)) != NULL;)
		job_free(job);
	close(shared->event_fd);
	pthread_cond_destroy(&shared->given);
	pthread_mutex_destroy(&shared->lock);
	free(shared);
}

static void *thread_main(void *shared)
{
	work(shared);
	shared_free(shared);
	return NULL;
}

static struct shared *shared_new(void)
{
	struct shared *shared = calloc(1, sizeof *shared);

	if (shared == NULL)
		return NULL;
	shared->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (shared->event_fd < 0) {
		free(shared);
		return NULL;
	}
	pthread_mutex_init(&shared->lock, NULL);
	pthread_cond_init(&shared->given, NULL);
	shared->jobs.end = &shared->jobs.first;
	shared->over.end = &shared->over.first;
	for (int slot = 0; slot < SLOTS; slot++)
		shared->files[slot] = -1;
	return shared;
}

/* Signals are for the main thread, which expects them. */
static int start_thread(struct shared *shared)
{
	sigset_t all, before;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, thread_main, shared);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err == 0)
		pthread_detach(thread);
	return err;
}

static struct file *check_file(lua_State *L)
{
	struct file *file = luaL_checkudata(L, 1, FILE_NAME);

	if (file->shared == NULL)
		luaL_error(L, "the files are closed");
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

static void check_slot(lua_State *L, int arg, struct job *job)
{
	job->slot = (int)check_range(L, arg, "slot", 1, SLOTS) - 1;
}

static void check_offset(lua_State *L, int arg, struct job *job)
{
	job->offset = check_range(L, arg, "offset", 0, INT64_MAX);
}

static void check_open(lua_State *L, int arg, struct job *job)
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

static void check_read(lua_State *L, int arg, struct job *job)
{
	check_slot(L, arg, job);
	check_offset(L, arg + 1, job);
	job->length = (size_t)check_range(L, arg + 2, "size", 1, READ_MAX);
}

static void check_write(lua_State *L, int arg, struct job *job)
{
	const char *bytes = luaL_checklstring(L, arg + 2, &job->length);

	check_slot(L, arg, job);
	check_offset(L, arg + 1, job);
	job->sync = lua_toboolean(L, arg + 3);
	job->bytes = copy(L, bytes, job->length);
}

static void check_truncate(lua_State *L, int arg, struct job *job)
{
	check_slot(L, arg, job);
	check_offset(L, arg + 1, job);
}

static void check_one_path(lua_State *L, int arg, struct job *job)
{
	job->path = check_path(L, arg);
}

static void check_rename(lua_State *L, int arg, struct job *job)
{
	job->path = check_path(L, arg);
	job->other = check_path(L, arg + 1);
}

static void push_true(lua_State *L, const struct job *job)
{
	(void)job;
	lua_pushboolean(L, 1);
}

static void push_size(lua_State *L, const struct job *job)
{
	lua_pushinteger(L, job->size);
}

static void push_bytes(lua_State *L, const struct job *job)
{
	lua_pushlstring(L, job->bytes, job->length);
}

static const struct operation operations[] = {
	{"open", check_open, run_open, push_size},
	{"close", check_slot, run_close, push_true},
	{"lock", check_slot, run_lock, push_true},
	{"read", check_read, run_read, push_bytes},
	{"write", check_write, run_write, push_true},
	{"sync", check_slot, run_sync, push_true},
	{"truncate", check_truncate, run_truncate, push_true},
	{"sync_folder", check_one_path, run_folder, push_true},
	{"mkdir", check_one_path, run_mkdir, push_true},
	{"rename", check_rename, run_rename, push_true},
	{"remove", check_one_path, run_remove, push_true},
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

/* Hands the job that the object holds over to the thread. */
static void give(struct file *file)
{
	struct shared *shared = file->shared;

	pthread_mutex_lock(&shared->lock);
	list_add(&shared->jobs, file->job);
	pthread_cond_signal(&shared->given);
	pthread_mutex_unlock(&shared->lock);
	file->job = NULL;
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
	file->job->operation = operation;
	operation->check(L, 4, file->job);
	lua_getiuservalue(L, 1, 1);
	lua_pushvalue(L, 3);
	lua_rawsetp(L, -2, file->job);
	give(file);
	return 0;
}

static struct job *take(struct shared *shared)
{
	struct job *job;
	eventfd_t count;

	pthread_mutex_lock(&shared->lock);
	job = list_take(&shared->over);
	if (job == NULL && eventfd_read(shared->event_fd, &count) != 0)
		errno = 0; /* nothing has ended since the last time */
	pthread_mutex_unlock(&shared->lock);
	return job;
}

/* The message names the file, the failed call and why it failed. */
static int push_problem(lua_State *L, const struct job *job)
{
	return push_errno(L, job->call, job->error);
}

/* file:take() -> done, result | done, nil, message, code | nothing */
static int file_take(lua_State *L)
{
	struct file *file = check_file(L);

	job_free(file->job);
	file->job = take(file->shared);
	if (file->job == NULL)
		return 0;
	lua_getiuservalue(L, 1, 1);
	lua_rawgetp(L, -1, file->job);
	lua_pushnil(L);
	lua_rawsetp(L, -3, file->job);
	if (file->job->error != 0)
		return 1 + push_problem(L, file->job);
	file->job->operation->push(L, file->job);
	return 2;
}

/* file:fd() -> descriptor that is readable once a job is over */
static int file_fd(lua_State *L)
{
	lua_pushinteger(L, check_file(L)->shared->event_fd);
	return 1;
}

/*
 * file:close(): the thread does what it was given, closes its files and ends;
 * nobody is told. Harmless when repeated.
 */
static int file_close(lua_State *L)
{
	struct file *file = luaL_checkudata(L, 1, FILE_NAME);
	struct shared *shared = file->shared;

	job_free(file->job);
	*file = (struct file){.shared = NULL};
	if (shared == NULL)
		return 0;
	pthread_mutex_lock(&shared->lock);
	shared->closed = true;
	pthread_cond_signal(&shared->given);
	pthread_mutex_unlock(&shared->lock);
	return 0;
}

/* file.start() -> file | nil, message, code: with a thread of its own */
static int file_start(lua_State *L)
{
	struct file *file = lua_newuserdatauv(L, sizeof *file, 1);
	int err;

	*file = (struct file){.shared = NULL};
	luaL_setmetatable(L, FILE_NAME);
	lua_newtable(L);
	lua_setiuservalue(L, -2, 1);
	file->shared = shared_new();
	if (file->shared == NULL)
		return push_errno(L, "eventfd", errno);
	err = start_thread(file->shared);
	if (err == 0)
		return 1;
	shared_free(file->shared);
	file->shared = NULL;
	return push_errno(L, "pthread_create", err);
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

static const luaL_Reg metamethods[] = {
	{"__gc", file_close},
	{"__close", file_close},
	{NULL, NULL},
};

static const luaL_Reg functions[] = {
	{"start", file_start},
	{"crc32", file_crc32},
	{NULL, NULL},
};

MODULE(corolua_file)
{
	if (luaL_newmetatable(L, FILE_NAME)) {
		luaL_setfuncs(L, metamethods, 0);
		luaL_newlib(L, methods);
		lua_setfield(L, -2, "__index");
	}
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
