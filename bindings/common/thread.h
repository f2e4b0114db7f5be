#ifndef COROLUA_THREAD_H
#define COROLUA_THREAD_H

/*
 * Starts a thread that nobody waits for; 0 or an errno. It takes no signals:
 * they are for the main thread, which expects them.
 */
int thread_start(void *(*body)(void *), void *data);

#endif
