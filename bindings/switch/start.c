/*
 * Starting and ending the switch process, and the requests to it: one of fixed
 * size, and its reply. What can be refused for a reason that a user can do
 * something about, the sockets and the file, is opened before the fork.
 */
#include "switch/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fork.h"
#include "switch/port.h"

enum { REPLY_TIMEOUT = 5000, END_TIMEOUT = 1000 }; /* milliseconds */

__attribute__((format(printf, 3, 4))) static bool
fail(struct failure *failure, int error, const char *format, ...)
{
	va_list list;

	failure->error = error;
	va_start(list, format);
	vsnprintf(failure->text, sizeof failure->text, format, list);
	va_end(list);
	return false;
}

bool process_prepare(struct process *process, unsigned int nodes,
		     unsigned int links, struct failure *failure)
{
	size_t cells = (size_t)links * nodes * nodes;
	size_t size =
		sizeof *process->shared + cells * sizeof *process->shared->slot;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return fail(failure, errno, "cannot share memory: %s",
			    strerror(errno));
	process->shared = memory;
	process->size = size;
	process->shared->nodes = nodes;
	process->shared->links = links;
	return true;
}

static bool fail_socket(struct failure *failure, const char *name, int error)
{
	if (error == ENODEV)
		return fail(failure, error,
			    "no interface '%s' in this network namespace",
			    name);
	if (error == EPERM || error == EACCES)
		return fail(failure, error,
			    "cannot open a packet socket: CAP_NET_RAW is "
			    "missing in this network namespace (run as root, "
			    "or inside a user namespace)");
	return fail(failure, error, "cannot open a packet socket on '%s': %s",
		    name, strerror(error));
}

static bool open_ports(struct plan *plan, struct failure *failure)
{
	for (unsigned int i = 0; i < plan->shared->ports; i++) {
		struct switch_port *port = &plan->shared->port[i];

		plan->sockets[i] = port_open(port->name, &port->index);
		if (plan->sockets[i] < 0)
			return fail_socket(failure, port->name, errno);
	}
	return true;
}

static bool open_pcap(struct plan *plan, const char *path,
		      struct failure *failure)
{
	if (path == NULL)
		return true;
	plan->pcap = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (plan->pcap < 0)
		return fail(failure, errno, "cannot write '%s': %s", path,
			    strerror(errno));
	return true;
}

/* The parent's end is the process's own at once, the other the child's. */
static bool open_control(struct process *process, struct plan *plan,
			 struct failure *failure)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return fail(failure, errno, "cannot make a socket pair: %s",
			    strerror(errno));
	process->control = ends[0];
	plan->control = ends[1];
	return true;
}

static bool fork_child(struct process *process, struct plan *plan,
		       struct failure *failure)
{
	plan->parent = getpid();
	process->pid = fork_quiet();
	if (process->pid == 0)
		engine_run(plan);
	if (process->pid < 0)
		return fail(failure, errno, "cannot fork: %s", strerror(errno));
	return true;
}

static void close_plan(const struct plan *plan)
{
	if (plan->control >= 0)
		close(plan->control);
	if (plan->pcap >= 0)
		close(plan->pcap);
	for (unsigned int i = 0; i < plan->shared->ports; i++)
		if (plan->sockets[i] >= 0)
			close(plan->sockets[i]);
}

bool process_fork(struct process *process, const char *pcap, size_t ring_bytes,
		  uint64_t seed, struct failure *failure)
{
	struct plan plan = {
		.shared = process->shared,
		.control = -1,
		.pcap = -1,
		.ring_bytes = ring_bytes / process->shared->ports,
		.seed = seed,
	};
	bool done;

	for (unsigned int i = 0; i < PORTS_MAX; i++)
		plan.sockets[i] = -1;
	done = open_ports(&plan, failure) && open_pcap(&plan, pcap, failure) &&
	       open_control(process, &plan, failure) &&
	       fork_child(process, &plan, failure);
	close_plan(&plan);
	return done;
}

bool process_alive(struct process *process)
{
	if (process->pid <= 0 || process->reaped)
		return false;
	if (waitpid(process->pid, &process->status, WNOHANG) == 0)
		return true;
	process->reaped = true;
	return false;
}

static bool await_end(const struct process *process, int timeout)
{
	struct pollfd pollfd = {.fd = pidfd_open(process->pid, 0),
				.events = POLLIN};
	bool ended = pollfd.fd >= 0 && poll(&pollfd, 1, timeout) == 1;

	if (pollfd.fd >= 0)
		close(pollfd.fd);
	return ended;
}

/* The switch has closed its end, and so is ending if it has not ended yet. */
static bool fail_ended(struct process *process, struct failure *failure)
{
	await_end(process, END_TIMEOUT);
	process_alive(process);
	if (process->shared->error != 0)
		return fail(failure, process->shared->error,
			    "the switch could not be set up: %s",
			    process->shared->failure);
	if (process->reaped && WIFSIGNALED(process->status))
		return fail(failure, EPIPE,
			    "the switch has ended, killed by signal %d",
			    WTERMSIG(process->status));
	return fail(failure, EPIPE, "the switch has ended");
}

/* A reply to an earlier request, which was given up, is passed over. */
static bool await_reply(struct process *process, struct failure *failure)
{
	struct pollfd pollfd = {.fd = process->control, .events = POLLIN};
	struct message reply;

	do {
		if (TEMP_FAILURE_RETRY(poll(&pollfd, 1, REPLY_TIMEOUT)) == 0)
			return fail(failure, ETIMEDOUT,
				    "the switch has not answered in %d s",
				    REPLY_TIMEOUT / 1000);
		if (recv(process->control, &reply, sizeof reply, 0) !=
		    sizeof reply)
			return fail_ended(process, failure);
	} while (reply.sequence != process->sequence);
	return true;
}

bool process_request(struct process *process, enum request kind,
		     struct failure *failure)
{
	struct message request = {
		.kind = kind,
		.sequence = ++process->sequence,
	};

	if (send(process->control, &request, sizeof request, MSG_NOSIGNAL) !=
	    sizeof request)
		return fail_ended(process, failure);
	return await_reply(process, failure);
}

/* The closed control socket ends the switch, which first finishes its file. */
static void end_process(struct process *process)
{
	if (!process_alive(process))
		return;
	if (!await_end(process, END_TIMEOUT))
		kill(process->pid, SIGKILL);
	(void)TEMP_FAILURE_RETRY(waitpid(process->pid, &process->status, 0));
	process->reaped = true;
}

void process_close(struct process *process)
{
	if (process->control >= 0)
		close(process->control);
	process->control = -1;
	end_process(process);
	if (process->shared != NULL)
		munmap(process->shared, process->size);
	process->shared = NULL;
}
