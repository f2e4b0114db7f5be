/*
 * The thread behind corolua.file. Two threads share a worker: the one that
 * works, and the one that gives and takes jobs; the first frees it.
 */
#include "disk/file_jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/thread.h"

struct list {
	struct job *first;
	struct job **end;
};

struct worker {
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct list jobs;
	struct list over;
	bool ended; /* nobody takes jobs any more */
	int event_fd;
	int files[FILE_SLOTS]; /* of the working thread alone */
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

void job_free(struct job *job)
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

int job_open(struct worker *worker, struct job *job)
{
	struct stat status;
	int *fd = &worker->files[job->slot];

	slot_close(fd);
	*fd = open(job->path, job->flags | O_CLOEXEC, 0600);
	if (*fd < 0)
		return failed(job, "open");
	if (fstat(*fd, &status) != 0)
		return failed(job, "fstat");
	job->size = status.st_size;
	return 0;
}

int job_close(struct worker *worker, struct job *job)
{
	int *fd = &worker->files[job->slot];

	/* All that counts has been synchronized: this tells nothing more. */
	slot_close(fd);
	return 0;
}

int job_lock(struct worker *worker, struct job *job)
{
	if (flock(worker->files[job->slot], LOCK_EX | LOCK_NB) != 0)
		return failed(job, "flock");
	return 0;
}

int job_read(struct worker *worker, struct job *job)
{
	size_t wanted = job->length;
	ssize_t got = 1;

	job->length = 0;
	job->bytes = malloc(wanted);
	if (job->bytes == NULL)
		return failed(job, "malloc");
	while (job->length < wanted && got != 0) {
		got = pread(worker->files[job->slot], job->bytes + job->length,
			    wanted - job->length,
			    job->offset + (off_t)job->length);
		if (got < 0 && errno != EINTR)
			return failed(job, "pread");
		if (got > 0)
			job->length += (size_t)got;
	}
	return 0;
}

int job_sync(struct worker *worker, struct job *job)
{
	int err;

	do
		err = fdatasync(worker->files[job->slot]);
	while (err != 0 && errno == EINTR);
	return err != 0 ? failed(job, "fdatasync") : 0;
}

static int write_all(int fd, struct job *job)
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

int job_write(struct worker *worker, struct job *job)
{
	int err = write_all(worker->files[job->slot], job);

	return err == 0 && job->sync ? job_sync(worker, job) : err;
}

int job_truncate(struct worker *worker, struct job *job)
{
	int fd = worker->files[job->slot];

	if (ftruncate(fd, job->offset) != 0)
		return failed(job, "ftruncate");
	/* A length that shrinks is none of what fdatasync must keep. */
	return fsync(fd) != 0 ? failed(job, "fsync") : 0;
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

int job_sync_folder(struct worker *worker, struct job *job)
{
	(void)worker;
	return sync_folder(job, job->path);
}

int job_mkdir(struct worker *worker, struct job *job)
{
	(void)worker;
	return mkdir(job->path, 0700) != 0 ? failed(job, "mkdir") : 0;
}

int job_rename(struct worker *worker, struct job *job)
{
	(void)worker;
	if (rename(job->path, job->other) != 0)
		return failed(job, "rename");
	return 0;
}

int job_remove(struct worker *worker, struct job *job)
{
	(void)worker;
	return unlink(job->path) != 0 ? failed(job, "unlink") : 0;
}

static void work(struct worker *worker)
{
	struct job *job;

	pthread_mutex_lock(&worker->lock);
	while (worker->jobs.first != NULL || !worker->ended) {
		job = list_take(&worker->jobs);
		if (job == NULL) {
			pthread_cond_wait(&worker->given, &worker->lock);
			continue;
		}
		pthread_mutex_unlock(&worker->lock);
		job->error = job->run(worker, job);
		pthread_mutex_lock(&worker->lock);
		list_add(&worker->over, job);
		/* An eventfd takes every one but the last. */
		if (eventfd_write(worker->event_fd, 1) != 0)
			abort();
	}
	pthread_mutex_unlock(&worker->lock);
}

static void worker_free(struct worker *worker)
{
	for (int slot = 0; slot < FILE_SLOTS; slot++)
		slot_close(&worker->files[slot]);
	for (struct job *job; (job = list_take(&worker->over)) != NULL;)
		job_free(job);
	close(worker->event_fd);
	pthread_cond_destroy(&worker->given);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

static void *thread_main(void *worker)
{
	work(worker);
	worker_free(worker);
	return NULL;
}

static struct worker *worker_alloc(void)
{
	struct worker *worker = calloc(1, sizeof *worker);

	if (worker == NULL)
		return NULL;
	worker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->event_fd < 0) {
		free(worker);
		return NULL;
	}
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->given, NULL);
	worker->jobs.end = &worker->jobs.first;
	worker->over.end = &worker->over.first;
	for (int slot = 0; slot < FILE_SLOTS; slot++)
		worker->files[slot] = -1;
	return worker;
}

struct worker *worker_new(const char **call, int *error)
{
	struct worker *worker = worker_alloc();

	*call = "eventfd";
	*error = errno;
	if (worker == NULL)
		return NULL;
	*call = "pthread_create";
	*error = thread_start(thread_main, worker);
	if (*error == 0)
		return worker;
	worker_free(worker);
	return NULL;
}

void worker_end(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->ended = true;
	pthread_cond_signal(&worker->given);
	pthread_mutex_unlock(&worker->lock);
}

void worker_give(struct worker *worker, struct job *job)
{
	pthread_mutex_lock(&worker->lock);
	list_add(&worker->jobs, job);
	pthread_cond_signal(&worker->given);
	pthread_mutex_unlock(&worker->lock);
}

struct job *worker_take(struct worker *worker)
{
	struct job *job;
	eventfd_t count;

	pthread_mutex_lock(&worker->lock);
	job = list_take(&worker->over);
	if (job == NULL && eventfd_read(worker->event_fd, &count) != 0)
		errno = 0; /* nothing has ended since the last time */
	pthread_mutex_unlock(&worker->lock);
	return job;
}

int worker_fd(const struct worker *worker)
{
	return worker->event_fd;
}
