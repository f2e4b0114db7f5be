/*
 * A disk that fails, which a real one cannot be made to do: preloaded into a
 * program, it reads at every call the file that DISK names, and answers a call
 * that stands there with that error:
 *
 *	fdatasync=5 pwrite=28
 *
 * "pwrite=-1" writes half of it. As a kernel may, a failing fdatasync drops
 * what was written since the last good one: the pages are as they were before.
 * After "fdatasync=-5" they are lost with all that was in them, and read as
 * zeros.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define STUBBED __attribute__((visibility("default")))

enum { PAGE = 4096, SHORT = -1 };

/* What a write took the place of, in whole pages; the last one first. */
struct before {
	struct before *next;
	off_t at;
	size_t size;
	char bytes[];
};

static struct before *dirty;

typedef ssize_t pwrite_fn(int fd, const void *bytes, size_t size, off_t at);
typedef ssize_t pread_fn(int fd, void *bytes, size_t size, off_t at);

static void *real(const char *call)
{
	return dlsym(RTLD_NEXT, call);
}

/* What the script gives for a call, or 0. */
static int scripted(const char *call)
{
	char text[256] = " ";
	char entry[32];
	const char *path = getenv("DISK");
	const char *found;
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return 0;
	if (read(fd, text + 1, sizeof text - 2) < 0)
		abort();
	close(fd);
	snprintf(entry, sizeof entry, " %s=", call);
	found = strstr(text, entry);
	return found != NULL ? atoi(found + strlen(entry)) : 0;
}

/* As scripted; an error is in errno too. */
static int failing(const char *call)
{
	int error = scripted(call);

	errno = abs(error);
	return error;
}

static void note_dirty(int fd, size_t size, off_t at)
{
	off_t from = at - at % PAGE;
	size_t whole = size + (size_t)(at - from);
	struct before *before;
	pread_fn *get;

	whole += (PAGE - whole % PAGE) % PAGE;
	before = calloc(1, sizeof *before + whole);
	*(void **)&get = real("pread");
	if (before == NULL || get(fd, before->bytes, whole, from) < 0)
		abort();
	before->next = dirty;
	before->at = from;
	before->size = whole;
	dirty = before;
}

static struct before *take_dirty(void)
{
	struct before *before = dirty;

	dirty = before->next;
	return before;
}

static void drop_dirty(int fd, bool lost)
{
	pwrite_fn *put;

	*(void **)&put = real("pwrite");
	while (dirty != NULL) {
		struct before *before = take_dirty();

		if (lost)
			memset(before->bytes, 0, before->size);
		if (put(fd, before->bytes, before->size, before->at) < 0)
			abort();
		free(before);
	}
}

STUBBED ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	pwrite_fn *put;
	int error = failing("pwrite");

	if (error > 0)
		return -1;
	if (error == SHORT)
		size = (size + 1) / 2;
	note_dirty(fd, size, at);
	*(void **)&put = real("pwrite");
	return put(fd, bytes, size, at);
}

STUBBED ssize_t pread(int fd, void *bytes, size_t size, off_t at)
{
	pread_fn *get;
	int error = failing("pread");

	if (error > 0)
		return -1;
	*(void **)&get = real("pread");
	return get(fd, bytes, error == SHORT ? (size + 1) / 2 : size, at);
}

STUBBED int fdatasync(int fd)
{
	int (*sync_data)(int);
	int error = scripted("fdatasync");

	if (error != 0) {
		drop_dirty(fd, error < 0);
		errno = abs(error);
		return -1;
	}
	while (dirty != NULL)
		free(take_dirty());
	*(void **)&sync_data = real("fdatasync");
	return sync_data(fd);
}

#define FAIL(call, parameters, ...)                                            \
	STUBBED int call parameters                                            \
	{                                                                      \
		int(*really) parameters;                                       \
                                                                               \
		if (failing(#call) != 0)                                       \
			return -1;                                             \
		*(void **)&really = real(#call);                               \
		return really(__VA_ARGS__);                                    \
	}

FAIL(fsync, (int fd), fd)
FAIL(ftruncate, (int fd, off_t size), fd, size)
FAIL(rename, (const char *from, const char *to), from, to)
