/*
 * The switch process: it sleeps until a frame, a request or a due frame comes.
 * It was forked out of a program that may have many threads, and runs nothing
 * of it. It ends with the program: when the control socket is closed, and by
 * the kernel's signal if the thread that forked it dies.
 */
#include "switch/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fork.h"
#include "switch/forward.h"

enum { STANDARD = 3, SLACK = 1000 };

/* The start or the stop of one port, in a thread if there can be one. */
struct task {
	int (*run)(struct port *port, size_t bytes);
	struct port *port;
	size_t bytes;
	int error;
	bool threaded;
	pthread_t thread;
};

static int compare_descriptors(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes all descriptors but those of the plan; the standard ones lead nowhere.
 */
static void close_others(const struct plan *plan)
{
	int kept[PORTS_MAX + 2] = {plan->control, plan->pcap};
	size_t count = plan->shared->ports + 2;
	int next = 0;

	memcpy(kept + 2, plan->sockets,
	       plan->shared->ports * sizeof *plan->sockets);
	qsort(kept, count, sizeof *kept, compare_descriptors);
	for (size_t i = 0; i < count; i++) {
		if (kept[i] > next)
			close_range((unsigned int)next,
				    (unsigned int)kept[i] - 1, 0);
		next = kept[i] + 1;
	}
	close_range((unsigned int)next, ~0U, 0);
	do
		next = open("/dev/null", O_RDWR);
	while (next >= 0 && next < STANDARD);
	close(next);
}

/* The signal of a parent that died before it was asked for never comes. */
static void detach(const struct plan *plan)
{
	fork_default_signals();
	setsid();
	prctl(PR_SET_NAME, "corolua-switch");
	prctl(PR_SET_TIMERSLACK, SLACK);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != plan->parent)
		_exit(1);
	close_others(plan);
}

_Noreturn static void fail(struct plan *plan, const char *what)
{
	plan->shared->error = errno;
	snprintf(plan->shared->failure, FAILURE_MAX, "%s: %s", what,
		 strerror(errno));
	_exit(1);
}

static void *run_task(void *argument)
{
	struct task *task = (struct task *)argument;

	task->error = task->run(task->port, task->bytes) == 0 ? 0 : errno;
	return NULL;
}

/*
 * The kernel waits for a grace period of its own with each ring it makes or
 * frees, which takes longer than all else: in threads, all wait for the same
 * one. Returns the first port that failed, with errno, or NULL.
 */
static struct port *for_all_ports(struct engine *engine, size_t bytes,
				  int (*run)(struct port *port, size_t bytes))
{
	struct task tasks[PORTS_MAX];
	struct port *failed = NULL;

	for (unsigned int i = 0; i < engine->count; i++) {
		struct task *task = &tasks[i];

		*task = (struct task){
			.run = run,
			.port = &engine->ports[i],
			.bytes = bytes,
		};
		task->threaded = pthread_create(&task->thread, NULL, run_task,
						task) == 0;
		if (!task->threaded)
			run_task(task);
	}
	for (unsigned int i = 0; i < engine->count; i++)
		if (tasks[i].threaded)
			pthread_join(tasks[i].thread, NULL);
	for (unsigned int i = engine->count; i-- > 0;) {
		if (tasks[i].error == 0)
			continue;
		failed = tasks[i].port;
		errno = tasks[i].error;
	}
	return failed;
}

static void start_ports(struct engine *engine, struct plan *plan)
{
	struct port *failed;

	for (unsigned int i = 0; i < engine->count; i++) {
		struct port *port = &engine->ports[i];

		port->fd = plan->sockets[i];
		port->shared = &plan->shared->port[i];
		sender_init(&engine->senders[i], port->fd, &engine->pcap);
	}
	failed = for_all_ports(engine, plan->ring_bytes, port_start);
	if (failed != NULL)
		fail(plan, failed->shared->name);
	ports_count_drops(engine->ports, engine->count);
	for (unsigned int i = 0; i < engine->count; i++)
		engine->ports[i].overrun = atomic_exchange(
			&plan->shared->port[i].counters[PORT_OVERRUN], 0);
}

