/* Where what is told goes: lines of a file, records of the recorder. */
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* All of a line of a message but its payload: 12 numbers at most. */
enum { LINE_MAX_BYTES = 12 * NUMBER_MAX + 128 };

/* How much of a payload the recorder keeps where it is longer than
 * PREVIEW_MAX. */
enum { LONG_KEPT = 64 };

struct message_record {
	struct record record;
	int64_t at;
	uint64_t h;
	uint64_t number;
	uint64_t hash; /* of a payload that is not all here */
	size_t length;
	uint32_t kind;
	uint32_t nodeid;
	uint32_t pid;
	uint32_t kept;
	char payload[];
};

struct line_record {
	struct record record;
	int64_t at;
	uint32_t kind_length;
	uint32_t length; /* of both */
	char bytes[];    /* the kind, then what stands behind `t` */
};

int64_t trace_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The clock is read by one thread, and does not fall; the start of a file may
 * be a moment behind what was told last. */
static uint64_t microseconds(int64_t at, int64_t start)
{
	return at > start ? (uint64_t)(at - start) / 1000 : 0;
}

static char *put_head(char *to, const char *kind, size_t length, uint64_t t)
{
	to = put_literal(to, "{\"k\":\"");
	to = put_bytes(to, kind, length);
	to = put_literal(to, "\",\"t\":");
	return put_number(to, t);
}

static char *put_member(char *to, uint32_t nodeid, uint32_t pid)
{
	to = put_literal(to, ",\"f\":\"");
	to = put_number(to, nodeid);
	*to++ = '/';
	to = put_number(to, pid);
	*to++ = '"';
	return to;
}

/* At least LINE_MAX_BYTES and ESCAPED_MAX for each byte of the preview. */
static char *put_message(char *to, const struct message *message, uint64_t t,
			 uint64_t hash, size_t preview)
{
	to = put_head(to, message->kind == MESSAGE_SEND ? "send" : "recv", 4,
		      t);
	to = put_literal(to, ",\"h\":");
	to = put_number(to, message->h);
	if (message->kind == MESSAGE_RECV)
		to = put_member(to, message->nodeid, message->pid);
	if (message->number > 0) {
		to = put_literal(to, ",\"m\":");
		to = put_number(to, message->number);
	}
	to = put_literal(to, ",\"x\":");
	to = put_hash(to, hash);
	to = put_literal(to, ",\"b\":");
	to = put_number(to, message->length);
	if (preview > 0) {
		to = put_literal(to, ",\"d\":");
		to = put_string(to, message->payload, preview);
	}
	return put_literal(to, "}\n");
}

static size_t at_most(size_t length, size_t most)
{
	return length < most ? length : most;
}

static void write_message(struct trace *trace, const struct message *message,
			  int64_t now)
{
	size_t preview = at_most(message->length, trace->preview);
	char *to =
		file_line(trace->file, LINE_MAX_BYTES + preview * ESCAPED_MAX);

	if (to == NULL)
		return;
	to = put_message(to, message, microseconds(now, trace->start),
			 hash_of(message->payload, message->length), preview);
	file_end_line(trace->file, to, now);
}

static void keep_message(struct trace *trace, const struct message *message,
			 int64_t now)
{
	bool is_whole = message->length <= PREVIEW_MAX;
	size_t kept = is_whole ? message->length : LONG_KEPT;
	struct message_record *record =
		ring_add(&trace->messages, sizeof *record + kept);

	if (record == NULL)
		return;
	record->at = now;
	record->h = message->h;
	record->number = message->number;
	record->hash =
		is_whole ? 0 : hash_of(message->payload, message->length);
	record->length = message->length;
	record->kind = message->kind;
	record->nodeid = message->nodeid;
	record->pid = message->pid;
	record->kept = (uint32_t)kept;
	memcpy(record->payload, message->payload, kept);
}

void trace_message(struct trace *trace, const struct message *message)
{
	int64_t now = trace_now();

	trace->last = now;
	if (trace->file != NULL && message->h >= trace->first)
		write_message(trace, message, now);
	if (message->h >= trace->first_kept)
		keep_message(trace, message, now);
}

static void write_line(struct file *file, const char *kind, size_t length,
		       const char *rest, size_t rest_length, uint64_t t)
{
	size_t most = length + rest_length + NUMBER_MAX + 32;
	char on_stack[1024], *line = on_stack, *to;

	if (most > sizeof on_stack)
		line = malloc(most);
	if (line == NULL) {
		file->dropped++;
		return;
	}
	to = put_head(line, kind, length, t);
	to = put_bytes(to, rest, rest_length);
	to = put_literal(to, "}\n");
	file_add(file, line, (size_t)(to - line));
	if (line != on_stack)
		free(line);
}

