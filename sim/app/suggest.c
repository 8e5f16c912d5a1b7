#include "app/suggest.h"

#include "config/text.h"

#include <stddef.h>

const char *suggest(const char *word, const char *const *names)
{
    size_t best = text_near(word) + 1;
    const char *near = NULL;
    for (; *names; names++) {
        size_t d = text_distance(word, *names, best);
        if (d < best) {
            best = d;
            near = *names;
        }
    }
    return near;
}
