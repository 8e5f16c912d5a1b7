/* How a worker's process ended. */
#ifndef APP_SWEEP_GROUP_ENDED_H
#define APP_SWEEP_GROUP_ENDED_H

#include <stdbool.h>
#include <stddef.h>

/* Of waitpid's status: the signal that ended it, also where it handled the signal and said so (128 + n); 0: it ended by itself. */
int ended_by(int status);
/* A signal that says the simulator is wrong, not that someone wanted it to end. */
bool ended_by_crash(int sig);
/* The last line that it said, without its newline; `said` is a file. */
void ended_words(int said, char *buf, size_t size);
/* "the simulator crashed: Segmentation fault: LAST WORDS" */
void ended_reason(int sig, const char *words, char *buf, size_t size);

#endif
