/*
 * From a port to others. The switch learns from source addresses which port an
 * address is behind; what is for all, or for an address not heard of yet, goes
 * to each other port of the same link. Each such copy passes its own cell.
 */
#include "switch/forward.h"

#include <stdlib.h>
#include <string.h>

enum { PROBES = 8, ROUND = 256, ADDRESS = 6 };

static uint64_t address_key(const unsigned char *bytes, unsigned int link)
{
	uint64_t key = link + 1;

	for (int i = 0; i < ADDRESS; i++)
		key = key << 8 | bytes[i];
	return key;
}

static struct address *address_place(struct engine *engine, uint64_t key,
				     unsigned int probe)
{
	return &engine->addresses[(random_mix(key) + probe) % ADDRESSES];
}

static const struct address *address_find(struct engine *engine, uint64_t key)
{
	for (unsigned int i = 0; i < PROBES; i++) {
		struct address *address = address_place(engine, key, i);

		if (address->key == key || address->key == 0)
			return address->key == 0 ? NULL : address;
	}
	return NULL;
}

/* Where all places are taken, the last one's address is forgotten. */
static void address_learn(struct engine *engine, uint64_t key,
			  unsigned int port)
{
	struct address *address = NULL;

	for (unsigned int i = 0; i < PROBES; i++) {
		address = address_place(engine, key, i);
		if (address->key == key || address->key == 0)
			break;
	}
	address->key = key;
	address->port = port;
}

static void send_now(struct engine *engine, struct held *held)
{
	sender_add(&engine->senders[held->to], held->cell, held->frame,
		   held->length, held);
}

/* A damaged frame that no receiver could recognize ends here. */
static bool damage(struct held *held, const struct verdict *verdict)
{
	if (!verdict->corrupt ||
	    frame_corrupt(held->frame, held->length, verdict->damage,
			  held->cell->faults.repair))
		return true;
	counter_add(&held->cell->counters[CELL_DISCARDED], 1);
	return false;
}

static void hold(struct engine *engine, struct held *held, uint64_t due)
{
	held->due.time = due;
	if (queue_add(&engine->queue, held))
		return;
	counter_add(&held->cell->counters[CELL_OVERFLOW], 1);
	free(held);
}

/* One copy that has to be changed, or to wait. */
static void send_copy(struct engine *engine, struct held *held,
		      const struct verdict *verdict, uint64_t due)
{
	if (!damage(held, verdict))
		free(held);
	else if (due > engine->now)
		hold(engine, held, due);
	else
		send_now(engine, held);
}

static void send_judged(struct engine *engine, struct cell *cell,
			unsigned int to, unsigned char *frame, size_t length)
{
	struct verdict verdict;

	cell_judge(cell, length - FRAME_HEADER, engine->now, &verdict);
	for (unsigned int i = 0; i < verdict.copies; i++) {
		struct held *held;

		if (!verdict.corrupt && verdict.due[i] <= engine->now) {
			sender_add(&engine->senders[to], cell, frame, length,
				   NULL);
			continue;
		}
		held = held_new(cell, to, frame, length);
		if (held != NULL)
			send_copy(engine, held, &verdict, verdict.due[i]);
		else
			counter_add(&cell->counters[CELL_OVERFLOW], 1);
	}
}

static void cross(struct engine *engine, unsigned int from, unsigned int to,
		  unsigned char *frame, size_t length)
{
	const struct switch_port *source = engine->ports[from].shared;
	const struct switch_port *target = engine->ports[to].shared;
	struct cell *cell = &engine->cells[slot_index(
		engine->shared, source->link, source->node, target->node)];

	counter_add(&cell->counters[CELL_OFFERED], 1);
	if (cell->perfect)
		sender_add(&engine->senders[to], cell, frame, length, NULL);
	else
		send_judged(engine, cell, to, frame, length);
}

static void flood(struct engine *engine, unsigned int from,
		  unsigned char *frame, size_t length)
{
	unsigned int link = engine->ports[from].shared->link;

	for (unsigned int to = 0; to < engine->count; to++)
		if (to != from && engine->ports[to].shared->link == link)
			cross(engine, from, to, frame, length);
}

static void forward_frame(struct engine *engine, unsigned int from,
			  unsigned char *frame, size_t length)
{
	const unsigned char *bytes = frame + FRAME_HEADER;
	unsigned int link = engine->ports[from].shared->link;
	const struct address *address = NULL;

	address_learn(engine, address_key(bytes + ADDRESS, link), from);
	if ((bytes[0] & 1) == 0)
		address = address_find(engine, address_key(bytes, link));
	if (address == NULL)
		flood(engine, from, frame, length);
	else if (address->port != from)
		cross(engine, from, address->port, frame, length);
	else
		counter_add(
			&engine->ports[from].shared->counters[PORT_UNWANTED],
			1);
}

/* The buffer is one for all, so the frames before and this one leave first. */
static void forward_long(struct engine *engine, unsigned int from)
{
	size_t length = port_read_long(&engine->ports[from], engine->long_frame,
				       LONG_FRAME);

	if (length == 0) {
		counter_add(
			&engine->ports[from].shared->counters[PORT_OVERSIZED],
			1);
		return;
	}
	forward_frame(engine, from, engine->long_frame, length);
	forward_flush(engine);
}

void forward_port(struct engine *engine, unsigned int from)
{
	struct port *port = &engine->ports[from];
	unsigned char *frame;
	size_t length;

	for (unsigned int i = 0; i < ROUND; i++) {
		enum port_found found = port_next(port, &frame, &length);

		if (found == PORT_EMPTY)
			return;
		counter_add(&port->shared->counters[PORT_RECEIVED], 1);
		if (found == PORT_LONG)
			forward_long(engine, from);
		else if (found == PORT_CUT)
			counter_add(&port->shared->counters[PORT_OVERSIZED], 1);
		else
			forward_frame(engine, from, frame, length);
	}
}

void forward_due(struct engine *engine)
{
	struct held *held;

	while ((held = queue_take(&engine->queue, engine->now)) != NULL)
		send_now(engine, held);
}

void forward_flush(struct engine *engine)
{
	for (unsigned int i = 0; i < engine->count; i++)
		sender_flush(&engine->senders[i]);
	for (unsigned int i = 0; i < engine->count; i++)
		port_release(&engine->ports[i]);
}
