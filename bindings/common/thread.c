/* Threads beside the main one, which nobody waits for: see thread.h. */
#include "common/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/fork.h"

static void add(struct errands *errands, struct errand *errand)
{
	errand->next = NULL;
	*errands->end = errand;
	errands->end = &errand->next;
}

static void take_out(struct errands *errands, struct errand *errand)
{
	struct errand **link = &errands->first;

	while (*link != errand)
		link = &(*link)->next;
	*link = errand->next;
	if (errands->end == &errand->next)
		errands->end = link;
}

static struct errand *take_first(struct errands *errands)
{
	struct errand *errand = errands->first;

	if (errand != NULL)
		take_out(errands, errand);
	return errand;
}

/* It takes no signals: they are for the main thread, which expects them. */
static int start(void *(*body)(void *), void *data)
{
	sigset_t all, before;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, body, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err == 0)
		pthread_detach(thread);
	return err;
}

int crew_open(struct crew *crew)
{
	*crew = (struct crew){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (crew->fd < 0)
		return errno;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->given, NULL);
	crew->waiting.end = &crew->waiting.first;
	crew->over.end = &crew->over.first;
	crew->forks = fork_depth();
	return 0;
}

void crew_close(struct crew *crew)
{
	close(crew->fd);
	pthread_cond_destroy(&crew->given);
	pthread_mutex_destroy(&crew->lock);
}

bool crew_is_here(const struct crew *crew)
{
	return crew->forks == fork_depth();
}

/* Hands an errand over to the main thread, unless that has given it up; the
 * lock is held. */
static bool hand_over(struct errand *errand)
{
	struct crew *crew = errand->crew;

	if (errand->progress == PROGRESS_ABANDONED)
		return false;
	errand->progress = PROGRESS_OVER;
	add(&crew->over, errand);
	/* An eventfd takes every one but the last. */
	if (eventfd_write(crew->fd, 1) != 0)
		abort();
	return true;
}

static void *errand_main(void *data)
{
	struct errand *errand = data;
	struct crew *crew = errand->crew;
	bool wanted;

	errand->run(errand);
	pthread_mutex_lock(&crew->lock);
	wanted = hand_over(errand);
	pthread_mutex_unlock(&crew->lock);
	if (!wanted)
		errand->discard(errand);
	return NULL;
}

int errand_start(struct errand *errand, struct crew *crew)
{
	errand->crew = crew;
	return start(errand_main, errand);
}

static void *discard_main(void *data)
{
	struct errand *errand = data;

	errand->discard(errand);
	return NULL;
}

int errand_discard(struct errand *errand)
{
	return start(discard_main, errand);
}

bool errand_abandon(struct errand *errand)
{
	struct crew *crew = errand->crew;
	bool over;

	pthread_mutex_lock(&crew->lock);
	over = errand->progress == PROGRESS_OVER;
	errand->progress = PROGRESS_ABANDONED;
	if (over)
		take_out(&crew->over, errand);
	pthread_mutex_unlock(&crew->lock);
	return !over;
}

struct errand *crew_take(struct crew *crew)
{
	struct errand *errand;
	eventfd_t count;

	pthread_mutex_lock(&crew->lock);
	errand = take_first(&crew->over);
	if (errand == NULL && eventfd_read(crew->fd, &count) != 0)
		errno = 0; /* nothing has ended since the last time */
	pthread_mutex_unlock(&crew->lock);
	return errand;
}

static void *crew_main(void *data)
{
	struct crew *crew = data;

	pthread_mutex_lock(&crew->lock);
	while (crew->waiting.first != NULL || !crew->ended) {
		struct errand *errand = take_first(&crew->waiting);

		if (errand == NULL) {
			pthread_cond_wait(&crew->given, &crew->lock);
			continue;
		}
		pthread_mutex_unlock(&crew->lock);
		errand->run(errand);
		pthread_mutex_lock(&crew->lock);
		hand_over(errand);
	}
	pthread_mutex_unlock(&crew->lock);
	crew->end(crew);
	return NULL;
}

int crew_serve(struct crew *crew, void (*end)(struct crew *crew))
{
	crew->end = end;
	return start(crew_main, crew);
}

void crew_give(struct crew *crew, struct errand *errand)
{
	errand->crew = crew;
	pthread_mutex_lock(&crew->lock);
	add(&crew->waiting, errand);
	pthread_cond_signal(&crew->given);
	pthread_mutex_unlock(&crew->lock);
}

void crew_end(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->ended = true;
	pthread_cond_signal(&crew->given);
	pthread_mutex_unlock(&crew->lock);
}
