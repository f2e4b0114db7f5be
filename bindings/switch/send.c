/*
 * The sending side: frames go out from where they lie, in the receive ring or
 * in a held copy, many with one system call. A frame counts as forwarded when
 * the kernel has taken it, and as refused when it has not.
 */
#include "switch/send.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

enum { PATIENCE = 200 }; /* milliseconds for a full socket buffer */

void sender_init(struct sender *sender, int fd, struct pcap *pcap)
{
	sender->fd = fd;
	sender->pcap = pcap;
	for (size_t i = 0; i < SEND_BATCH; i++) {
		struct msghdr *message = &sender->messages[i].msg_hdr;

		message->msg_iov = &sender->bytes[i];
		message->msg_iovlen = 1;
	}
}

void sender_add(struct sender *sender, struct cell *cell, unsigned char *frame,
		size_t length, struct held *held)
{
	unsigned int at = sender->count++;

	sender->bytes[at].iov_base = frame;
	sender->bytes[at].iov_len = length;
	sender->cells[at] = cell;
	sender->held[at] = held;
	if (sender->count == SEND_BATCH)
		sender_flush(sender);
}

static void count_sent(struct sender *sender, unsigned int at)
{
	counter_add(&sender->cells[at]->counters[CELL_FORWARDED], 1);
	pcap_add(sender->pcap, sender->bytes[at].iov_base,
		 sender->bytes[at].iov_len);
}

static bool wait_for_room(const struct sender *sender)
{
	struct pollfd pollfd = {.fd = sender->fd, .events = POLLOUT};

	return poll(&pollfd, 1, PATIENCE) == 1 &&
	       (pollfd.revents & POLLOUT) != 0;
}

/*
 * Whether to try the first unsent frame again. The buffer is full while the
 * kernel has not yet handed on what it took, so it is worth to wait: but once,
 * for a cable that does not move must not stop the others.
 */
static bool is_passing(const struct sender *sender, int err, bool *waited)
{
	if (err == EINTR)
		return true;
	if (*waited || err != EAGAIN)
		return false;
	*waited = true;
	return wait_for_room(sender);
}

static void send_all(struct sender *sender)
{
	unsigned int at = 0;
	bool waited = false;

	while (at < sender->count) {
		int n = sendmmsg(sender->fd, &sender->messages[at],
				 sender->count - at, MSG_DONTWAIT);

		for (int i = 0; i < n; i++)
			count_sent(sender, at++);
		if (n > 0)
			waited = false;
		if (n > 0 || is_passing(sender, errno, &waited))
			continue;
		counter_add(&sender->cells[at++]->counters[CELL_REFUSED], 1);
	}
}

void sender_flush(struct sender *sender)
{
	send_all(sender);
	for (unsigned int i = 0; i < sender->count; i++)
		free(sender->held[i]);
	sender->count = 0;
}
