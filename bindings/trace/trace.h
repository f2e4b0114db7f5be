#ifndef COROLUA_TRACE_TRACE_H
#define COROLUA_TRACE_TRACE_H

#include "common/tap.h"
#include "trace/file.h"
#include "trace/ring.h"
#include "trace/text.h"

/*
 * The one trace of a program: what is told goes into its file, if there is one,
 * and into the rings of the flight recorder, if they keep anything. Nothing is
 * formatted for the rings: that is done when they are written out.
 */
enum {
	PREVIEW_MAX = 1024, /* bytes of a payload that are kept at most */
	PLACES_MAX = 256,   /* networks whose node is known */
};

/* A network, and the node that is in it. */
struct place {
	uint64_t inode;
	uint32_t nodeid;           /* 0 while it is not known */
	const struct life *teller; /* who told of its newest ring */
	uint64_t seq;              /* of that ring */
	struct text newest; /* what is not told before the node is known */
};

struct trace {
	struct tap tap; /* first: the handles know nothing else */
	struct file *file;
	int64_t start;  /* of the file, nanoseconds of the monotonic clock */
	size_t preview; /* bytes of a payload in the file */
	uint64_t first; /* the first life that is told of in the file */
	struct ring messages;
	struct ring others;
	uint64_t first_kept; /* the first life that the recorder knows of */
	int64_t last;        /* of what was told last */
	uint64_t lives;      /* the number of the newest */
	bool tells_quorum;
	unsigned int forks; /* fork_depth() of the process that tells */
	struct text line; /* the one that is being made */
	struct place places[PLACES_MAX];
	size_t place_count;
};

enum message_kind { MESSAGE_SEND, MESSAGE_RECV };

struct message {
	enum message_kind kind;
	uint64_t h;
	uint64_t number; /* 0: none */
	uint32_t nodeid; /* of the sender, of those that were received */
	uint32_t pid;
	const char *payload;
	size_t length;
};

/* Now, in nanoseconds of the monotonic clock. */
int64_t trace_now(void);

void trace_message(struct trace *trace, const struct message *message);

/* A line of a kind and, behind `t`, of what is in trace->line, which begins
 * with a comma and lacks the closing brace. `h` is 0 where it is of no life. */
void trace_line(struct trace *trace, const char *kind, uint64_t h);

/* Writes what the recorder has, behind a first line: 0, or errno. `start` is
 * what `t` counts from. */
int trace_dump(struct trace *trace, const char *path, const char *first,
	       size_t length, int64_t start);

/* The place of a network, which it makes if it has to; NULL where there are too
 * many of them. */
struct place *trace_place(struct trace *trace, uint64_t inode);

/* The node of a network is known from here on. */
void trace_know_place(struct trace *trace, struct place *place,
		      uint32_t nodeid);

/* Tells of what nobody knows the node of. */
void trace_tell_places(struct trace *trace);

/* The functions of the tap, and what else lives are asked for. */
void trace_init_tap(struct tap *tap);
uint64_t life_number(const struct life *life);
void life_set_packed(struct life *life);

#endif
