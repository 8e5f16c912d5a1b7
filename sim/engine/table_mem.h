/*
 * Memory of big tables that are accessed at random: huge pages of the host where it grants them on request, since every
 * access would else miss the host's TLB as well. Give it back with free().
 */
#ifndef ENGINE_TABLE_MEM_H
#define ENGINE_TABLE_MEM_H

#include <stddef.h>

void *host_table_alloc(size_t bytes);  /* aligned to a cache line, not initialised; NULL: out of memory */
void *host_table_calloc(size_t bytes); /* zero; of very big ones only what is written becomes resident */

#endif