static struct engine *engine_new(struct plan *plan)
{
	struct engine *engine = calloc(1, sizeof *engine);

	if (engine == NULL)
		fail(plan, "memory");
	engine->shared = plan->shared;
	engine->count = plan->shared->ports;
	engine->cells = cells_new(plan->shared, plan->seed);
	engine->senders = calloc(engine->count, sizeof *engine->senders);
	if (engine->cells == NULL || engine->senders == NULL)
		fail(plan, "memory");
	pcap_start(&engine->pcap, plan->pcap, plan->shared);
	start_ports(engine, plan);
	return engine;
}

_Noreturn static void finish(struct engine *engine)
{
	pcap_flush(&engine->pcap);
	for_all_ports(engine, 0, port_stop);
	_exit(0);
}

/*
 * The round is over when a request is taken, so that no frame which was judged
 * by the faults before is still to be sent.
 */
static void serve(struct engine *engine, int control)
{
	struct message message;
	ssize_t n = recv(control, &message, sizeof message, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof message)
		finish(engine);
	if (message.kind == REQUEST_APPLY) {
		cells_revise(engine->cells, engine->shared);
		queue_revise(&engine->queue, engine->now);
	} else {
		ports_count_drops(engine->ports, engine->count);
	}
	pcap_flush(&engine->pcap);
	if (send(control, &message, sizeof message, MSG_NOSIGNAL) != n)
		finish(engine);
}

/* Sleeps until something comes, at most until the next held frame is due. */
static void wait_for_events(struct engine *engine, struct pollfd *pollfds)
{
	const struct due *first = heap_first(&engine->queue.heap);
	struct timespec rest = {0};
	struct timespec *timeout = NULL;

	if (first != NULL) {
		uint64_t now = clock_now();
		uint64_t left = first->time > now ? first->time - now : 0;

		rest.tv_sec = (time_t)(left / SECOND);
		rest.tv_nsec = (long)(left % SECOND);
		timeout = &rest;
	}
	if (ppoll(pollfds, engine->count + 1, timeout, NULL) < 0)
		for (unsigned int i = 0; i <= engine->count; i++)
			pollfds[i].revents = 0;
	engine->now = clock_now();
}

static void run_round(struct engine *engine, const struct pollfd *pollfds)
{
	for (unsigned int i = 0; i < engine->count; i++) {
		short events = pollfds[i].revents;

		if ((events & POLLERR) != 0)
			port_clear_error(&engine->ports[i]);
		if ((events & POLLIN) != 0)
			forward_port(engine, i);
	}
	forward_due(engine);
	forward_flush(engine);
}

/* What was sent before a request is in the rings by now, and comes first. */
static void take_all(const struct engine *engine, struct pollfd *pollfds)
{
	for (unsigned int i = 0; i < engine->count; i++)
		pollfds[i].revents |= POLLIN;
}

static void run(struct engine *engine, int control)
{
	struct pollfd pollfds[PORTS_MAX + 1];

	for (unsigned int i = 0; i < engine->count; i++)
		pollfds[i] = (struct pollfd){.fd = engine->ports[i].fd,
					     .events = POLLIN};
	pollfds[engine->count] =
		(struct pollfd){.fd = control, .events = POLLIN};
	while (true) {
		bool asked;

		wait_for_events(engine, pollfds);
		asked = pollfds[engine->count].revents != 0;
		if (asked)
			take_all(engine, pollfds);
		run_round(engine, pollfds);
		if (asked)
			serve(engine, control);
	}
}

_Noreturn void engine_run(struct plan *plan)
{
	detach(plan);
	run(engine_new(plan), plan->control);
	_exit(0);
}
