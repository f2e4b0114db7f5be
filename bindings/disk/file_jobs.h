#ifndef COROLUA_FILE_JOBS_H
#define COROLUA_FILE_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Work on files by a thread of its own: jobs, done one after the other in the
 * order they were given. The files belong to the thread, which knows them by a
 * small number, the slot: no descriptor is ever closed under a job.
 */
enum { FILE_SLOTS = 4 };

struct worker;

struct job {
	struct job *next;
	const void *kind; /* the giver's own */
	int (*run)(struct worker *worker, struct job *job);
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
	int error;        /* of the system, or 0 */
	off_t size;
};

/* Frees the job and all it points to; harmless for NULL. */
void job_free(struct job *job);

/* What a job may do: each returns 0, or what errno says. */
int job_open(struct worker *worker, struct job *job);
int job_close(struct worker *worker, struct job *job);
int job_lock(struct worker *worker, struct job *job);
int job_read(struct worker *worker, struct job *job);
int job_write(struct worker *worker, struct job *job);
int job_sync(struct worker *worker, struct job *job);
int job_truncate(struct worker *worker, struct job *job);
int job_sync_folder(struct worker *worker, struct job *job);
int job_mkdir(struct worker *worker, struct job *job);
int job_rename(struct worker *worker, struct job *job);
int job_remove(struct worker *worker, struct job *job);

/*
 * A worker with its thread, or NULL.
 *
 * Errors: *error is what errno says of the call *call.
 */
struct worker *worker_new(const char **call, int *error);

/* The thread does what it was given, then frees the worker. */
void worker_end(struct worker *worker);

/* The job is the worker's from now on. */
void worker_give(struct worker *worker, struct job *job);

/* The next job that is over, which is the caller's; NULL if there is none. */
struct job *worker_take(struct worker *worker);

/* The descriptor that is readable once a job is over. */
int worker_fd(const struct worker *worker);

#endif
