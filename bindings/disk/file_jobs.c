/*
 * The thread behind corolua.file. Two threads share the files: the one that
 * works, and the one that gives and takes jobs; the first frees them.
 */
#include "disk/file_jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void job_free(struct file_job *job)
{
	if (job == NULL)
		return;
	free(job->path);
	free(job->other);
	free(job->bytes);
	free(job);
}

static int failed(struct file_job *job, const char *call)
{
	job->call = call;
	return errno;
}

static int outcome(struct file_job *job, const char *call, int result)
{
	return result != 0 ? failed(job, call) : 0;
}

static int *slot_of(const struct file_job *job)
{
	struct files *files = (struct files *)job->errand.crew;

	return &files->slots[job->slot];
}

/* A lock is let go first: a process that is being started may have a copy of
 * the descriptor still, with which the lock would live on. */
static void slot_close(int *fd)
{
	if (*fd < 0)
		return;
	flock(*fd, LOCK_UN);
	close(*fd);
	*fd = -1;
}

int job_open(struct file_job *job)
{
	struct stat status;
	int *fd = slot_of(job);

	slot_close(fd);
	*fd = open(job->path, job->flags | O_CLOEXEC, 0600);
	if (*fd < 0)
		return failed(job, "open");
	if (fstat(*fd, &status) != 0)
		return failed(job, "fstat");
	job->size = status.st_size;
	return 0;
}

int job_close(struct file_job *job)
{
	int *fd = slot_of(job);

	/* All that counts has been synchronized: this tells nothing more. */
	slot_close(fd);
	return 0;
}

int job_lock(struct file_job *job)
{
	return outcome(job, "flock", flock(*slot_of(job), LOCK_EX | LOCK_NB));
}

int job_read(struct file_job *job)
{
	size_t wanted = job->length;
	ssize_t got = 1;

	job->length = 0;
	job->bytes = malloc(wanted);
	if (job->bytes == NULL)
		return failed(job, "malloc");
	while (job->length < wanted && got != 0) {
		got = pread(*slot_of(job), job->bytes + job->length,
			    wanted - job->length,
			    job->offset + (off_t)job->length);
		if (got < 0 && errno != EINTR)
			return failed(job, "pread");
		if (got > 0)
			job->length += (size_t)got;
	}
	return 0;
}

int job_sync(struct file_job *job)
{
	return outcome(job, "fdatasync",
		       (int)TEMP_FAILURE_RETRY(fdatasync(*slot_of(job))));
}

static int write_all(int fd, struct file_job *job)
{
	size_t done = 0;

	while (done < job->length) {
		ssize_t put = pwrite(fd, job->bytes + done, job->length - done,
				     job->offset + (off_t)done);

		if (put == 0)
			errno = ENOSPC;
		if (put == 0 || (put < 0 && errno != EINTR))
			return failed(job, "pwrite");
		if (put > 0)
			done += (size_t)put;
	}
	return 0;
}

int job_write(struct file_job *job)
{
	int err = write_all(*slot_of(job), job);

	return err == 0 && job->sync ? job_sync(job) : err;
}

int job_truncate(struct file_job *job)
{
	int fd = *slot_of(job);

	if (ftruncate(fd, job->offset) != 0)
		return failed(job, "ftruncate");
	/* A length that shrinks is none of what fdatasync must keep. */
	return outcome(job, "fsync", fsync(fd));
}

/* A name is on the disk once its folder is. */
int job_sync_folder(struct file_job *job)
{
	int fd = open(job->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return failed(job, "open");
	err = outcome(job, "fsync", fsync(fd));
	close(fd);
	return err;
}

int job_mkdir(struct file_job *job)
{
	return outcome(job, "mkdir", mkdir(job->path, 0700));
}

int job_rename(struct file_job *job)
{
	return outcome(job, "rename", rename(job->path, job->other));
}

int job_remove(struct file_job *job)
{
	return outcome(job, "unlink", unlink(job->path));
}

static void run(struct errand *errand)
{
	struct file_job *job = (struct file_job *)errand;

	job->error = job->run(job);
}

/* With all that nobody has taken. */
static void files_free(struct crew *crew)
{
	struct files *files = (struct files *)crew;
	struct errand *over;

	for (int slot = 0; slot < FILE_SLOTS; slot++)
		slot_close(&files->slots[slot]);
	while ((over = crew_take(crew)) != NULL)
		job_free((struct file_job *)over);
	crew_close(crew);
	free(files);
}

struct files *files_new(const char **call, int *error)
{
	struct files *files = calloc(1, sizeof *files);

	*call = "eventfd";
	*error = files != NULL ? crew_open(&files->crew) : ENOMEM;
	if (*error != 0) {
		free(files);
		return NULL;
	}
	for (int slot = 0; slot < FILE_SLOTS; slot++)
		files->slots[slot] = -1;
	*call = "pthread_create";
	*error = crew_serve(&files->crew, files_free);
	if (*error == 0)
		return files;
	files_free(&files->crew);
	return NULL;
}

void files_give(struct files *files, struct file_job *job)
{
	job->errand.run = run;
	crew_give(&files->crew, &job->errand);
}
