/*
 * What the Lua twins are measured against: the same work in C, one thread,
 * poll and cpg_dispatch(CS_DISPATCH_ALL).
 *
 *   bench_reference throughput SIZE WINDOW SECONDS
 *   bench_reference roundtrip SIZE SECONDS
 *   bench_reference request SIZE SECONDS
 *   bench_reference idle [GROUPS]
 *   bench_reference join
 *   bench_reference exec PROGRAM [ARGUMENT...]
 *
 * Each prints one line of key=value words. "exec" becomes another program
 * after it has noted the time in BENCH_START, from which "join" counts.
 *
 * bench_reference_quorum is the same with a connection to quorum too, whose
 * state it knows before it begins, as a group does.
 */
#include <corosync/cpg.h>
#if TRACKS_QUORUM
#include <corosync/quorum.h>
#endif
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct cpg_name group = {.length = 5, .value = "bench"};

static cpg_handle_t handle;
static struct pollfd pollfd = {.events = POLLIN};
static uint32_t nodeid;
static uint32_t own_pid;
static bool joined;
static long sent;
static long delivered;

/* What a message of "request" begins with. */
struct request {
	uint32_t is_reply;
	uint32_t nodeid; /* of who is to take it */
	uint32_t pid;
	uint32_t number;
};

static pid_t other; /* the process at the other end of "request", or 0 */
static bool other_is_there;
static uint32_t answered; /* the number of the last reply */

