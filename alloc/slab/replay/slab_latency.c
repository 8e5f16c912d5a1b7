#include "slab/replay/slab_latency.h"

const char *slab_path_name(enum slab_path p)
{
#define SLAB_PATH_TEXT(name, text, help) text,
    static const char *const names[] = {SLAB_PATHS(SLAB_PATH_TEXT)};
#undef SLAB_PATH_TEXT
    return names[p];
}

const char *slab_path_help(enum slab_path p)
{
#define SLAB_PATH_HELP(name, text, help) help,
    static const char *const texts[] = {SLAB_PATHS(SLAB_PATH_HELP)};
#undef SLAB_PATH_HELP
    return texts[p];
}

/* Below 128 a bucket a cycle; octave k holds [128 << k, 256 << k) in 64 equal parts. */
static unsigned bucket_of(uint64_t v)
{
    if (v < LAT_LINEAR)
        return (unsigned)v;
    unsigned k = 63u - (unsigned)__builtin_clzll(v) - 7;
    if (k >= LAT_OCTAVES)
        return LAT_BUCKETS - 1;
    return LAT_LINEAR + k * LAT_SUB + (unsigned)((v >> (k + 1)) - LAT_SUB);
}

static uint64_t bucket_value(unsigned b)
{
    if (b < LAT_LINEAR)
        return b;
    unsigned k = (b - LAT_LINEAR) / LAT_SUB, sub = (b - LAT_LINEAR) % LAT_SUB;
    return (uint64_t)(LAT_SUB + sub) << (k + 1);
}

void slab_latency_add(struct slab_latency *l, uint64_t cycles)
{
    l->count[bucket_of(cycles)]++;
    l->n++;
    l->sum += cycles;
    if (cycles > l->max)
        l->max = cycles;
}

uint64_t slab_latency_quantile(const struct slab_latency *l, unsigned per_mille)
{
    uint64_t rank = (l->n * per_mille + 999) / 1000, seen = 0;
    if (rank == 0)
        rank = 1;
    for (unsigned b = 0; b < LAT_BUCKETS && l->n; b++) {
        seen += l->count[b];
        if (seen >= rank)
            return bucket_value(b);
    }
    return 0;
}

uint64_t slab_latency_bin_from(unsigned bin)
{
    enum { FINE_FIRST = 8, FINE = 4, FINE_BINS = 16, COARSE = 2 };
    if (bin == 0)
        return 0;
    bin--;
    if (bin < FINE_BINS)
        return (uint64_t)(FINE + bin % FINE) * (FINE_FIRST / FINE) << bin / FINE;
    bin -= FINE_BINS;
    return (uint64_t)(COARSE + bin % COARSE) * (LAT_LINEAR / COARSE) << bin / COARSE;
}

unsigned slab_latency_bin(uint64_t cycles)
{
    enum { FINE_FIRST = 8, FINE = 4, FINE_BINS = 16 };
    if (cycles < FINE_FIRST)
        return 0;
    unsigned k = 63u - (unsigned)__builtin_clzll(cycles);
    if (cycles < LAT_LINEAR)
        return 1 + (k - 3) * FINE + (unsigned)(cycles >> (k - 2) & (FINE - 1));
    unsigned bin = 1 + FINE_BINS + (k - 7) * 2 + (unsigned)(cycles >> (k - 1) & 1);
    return bin < LAT_BINS ? bin : LAT_BINS - 1;
}
