/* What the lives of handles tell: each function of the tap makes one event of
 * it. They are called by callbacks of the libraries, so there is no Lua here.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/trace.h"

enum { CODE_MAX = 32 };

/* A frame of a packed group: docs/wire.md. */
enum { FRAME_HEADER = 32, FRAME_FIRST = 24 };
static const char frame_mark[] = {'\xC1', 'P', 1};

/* The numbers of what was sent and has not come back, in order. */
struct numbers {
	uint64_t *list;
	size_t first;
	size_t count;
	size_t room; /* a power of two, or 0 */
	bool is_lost;
};

struct traced {
	struct life life; /* first */
	struct trace *trace;
	uint64_t h;      /* 0 of what joins nothing */
	uint32_t nodeid; /* from the own JOIN on, else 0 */
	uint32_t pid;
	bool is_packed;
	bool has_left;
	bool is_lost;
	uint64_t sent; /* how many */
	struct numbers unconfirmed;
	uint64_t refused; /* in a row, for one reason */
	char code[CODE_MAX];
	struct text nodes; /* joined and left, for the next quorum event */
};

static struct traced *traced_of(struct life *life)
{
	return (struct traced *)life;
}

static bool numbers_grow(struct numbers *numbers)
{
	size_t room = numbers->room > 0 ? numbers->room * 2 : 64;
	uint64_t *list = malloc(room * sizeof *list);

	if (list == NULL)
		return false;
	for (size_t i = 0; i < numbers->count; i++)
		list[i] = numbers->list[(numbers->first + i) &
					(numbers->room - 1)];
	free(numbers->list);
	numbers->list = list;
	numbers->first = 0;
	numbers->room = room;
	return true;
}

static void numbers_add(struct numbers *numbers, uint64_t number)
{
	if (numbers->is_lost)
		return;
	if (numbers->count == numbers->room && !numbers_grow(numbers)) {
		numbers->is_lost = true;
		return;
	}
	numbers->list[(numbers->first + numbers->count++) &
		      (numbers->room - 1)] = number;
}

static void numbers_take(struct numbers *numbers)
{
	if (numbers->count == 0)
		return;
	numbers->first = (numbers->first + 1) & (numbers->room - 1);
	numbers->count--;
}

/* A new line of the life in trace->line. */
static struct text *begin_line(struct traced *traced)
{
	struct text *line = &traced->trace->line;

	text_clear(line);
	text_print(line, ",\"h\":%" PRIu64, traced->h);
	return line;
}

static void end_line(struct traced *traced, const char *kind)
{
	trace_line(traced->trace, kind, traced->h);
}

static void add_nodes(struct text *text, const char *key,
		      struct tap_nodes nodes)
{
	text_print(text, ",\"%s\":[", key);
	for (size_t i = 0; i < nodes.count; i++)
		text_print(text, "%s%" PRIu32, i > 0 ? "," : "", nodes.list[i]);
	text_print(text, "]");
}

static void add_member(struct text *text, const struct tap_member *member)
{
	text_print(text, "\"%" PRIu32 "/%" PRIu32 "\"", member->nodeid,
		   member->pid);
}

static void add_change(struct text *text, const struct tap_member *member)
{
	text_print(text, "[");
	add_member(text, member);
	text_print(text, ",\"%s\"]", member->reason);
}

static void add_members(struct text *text, const char *key,
			struct tap_members members,
			void (*add)(struct text *, const struct tap_member *))
{
	text_print(text, ",\"%s\":[", key);
	for (size_t i = 0; i < members.count; i++) {
		if (i > 0)
			text_print(text, ",");
		add(text, &members.list[i]);
	}
	text_print(text, "]");
}

static void add_ring(struct text *text, struct tap_ring ring)
{
	text_print(text, ",\"ring\":\"%" PRIu32 ".%" PRIx64 "\"", ring.nodeid,
		   ring.seq);
}

static void add_boolean(struct text *text, const char *key, bool value)
{
	text_print(text, ",\"%s\":%s", key, value ? "true" : "false");
}

