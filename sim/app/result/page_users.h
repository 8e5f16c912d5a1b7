/*
 * proc/page_users: who has which frames, a line an allocated block, from the reverse map (frames/rmap.h), page tables' owners and the
 * slab allocator's books. For programs that look for what keeps a pageblock from being free. docs/model/output.md
 */
#ifndef APP_PAGE_USERS_H
#define APP_PAGE_USERS_H

#include "cpu/machine/machine.h"

void page_users_print(struct machine *m, FILE *f);

#endif
