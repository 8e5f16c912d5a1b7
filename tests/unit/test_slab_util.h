/* Shared by the tests of alloc/slab: a small machine with a slab system of a given design. */
#ifndef TEST_SLAB_UTIL_H
#define TEST_SLAB_UTIL_H

#include "unit/test_frames_util.h"

#include "slab/slab.h"

static inline struct slab_sys *slab_of(struct frame_map *map, const struct slab_config *cfg, unsigned cpus)
{
    struct slab_sys *s;
    struct err e = {0};
    ck_assert_msg(slab_sys_new(&s, cfg, map, cpus, 1, &e) == 0, "%s", e.message);
    return s;
}

static inline struct slab_config slab_defaults(int design)
{
    struct slab_config c;
    slab_config_defaults(&c);
    c.design = design;
    return c;
}

static inline void check_slab(const struct slab_sys *s)
{
    struct err e = {0};
    ck_assert_msg(slab_check(s, &e) == 0, "%s", e.message);
    ck_assert_msg(frames_check(slab_frames(s), &e) == 0, "%s", e.message);
}

/* The machine has back every page that the slabs had. */
static inline void all_back(struct slab_sys *s, struct frame_map *map)
{
    slab_sys_free(s);
    ck_assert_uint_eq(map->tag_pages[FRAME_TAG_SLAB], 0);
    check_map(map);
    frame_map_free(map);
}

#endif
