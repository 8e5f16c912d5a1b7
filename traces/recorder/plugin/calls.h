/* System calls, threads and processes as QEMU's callbacks tell them. */
#ifndef RECORDER_CALLS_H
#define RECORDER_CALLS_H

#include "qemu_api.h"

void calls_install(qemu_plugin_id_t id, bool wide);
bool calls_wide(void); /* x86-64, else i386 */
/* The program is loaded: sends its mappings. `base`: host address less guest address. */
void calls_begin(uint64_t base);

#endif
