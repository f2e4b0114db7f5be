#ifndef COROLUA_FILE_JOBS_H
#define COROLUA_FILE_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/thread.h"

/*
 * Work on files by a thread of its own: jobs, done one after the other in the
 * order they were given. The files belong to the thread, which knows them by a
 * small number, the slot: no descriptor is ever closed under a job.
 */
enum { FILE_SLOTS = 4 };

struct files {
	struct crew crew;
	int slots[FILE_SLOTS]; /* of the thread alone */
};

struct file_job {
	struct errand errand;
	const void *kind; /* the giver's own */
	int (*run)(struct file_job *job);
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
void job_free(struct file_job *job);

/* What a job may do: each returns 0, or what errno says. */
int job_open(struct file_job *job);
int job_close(struct file_job *job);
int job_lock(struct file_job *job);
int job_read(struct file_job *job);
int job_write(struct file_job *job);
int job_sync(struct file_job *job);
int job_truncate(struct file_job *job);
int job_sync_folder(struct file_job *job);
int job_mkdir(struct file_job *job);
int job_rename(struct file_job *job);
int job_remove(struct file_job *job);

/*
 * Files with their thread, or NULL.
 *
 * Errors: *error is what errno says of the call *call.
 */
struct files *files_new(const char **call, int *error);

/* The job is the thread's from now on. */
void files_give(struct files *files, struct file_job *job);

#endif