static void keep_line(struct trace *trace, const char *kind, size_t length,
		      int64_t now)
{
	const struct text *line = &trace->line;
	struct line_record *record = ring_add(
		&trace->others, sizeof *record + length + line->length);

	if (record == NULL) {
		trace->others.evicted += trace->others.room > 0;
		return;
	}
	record->at = now;
	record->kind_length = (uint32_t)length;
	record->length = (uint32_t)(length + line->length);
	memcpy(record->bytes, kind, length);
	memcpy(record->bytes + length, line->bytes, line->length);
}

void trace_line(struct trace *trace, const char *kind, uint64_t h)
{
	int64_t now = trace_now();
	size_t length = strlen(kind);
	bool is_written = trace->file != NULL && (h == 0 || h >= trace->first);

	trace->last = now;
	if (trace->line.is_lost) {
		if (is_written)
			trace->file->dropped++;
		return;
	}
	if (is_written)
		write_line(trace->file, kind, length, trace->line.bytes,
			   trace->line.length, microseconds(now, trace->start));
	if (h == 0 || h >= trace->first_kept)
		keep_line(trace, kind, length, now);
}

static void dump_message(struct file *file, const struct message_record *record,
			 int64_t start)
{
	const struct message message = {
		.kind = (enum message_kind)record->kind,
		.h = record->h,
		.number = record->number,
		.nodeid = record->nodeid,
		.pid = record->pid,
		.payload = record->payload,
		.length = record->length,
	};
	uint64_t hash = record->kept == record->length
				? hash_of(record->payload, record->length)
				: record->hash;
	char *to = file_line(file, LINE_MAX_BYTES +
					   (size_t)record->kept * ESCAPED_MAX);

	if (to != NULL)
		file_end_line(file,
			      put_message(to, &message,
					  microseconds(record->at, start), hash,
					  record->kept),
			      0);
}

static void dump_line(struct file *file, const struct line_record *record,
		      int64_t start)
{
	write_line(file, record->bytes, record->kind_length,
		   record->bytes + record->kind_length,
		   record->length - record->kind_length,
		   microseconds(record->at, start));
}

/* Both rings in the order of time. */
static void dump_records(struct trace *trace, struct file *file, int64_t start)
{
	uint64_t a = trace->messages.head, b = trace->others.head;

	while (true) {
		const struct message_record *message =
			(const void *)ring_at(&trace->messages, &a);
		const struct line_record *line =
			(const void *)ring_at(&trace->others, &b);

		if (message == NULL && line == NULL)
			return;
		if (line == NULL ||
		    (message != NULL && message->at < line->at)) {
			dump_message(file, message, start);
			a += message->record.size;
		} else {
			dump_line(file, line, start);
			b += line->record.size;
		}
	}
}

static void dump_stop(struct trace *trace, struct file *file, int64_t start)
{
	struct text text = {.bytes = NULL};

	text_print(&text, ",\"settled\":false,\"dropped\":%" PRIu64,
		   trace->messages.evicted + trace->others.evicted);
	if (!text.is_lost)
		write_line(file, "stop", 4, text.bytes, text.length,
			   microseconds(trace_now(), start));
	text_free(&text);
}

int trace_dump(struct trace *trace, const char *path, const char *first,
	       size_t length, int64_t start)
{
	struct file *file = malloc(sizeof *file);
	int err;

	if (file == NULL)
		return ENOMEM;
	err = file_open(file, path, true);
	if (err == 0) {
		file_add(file, first, length);
		dump_records(trace, file, start);
		dump_stop(trace, file, start);
		err = file_close(file);
	}
	free(file);
	return err;
}

struct place *trace_place(struct trace *trace, uint64_t inode)
{
	struct place *place;

	for (size_t i = 0; i < trace->place_count; i++)
		if (trace->places[i].inode == inode)
			return &trace->places[i];
	if (trace->place_count == PLACES_MAX)
		return NULL;
	place = &trace->places[trace->place_count++];
	*place = (struct place){.inode = inode};
	return place;
}

static void tell_newest(struct trace *trace, struct place *place)
{
	if (place->newest.length == 0)
		return;
	text_clear(&trace->line);
	text_print(&trace->line, ",\"n\":%" PRIu32, place->nodeid);
	text_add(&trace->line, place->newest.bytes, place->newest.length);
	trace_line(trace, "quorum", 0);
	text_free(&place->newest);
}

void trace_know_place(struct trace *trace, struct place *place, uint32_t nodeid)
{
	place->nodeid = nodeid;
	tell_newest(trace, place);
}

void trace_tell_places(struct trace *trace)
{
	for (size_t i = 0; i < trace->place_count; i++)
		tell_newest(trace, &trace->places[i]);
}
