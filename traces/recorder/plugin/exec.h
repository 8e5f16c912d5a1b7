/* An execve of a recorded program, made so that the program it executes is recorded too. */
#ifndef RECORDER_EXEC_H
#define RECORDER_EXEC_H

#include "guest.h"

/* Once, while nothing of the program has run: what /proc/self/exe is to it. */
void exec_begin(void);
/*
 * Executes QEMU with the recorder in it, for what `path` comes to, as this process and thread. Returns if that is not to be:
 * the file cannot be executed, gives rights (set-user-id), or is for another machine, or the recorder cannot be reached.
 */
void exec_follow(const struct guest *g, const char *path, uint64_t argv_at, uint64_t envp_at, uint32_t process,
                 uint32_t thread);

#endif