/* The number of the first message in a frame; 0 of what is none. */
static uint64_t frame_number(const void *payload, size_t length)
{
	const unsigned char *bytes = payload;
	uint64_t number = 0;

	if (length <= FRAME_HEADER ||
	    memcmp(bytes, frame_mark, sizeof frame_mark) != 0)
		return 0;
	for (int i = 7; i >= 0; i--)
		number = number << 8 | bytes[FRAME_FIRST + i];
	return number;
}

static struct life *life_open(const struct tap *tap, bool is_member)
{
	struct trace *trace = (struct trace *)(void *)tap;
	struct traced *traced = calloc(1, sizeof *traced);

	if (traced == NULL)
		return NULL;
	traced->life.tap = tap;
	traced->trace = trace;
	traced->h = is_member ? ++trace->lives : 0;
	traced->pid = (uint32_t)getpid();
	return &traced->life;
}

static void tell_refusals(struct traced *traced)
{
	struct text *line;

	if (traced->refused == 0)
		return;
	line = begin_line(traced);
	text_print(line, ",\"code\":\"%s\",\"x\":%" PRIu64, traced->code,
		   traced->refused);
	traced->refused = 0;
	end_line(traced, "refuse");
}

static void life_sent(struct life *life, const void *payload, size_t length)
{
	struct traced *traced = traced_of(life);
	struct message message = {
		.kind = MESSAGE_SEND,
		.h = traced->h,
		.payload = payload,
		.length = length,
	};

	tell_refusals(traced);
	traced->sent++;
	message.number = traced->is_packed ? frame_number(payload, length)
					   : traced->sent;
	numbers_add(&traced->unconfirmed, message.number);
	trace_message(traced->trace, &message);
}

static void life_refused(struct life *life, const char *code)
{
	struct traced *traced = traced_of(life);

	if (strncmp(traced->code, code, CODE_MAX - 1) != 0) {
		tell_refusals(traced);
		strncpy(traced->code, code, CODE_MAX - 1);
	}
	traced->refused++;
}

static void life_delivered(struct life *life, uint32_t nodeid, uint32_t pid,
			   const void *payload, size_t length)
{
	struct traced *traced = traced_of(life);
	const struct message message = {
		.kind = MESSAGE_RECV,
		.h = traced->h,
		.number = traced->is_packed ? frame_number(payload, length) : 0,
		.nodeid = nodeid,
		.pid = pid,
		.payload = payload,
		.length = length,
	};

	if (nodeid == traced->nodeid && pid == traced->pid)
		numbers_take(&traced->unconfirmed);
	trace_message(traced->trace, &message);
}

static void learn_place(struct traced *traced)
{
	struct place *place;

	if (traced->life.place == 0)
		return;
	place = trace_place(traced->trace, traced->life.place);
	if (place != NULL && place->nodeid == 0)
		trace_know_place(traced->trace, place, traced->nodeid);
}

/* The first change that a handle is told of is its own JOIN. */
static void tell_join(struct traced *traced, const char *group, size_t length,
		      struct tap_members joined)
{
	struct text *line;

	for (size_t i = 0; i < joined.count; i++)
		if (joined.list[i].pid == traced->pid)
			traced->nodeid = joined.list[i].nodeid;
	if (traced->nodeid == 0)
		return;
	learn_place(traced);
	line = begin_line(traced);
	text_print(line, ",\"n\":%" PRIu32 ",\"p\":%" PRIu32 ",\"g\":",
		   traced->nodeid, traced->pid);
	text_add_string(line, group, length);
	add_boolean(line, "packed", traced->is_packed);
	end_line(traced, "join");
}

static void life_confchg(struct life *life, const char *group, size_t length,
			 struct tap_members members, struct tap_members left,
			 struct tap_members joined)
{
	struct traced *traced = traced_of(life);
	struct text *line;

	if (traced->nodeid == 0)
		tell_join(traced, group, length, joined);
	line = begin_line(traced);
	add_members(line, "members", members, add_member);
	add_members(line, "left", left, add_change);
	add_members(line, "joined", joined, add_change);
	end_line(traced, "conf");
}