static void fail(const char *what, cs_error_t err)
{
	fprintf(stderr, "bench_reference: %s: error %d\n", what, (int)err);
	exit(EXIT_FAILURE);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu_time(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static bool is_own(uint32_t node, uint32_t pid)
{
	return node == nodeid && pid == own_pid;
}

/* The echo of a request, to whoever sent it. */
static void answer(const struct request *request, size_t length, uint32_t node,
		   uint32_t pid)
{
	static char bytes[1 << 16];
	struct request *reply = (struct request *)bytes;
	struct iovec payload = {.iov_base = bytes, .iov_len = length};
	cs_error_t err;

	if (length > sizeof bytes)
		fail("request", CS_ERR_TOO_BIG);
	memcpy(bytes, request, length);
	reply->is_reply = true;
	reply->nodeid = node;
	reply->pid = pid;
	do {
		err = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &payload, 1);
	} while (err == CS_ERR_TRY_AGAIN);
	if (err != CS_OK)
		fail("cpg_mcast_joined", err);
}

static void take_request(const void *payload, size_t length, uint32_t node,
			 uint32_t pid)
{
	const struct request *request = payload;

	if (length < sizeof *request || !is_own(request->nodeid, request->pid))
		return;
	if (request->is_reply)
		answered = request->number;
	else
		answer(request, length, node, pid);
}

static void on_deliver(cpg_handle_t id, const struct cpg_name *name,
		       uint32_t node, uint32_t pid, void *payload,
		       size_t length)
{
	(void)id;
	(void)name;
	if (is_own(node, pid))
		delivered++;
	if (other != 0)
		take_request(payload, length, node, pid);
}

static void on_confchg(cpg_handle_t id, const struct cpg_name *name,
		       const struct cpg_address *members, size_t member_count,
		       const struct cpg_address *left, size_t left_count,
		       const struct cpg_address *added, size_t added_count)
{
	(void)id;
	(void)name;
	(void)left;
	(void)left_count;
	for (size_t i = 0; i < added_count; i++)
		if (is_own(added[i].nodeid, added[i].pid))
			joined = true;
	other_is_there = false;
	for (size_t i = 0; i < member_count; i++)
		if (members[i].nodeid == nodeid &&
		    members[i].pid == (uint32_t)other)
			other_is_there = true;
}

static void dispatch(void)
{
	cs_error_t err;

	poll(&pollfd, 1, -1);
	err = cpg_dispatch(handle, CS_DISPATCH_ALL);
	if (err != CS_OK)
		fail("cpg_dispatch", err);
}

static void open_group(void)
{
	cpg_model_v1_data_t data = {
		.model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_deliver,
		.cpg_confchg_fn = on_confchg,
	};
	cs_error_t err = cpg_model_initialize(&handle, CPG_MODEL_V1,
					      (cpg_model_data_t *)&data, NULL);

	if (err != CS_OK)
		fail("cpg_model_initialize", err);
	own_pid = (uint32_t)getpid();
	cpg_fd_get(handle, &pollfd.fd);
	cpg_local_get(handle, &nodeid);
	err = cpg_join(handle, &group);
	if (err != CS_OK)
		fail("cpg_join", err);
	while (!joined)
		dispatch();
}

#if TRACKS_QUORUM
static bool knows_quorum;

static void on_quorum(quorum_handle_t id, uint32_t quorate,
		      struct quorum_ring_id ring, uint32_t count,
		      const uint32_t *nodes)
{
	(void)id;
	(void)quorate;
	(void)ring;
	(void)count;
	(void)nodes;
	knows_quorum = true;
}

static void track_quorum(void)
{
	static quorum_handle_t quorum;
	quorum_model_v1_data_t data = {
		.model = QUORUM_MODEL_V1,
		.quorum_notify_fn = on_quorum,
	};
	uint32_t type;
	cs_error_t err = quorum_model_initialize(&quorum, QUORUM_MODEL_V1,
						 (quorum_model_data_t *)&data,
						 &type, NULL);

	if (err != CS_OK)
		fail("quorum_model_initialize", err);
	err = quorum_trackstart(quorum, CS_TRACK_CHANGES);
	while (err == CS_OK && !knows_quorum)
		err = quorum_dispatch(quorum, CS_DISPATCH_ONE);
	if (err != CS_OK)
		fail("quorum_dispatch", err);
}
#endif

/* False where the daemon wants the sender to come again. */
static bool send_one(struct iovec *payload)
{
	cs_error_t err = cpg_mcast_joined(handle, CPG_TYPE_AGREED, payload, 1);

	if (err == CS_ERR_TRY_AGAIN)
		return false;
	if (err != CS_OK)
		fail("cpg_mcast_joined", err);
	sent++;
	return true;
}

static struct iovec new_payload(const char *size)
{
	struct iovec payload = {.iov_len = strtoul(size, NULL, 10)};

	payload.iov_base = malloc(payload.iov_len);
	if (payload.iov_base == NULL)
		fail("malloc", CS_ERR_NO_MEMORY);
	memset(payload.iov_base, 'x', payload.iov_len);
	return payload;
}

/* Keeps window messages on their way; what counts is what came back. */
static void throughput(char **arguments)
{
	struct iovec payload = new_payload(arguments[0]);
	long window = atol(arguments[1]);
	double seconds = atof(arguments[2]);
	double start = now();
	double cpu = cpu_time();

	while (now() - start < seconds) {
		while (sent - delivered < window && send_one(&payload))
			;
		if (sent > delivered)
			dispatch();
	}
	printf("messages=%ld seconds=%.6f cpu=%.6f\n", delivered, now() - start,
	       cpu_time() - cpu);
	free(payload.iov_base);
}

static int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return (difference > 0) - (difference < 0);
}

static void print_times(double *times, size_t count)
{
	qsort(times, count, sizeof *times, compare);
	printf("messages=%zu p50=%.2f p99=%.2f\n", count,
	       times[count / 2] * 1e6, times[count * 99 / 100] * 1e6);
}

/* One message on its way at a time. */
static void roundtrip(char **arguments)
{
	static double times[1 << 20];
	struct iovec payload = new_payload(arguments[0]);
	double end = now() + atof(arguments[1]);
	double start = now();
	size_t count = 0;

	while (start < end && count < sizeof times / sizeof *times) {
		while (!send_one(&payload))
			;
		while (delivered < sent)
			dispatch();
		times[count] = now() - start;
		start += times[count++];
	}
	print_times(times, count);
	free(payload.iov_base);
}

/* A process that answers until the one that asks has left. */
static void serve(void)
{
	while (!other_is_there)
		dispatch();
	while (other_is_there)
		dispatch();
}

