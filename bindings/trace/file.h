#ifndef COROLUA_TRACE_FILE_H
#define COROLUA_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A file of lines, written in large pieces. Where the disk takes no more, what
 * finds no room any more is counted and left out, whole lines only, and the
 * rest is tried again: so a file that goes on has no broken line.
 */
enum { FILE_ROOM = 64 * 1024 };

struct file {
	int fd;             /* -1: there is none */
	unsigned int forks; /* fork_depth() of the process that writes */
	char bytes[FILE_ROOM];
	size_t length;
	size_t begun;    /* bytes of the first line of these that are written */
	int64_t flushed; /* when it was written last, in nanoseconds */
	uint64_t lines;
	uint64_t dropped; /* lines that found no room */
	int error;        /* of the last write, or 0 */
};

/* 0, or errno. With `is_new` the file must not exist. */
int file_open(struct file *file, const char *path, bool is_new);

/* Room for a line of at most so many bytes, FILE_ROOM or less; NULL, and the
 * line is counted as dropped, where the disk has taken too little. */
char *file_line(struct file *file, size_t most);

/* The line ends at `end`; it is written now if nothing was for a while. */
void file_end_line(struct file *file, const char *end, int64_t now);

/* A line of any length. */
void file_add(struct file *file, const char *bytes, size_t length);

/* Writes what there is: 0, or errno. */
int file_flush(struct file *file);

/* 0, or why not all of it was written. */
int file_close(struct file *file);

#endif
