/* A set of 64-bit numbers (addresses, page numbers): open addressing, grows with what is in it. Not
 * thread-safe. */
#ifndef TRACES_ADDRSET_H
#define TRACES_ADDRSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addrset {
    uint64_t *slot; /* value + 1; 0 is free. UINT64_MAX itself is kept apart */
    size_t n, cap;  /* cap is 0 or a power of two */
    bool has_max;
};

/* 1 new, 0 was there already, -1 no memory. */
int addrset_add(struct addrset *s, uint64_t v);
bool addrset_has(const struct addrset *s, uint64_t v);
bool addrset_remove(struct addrset *s, uint64_t v); /* false: was not there */
int addrset_copy(struct addrset *to, const struct addrset *from); /* to: empty before; -1: no memory */
size_t addrset_count(const struct addrset *s);
void addrset_fini(struct addrset *s); /* a zeroed set is empty */

#endif
