#include "guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096u
#define STRING_MAX (128u << 10) /* of one argument: MAX_ARG_STRLEN, include/uapi/linux/binfmts.h */
#define STRINGS_MAX (1u << 20)

bool guest_read(uint64_t base, void *to, uint64_t from, size_t n)
{
    struct iovec here = {to, n}, there = {(void *)(uintptr_t)(from + base), n};
    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)n;
}

bool guest_write(uint64_t base, uint64_t to, const void *from, size_t n)
{
    struct iovec here = {(void *)(uintptr_t)from, n}, there = {(void *)(uintptr_t)(to + base), n};
    return process_vm_writev(getpid(), &here, 1, &there, 1, 0) == (ssize_t)n;
}

char *guest_string(const struct guest *g, uint64_t from)
{
    size_t n = 0;
    char *s = NULL;
    while (n < STRING_MAX) { /* page by page: what lies behind the string may not be there */
        size_t room = PAGE - ((from + n) & (PAGE - 1));
        char *more = realloc(s, n + room);
        if (!more)
            break;
        s = more;
        if (!guest_read(g->base, s + n, from + n, room))
            break;
        if (memchr(s + n, 0, room))
            return s;
        n += room;
    }
    free(s);
    return NULL;
}

void guest_strings_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

char **guest_strings(const struct guest *g, uint64_t from, size_t *n)
{
    size_t cap = 64, each = g->wide ? 8 : 4;
    char **list = calloc(cap, sizeof *list);
    *n = 0;
    if (!list)
        return NULL;
    while (from && *n < STRINGS_MAX) {
        uint64_t at = 0;
        if (!guest_read(g->base, &at, from + *n * each, each))
            break;
        if (!at)
            return list;
        if (*n + 2 > cap) {
            char **more = realloc(list, 2 * cap * sizeof *list);
            if (!more)
                break;
            memset(more + cap, 0, cap * sizeof *more);
            list = more;
            cap *= 2;
        }
        if (!(list[*n] = guest_string(g, at)))
            break;
        ++*n;
    }
    if (!from)
        return list;
    guest_strings_free(list);
    return NULL;
}
