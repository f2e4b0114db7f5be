/* The threads behind corolua.worker. */
#include "tasks/work.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/forked.h"
#include "common/thread.h"
#include "corosync/handle.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct work *finished;
static struct work **finished_end = &finished;
static int event_fd = -1;
static unsigned int forks; /* fork_depth() of the process with the threads */

void work_free(struct work *work)
{
	if (work->network >= 0)
		close(work->network);
	free(work->job);
	free(work);
}

/* Waits for the daemon if it must: never called by the main thread. */
static void work_discard(struct work *work)
{
	if (work->job->connected)
		work->job->library->finalize(work->job->id);
	work_free(work);
}

static void *discard_main(void *work)
{
	work_discard(work);
	return NULL;
}

static void work_run(struct work *work)
{
	if (work->network >= 0 && setns(work->network, CLONE_NEWNET) != 0)
		work->error = errno;
	else
		work->err = work->job->blocking->run(work->job);
}

/* Hands the work over to the main thread, unless that has given it up. */
static bool work_finish(struct work *work)
{
	uint64_t one = 1;
	bool wanted;

	pthread_mutex_lock(&lock);
	wanted = work->progress == PROGRESS_RUNNING;
	if (wanted) {
		work->progress = PROGRESS_FINISHED;
		*finished_end = work;
		finished_end = &work->next;
	}
	pthread_mutex_unlock(&lock);
	if (wanted && write(event_fd, &one, sizeof one) < 0)
		abort(); /* an eventfd takes every one but the last */
	return wanted;
}

static void *work_main(void *data)
{
	struct work *work = data;

	work_run(work);
	if (!work_finish(work))
		work_discard(work);
	return NULL;
}

static void take_from_finished(struct work *work)
{
	struct work **link = &finished;

	while (*link != NULL && *link != work)
		link = &(*link)->next;
	if (*link == NULL)
		return;
	*link = work->next;
	if (finished_end == &work->next)
		finished_end = link;
}

/* Without a thread the connection stays until the program ends. */
void work_let_go(struct work *work)
{
	if (thread_start(discard_main, work) != 0)
		work_free(work);
}

void work_abandon(struct work *work)
{
	bool over;

	pthread_mutex_lock(&lock);
	over = work->progress == PROGRESS_FINISHED;
	work->progress = PROGRESS_ABANDONED;
	if (over)
		take_from_finished(work);
	pthread_mutex_unlock(&lock);
	if (over)
		work_let_go(work);
}

struct work *work_new(const struct library *library,
		      const struct blocking *blocking)
{
	struct work *work = calloc(1, sizeof *work);
	struct job *job = calloc(1, blocking->size);

	if (work == NULL || job == NULL) {
		free(work);
		free(job);
		return NULL;
	}
	*job = (struct job){.library = library, .blocking = blocking};
	*work = (struct work){.network = -1, .job = job, .err = CS_OK};
	return work;
}

int work_start(struct work *work)
{
	return thread_start(work_main, work);
}

static struct work *next_finished(void)
{
	struct work *work;

	pthread_mutex_lock(&lock);
	work = finished;
	if (work != NULL)
		take_from_finished(work);
	pthread_mutex_unlock(&lock);
	return work;
}

struct work *work_take(void)
{
	struct work *work = next_finished();
	uint64_t count;

	if (work != NULL)
		return work;
	/* Nothing finished since the last event is no error. */
	if (read(event_fd, &count, sizeof count) < 0)
		errno = 0;
	return next_finished();
}

int work_prepare(void)
{
	if (event_fd >= 0)
		return 0;
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	forks = fork_depth();
	return event_fd < 0 ? errno : 0;
}

bool work_has_threads(void)
{
	return forks == fork_depth();
}

int work_fd(void)
{
	return event_fd;
}
