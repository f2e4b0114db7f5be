/*
 * A disk that fails, which a real one cannot be made to do: preloaded into a
 * program, it reads at every call the file that DISK names, and answers a call
 * that stands there with that error:
 *
 *	fdatasync=5 pwrite=28
 *
 * "pwrite=-1" writes half of it. As a kernel may, a failing fdatasync drops
 *what was written since the last good one, with all of the pages it is in: they
 * read as zeros from then on.
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

enum { PAGE = 4096, SHORT = -1 };

/* What the file at hand has that is not synchronized. */
static off_t dirty_from, dirty_to;

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

static void note_dirty(off_t from, off_t to)
{
	if (dirty_to == 0 || from < dirty_from)
		dirty_from = from;
	if (to > dirty_to)
		dirty_to = to;
}

typedef ssize_t pwrite_fn(int fd, const void *bytes, size_t size, off_t at);

static void drop_dirty(int fd)
{
	static const char zeros[PAGE];
	pwrite_fn *put;
	off_t at = dirty_from - dirty_from % PAGE;

	*(void **)&put = real("pwrite");
	for (; at < dirty_to; at += PAGE) {
		off_t left = dirty_to - at;

		if (put(fd, zeros, left < PAGE ? (size_t)left : PAGE, at) < 0)
			abort();
	}
	dirty_from = dirty_to = 0;
}

__attribute__((visibility("default"))) ssize_t pwrite(int fd, const void *bytes,
						      size_t size, off_t at)
{
	pwrite_fn *put;
	int error = scripted("pwrite");
	ssize_t done;

	if (error > 0) {
		errno = error;
		return -1;
	}
	*(void **)&put = real("pwrite");
	done = put(fd, bytes, error == SHORT ? (size + 1) / 2 : size, at);
	if (done > 0)
		note_dirty(at, at + done);
	return done;
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	int (*sync_data)(int);
	int error = scripted("fdatasync");

	if (error != 0) {
		drop_dirty(fd);
		errno = error;
		return -1;
	}
	dirty_from = dirty_to = 0;
	*(void **)&sync_data = real("fdatasync");
	return sync_data(fd);
}

#define FAIL(call, parameters, ...)                                            \
	__attribute__((visibility("default"))) int call parameters             \
	{                                                                      \
		int(*really) parameters;                                       \
		int error = scripted(#call);                                   \
                                                                               \
		if (error != 0) {                                              \
			errno = error;                                         \
			return -1;                                             \
		}                                                              \
		*(void **)&really = real(#call);                               \
		return really(__VA_ARGS__);                                    \
	}

FAIL(fsync, (int fd), fd)
FAIL(ftruncate, (int fd, off_t size), fd, size)
FAIL(rename, (const char *from, const char *to), from, to)

typedef ssize_t pread_fn(int fd, void *bytes, size_t size, off_t at);

__attribute__((visibility("default"))) ssize_t pread(int fd, void *bytes,
						     size_t size, off_t at)
{
	pread_fn *get;
	int error = scripted("pread");

	if (error > 0) {
		errno = error;
		return -1;
	}
	*(void **)&get = real("pread");
	return get(fd, bytes, error == SHORT ? (size + 1) / 2 : size, at);
}
