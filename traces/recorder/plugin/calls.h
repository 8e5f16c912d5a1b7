/* System calls, threads and processes as QEMU's callbacks tell them. */
#ifndef RECORDER_CALLS_H
#define RECORDER_CALLS_H

#include "qemu_api.h"

/* follows: the program was executed by a recorded one, and its first thread has this number. */
void calls_install(qemu_plugin_id_t id, bool wide, bool follows, uint32_t thread);
bool calls_wide(void); /* x86-64, else i386 */
/* The program is loaded: sends its mappings. `base`: host address less guest address. */
void calls_begin(uint64_t base);

#endif
