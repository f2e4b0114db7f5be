/* Timers whose signals come to the thread that made them. */
#include "host.h"

#include "common/clock.h"

#include <unistd.h>

int ticker_make(timer_t *timer, clockid_t clock, int signum,
		void (*handler)(int signum))
{
	struct sigaction action = {.sa_handler = handler,
				   .sa_flags = SA_RESTART};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
				 .sigev_signo = signum};

	event._sigev_un._tid = gettid();
	sigemptyset(&action.sa_mask);
	if (sigaction(signum, &action, NULL) != 0)
		return -1;
	return timer_create(clock, &event, timer);
}

int ticker_start(timer_t timer, int64_t first, int64_t interval)
{
	const struct itimerspec spec = {
		.it_value = {first / SECOND, first % SECOND},
		.it_interval = {interval / SECOND, interval % SECOND},
	};

	return timer_settime(timer, 0, &spec, NULL);
}
