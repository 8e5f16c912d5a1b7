/* Reading and writing the recorded program's memory: any address may be given, also one that is not mapped. */
#ifndef RECORDER_GUEST_H
#define RECORDER_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest {
    uint64_t base; /* host address less the program's */
    bool wide;     /* pointers of 8 bytes, else 4 */
};

bool guest_read(uint64_t base, void *to, uint64_t from, size_t n);
bool guest_write(uint64_t base, uint64_t to, const void *from, size_t n);
/* A malloced copy of a string; NULL if it cannot be read or there is no memory. */
char *guest_string(const struct guest *g, uint64_t from);
/* A malloced list of malloced strings, ended by NULL, of an array of pointers ended by a null one (NULL: empty). */
char **guest_strings(const struct guest *g, uint64_t from, size_t *n);
void guest_strings_free(char **list);

#endif
