#include "memory/cache.h"

#include <stdio.h>
#include <stdlib.h>

int cache_init(struct cache *c, const struct cache_config *cfg, uint64_t seed, const char *name, struct err *err)
{
    *c = (struct cache){0};
    if (cfg->size_bytes == 0 || cfg->size_bytes % ((uint64_t)cfg->ways * LINE_BYTES) != 0)
        return err_set(err, ERR_USAGE, "%s: size %llu is not a multiple of ways %u times the 64-byte line", name,
                       (unsigned long long)cfg->size_bytes, cfg->ways);
    if (assoc_init(&c->tags, cache_sets(cfg), cfg->ways, (enum repl_policy)cfg->replacement, seed, name, err) < 0)
        return -1;
    c->flags = calloc((size_t)c->tags.sets * c->tags.ways, 1);
    if (!c->flags) {
        cache_fini(c);
        return err_set(err, ERR_RUN, "%s: out of host memory", name);
    }
    return 0;
}

void cache_fini(struct cache *c)
{
    assoc_fini(&c->tags);
    free(c->flags);
    c->flags = NULL;
}

void cache_state(struct cache *c, struct state_io *io)
{
    size_t n = (size_t)c->tags.sets * c->tags.ways;
    assoc_state(&c->tags, io);
    state_bytes(io, c->flags, n);
    for (size_t i = 0; io->loading && i < n; i++)
        if (!state_check(io, c->flags[i] <= LINE_M, "a cache line's state is impossible"))
            return;
    state_bytes(io, &c->st, sizeof c->st);
    state_bytes(io, c->by, sizeof c->by);
}

static const struct stat_desc cache_descs[] = {
#define X(name, unit, help) STAT_ENTRY(struct cache_stats, name, unit, help)
    CACHE_STATS(X)
#undef X
};
static const struct stat_desc origin_descs[] = {
#define X(name, unit, help) STAT_ENTRY(struct cache_origin_stats, name, unit, help)
    CACHE_ORIGIN_STATS(X)
#undef X
};
static const char *const origin_names[] = {
#define X(name) #name,
    REQ_ORIGINS(X)
#undef X
};

void cache_register_stats(const struct cache *c, struct stats *s, const char *path, unsigned origins)
{
    stats_add(s, path, &c->st, cache_descs, ARRAY_LEN(cache_descs));
    for (unsigned o = 0; o < ORIGIN_COUNT; o++)
        if (origins >> o & 1) {
            char sub[96];
            snprintf(sub, sizeof sub, "%s.%s", path, origin_names[o]);
            stats_add(s, sub, &c->by[o], origin_descs, ARRAY_LEN(origin_descs));
        }
}