static void life_ring(struct life *life, struct tap_ring ring,
		      struct tap_nodes nodes)
{
	struct traced *traced = traced_of(life);
	struct text *line = begin_line(traced);

	add_ring(line, ring);
	add_nodes(line, "nodes", nodes);
	end_line(traced, "ring");
}

static void life_nodelist(struct life *life, struct tap_nodes joined,
			  struct tap_nodes left)
{
	struct text *text = &traced_of(life)->nodes;

	text_clear(text);
	add_nodes(text, "joined", joined);
	add_nodes(text, "left", left);
}

/* All connections to one daemon tell the same, one later than the other:
 * whoever is first with a ring tells of it. */
static bool is_news(struct place *place, const struct life *life, uint64_t seq)
{
	if (place->teller != NULL &&
	    (seq < place->seq || (seq == place->seq && place->teller != life)))
		return false;
	place->teller = life;
	place->seq = seq;
	return true;
}

static void add_quorum(struct text *text, bool quorate, struct tap_ring ring,
		       struct tap_nodes nodes, struct text *changes)
{
	static const struct tap_nodes none = {NULL, 0};

	add_boolean(text, "quorate", quorate);
	add_ring(text, ring);
	add_nodes(text, "nodes", nodes);
	if (changes->length > 0 && !changes->is_lost) {
		text_add(text, changes->bytes, changes->length);
	} else {
		add_nodes(text, "joined", none);
		add_nodes(text, "left", none);
	}
	text_clear(changes);
}

static void life_quorum(struct life *life, bool quorate, struct tap_ring ring,
			struct tap_nodes nodes)
{
	struct traced *traced = traced_of(life);
	struct trace *trace = traced->trace;
	struct place *place;
	struct text *line = &trace->line;

	if (life->place == 0 || !trace->tells_quorum)
		return;
	place = trace_place(trace, life->place);
	if (place == NULL || !is_news(place, life, ring.seq))
		return;
	if (place->nodeid == 0) {
		text_clear(&place->newest);
		add_quorum(&place->newest, quorate, ring, nodes,
			   &traced->nodes);
		return;
	}
	text_clear(line);
	text_print(line, ",\"n\":%" PRIu32, place->nodeid);
	add_quorum(line, quorate, ring, nodes, &traced->nodes);
	trace_line(trace, "quorum", 0);
}

static void life_left(struct life *life)
{
	traced_of(life)->has_left = true;
}

static void life_lost(struct life *life)
{
	traced_of(life)->is_lost = true;
}

static void tell_end(struct traced *traced)
{
	const struct numbers *numbers = &traced->unconfirmed;
	struct text *line = begin_line(traced);
	const char *why = traced->is_lost ? "down" : "finalize";

	text_print(line, ",\"why\":\"%s\",\"unconfirmed\":[",
		   traced->has_left ? "leave" : why);
	for (size_t i = 0; i < numbers->count; i++)
		text_print(line, "%s%" PRIu64, i > 0 ? "," : "",
			   numbers->list[(numbers->first + i) &
					 (numbers->room - 1)]);
	text_print(line, "]");
	end_line(traced, "end");
}

static void life_close(struct life *life)
{
	struct traced *traced = traced_of(life);
	struct trace *trace = traced->trace;

	if (traced->nodeid != 0) {
		tell_refusals(traced);
		tell_end(traced);
	}
	for (size_t i = 0; i < trace->place_count; i++)
		if (trace->places[i].teller == life)
			trace->places[i].teller = NULL;
	free(traced->unconfirmed.list);
	text_free(&traced->nodes);
	free(traced);
}

uint64_t life_number(const struct life *life)
{
	return ((const struct traced *)life)->h;
}

void life_set_packed(struct life *life)
{
	traced_of(life)->is_packed = true;
}

void trace_init_tap(struct tap *tap)
{
	*tap = (struct tap){
		.open = life_open,
		.close = life_close,
		.sent = life_sent,
		.refused = life_refused,
		.delivered = life_delivered,
		.confchg = life_confchg,
		.ring = life_ring,
		.quorum = life_quorum,
		.nodelist = life_nodelist,
		.left = life_left,
		.lost = life_lost,
	};
}