/* One request of another process on its way at a time. */
static void request(char **arguments)
{
	static double times[1 << 20];
	struct iovec payload = new_payload(arguments[0]);
	struct request *head;
	double end;
	double start;
	size_t count = 0;

	payload.iov_len += sizeof *head;
	payload.iov_base = realloc(payload.iov_base, payload.iov_len);
	head = payload.iov_base;
	if (head == NULL)
		fail("realloc", CS_ERR_NO_MEMORY);
	while (!other_is_there)
		dispatch();
	*head = (struct request){.nodeid = nodeid, .pid = (uint32_t)other};
	start = now();
	end = start + atof(arguments[1]);
	while (start < end && count < sizeof times / sizeof *times) {
		head->number++;
		while (!send_one(&payload))
			;
		while (answered != head->number)
			dispatch();
		times[count] = now() - start;
		start += times[count++];
	}
	print_times(times, count);
	free(payload.iov_base);
}

/* One more group, of a name of its own, on a handle that is left alone. */
static void join_another(int number)
{
	cpg_model_v1_data_t data = {
		.model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_deliver,
		.cpg_confchg_fn = on_confchg,
	};
	struct cpg_name name;
	cpg_handle_t another;
	cs_error_t err = cpg_model_initialize(&another, CPG_MODEL_V1,
					      (cpg_model_data_t *)&data, NULL);

	if (err != CS_OK)
		fail("cpg_model_initialize", err);
	name.length = (uint32_t)snprintf(name.value, sizeof name.value,
					 "bench %d", number);
	err = cpg_join(another, &name);
	if (err != CS_OK)
		fail("cpg_join", err);
	cpg_dispatch(another, CS_DISPATCH_ONE);
}

/* Resident memory, in KiB. */
static void idle(int groups)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	long resident = 0;

	for (int number = 2; number <= groups; number++)
		join_another(number);
	while (status != NULL && fgets(line, sizeof line, status) != NULL)
		if (sscanf(line, "VmRSS: %ld", &resident) == 1)
			break;
	printf("resident=%ld\n", resident);
	if (status != NULL)
		fclose(status);
}

static void print_start(void)
{
	const char *start = getenv("BENCH_START");

	printf("joined=%.6f\n", now() - (start != NULL ? atof(start) : 0));
}

static int become(char **arguments)
{
	char start[32];

	snprintf(start, sizeof start, "%.9f", now());
	setenv("BENCH_START", start, 1);
	execv(arguments[0], arguments);
	perror(arguments[0]);
	return EXIT_FAILURE;
}

static int usage(void)
{
	fputs("usage: bench_reference throughput SIZE WINDOW SECONDS | "
	      "roundtrip SIZE SECONDS | request SIZE SECONDS | "
	      "idle [GROUPS] | join | exec PROGRAM...\n",
	      stderr);
	return 2;
}

static bool measure(const char *mode, int count, char **arguments)
{
	if (strcmp(mode, "throughput") == 0 && count == 3)
		throughput(arguments);
	else if (strcmp(mode, "roundtrip") == 0 && count == 2)
		roundtrip(arguments);
	else if (strcmp(mode, "request") == 0 && count == 2)
		request(arguments);
	else if (strcmp(mode, "idle") == 0)
		idle(count > 0 ? atoi(arguments[0]) : 1);
	else if (strcmp(mode, "join") == 0)
		print_start();
	else
		return false;
	return true;
}

/* The parent asks, the child answers. */
static bool become_server(void)
{
	pid_t parent = getpid();

	other = fork();
	if (other < 0)
		fail("fork", CS_ERR_LIBRARY);
	if (other > 0)
		return false;
	other = parent;
	open_group();
	serve();
	return true;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage();
	if (strcmp(argv[1], "exec") == 0 && argc > 2)
		return become(argv + 2);
	if (strcmp(argv[1], "request") == 0 && become_server())
		return EXIT_SUCCESS;
#if TRACKS_QUORUM
	track_quorum();
#endif
	open_group();
	if (!measure(argv[1], argc - 2, argv + 2))
		return usage();
	cpg_finalize(handle);
	if (other != 0)
		waitpid(other, NULL, 0);
	return EXIT_SUCCESS;
}
