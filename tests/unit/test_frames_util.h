/* Shared by the tests of alloc/frames: a machine of a given size, and an assertion that prints the error. */
#ifndef TEST_FRAMES_UTIL_H
#define TEST_FRAMES_UTIL_H

#include "frames/measure/fragmentation.h"
#include "frames/frames.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* Takes whatever there is: the marks do not count. */
enum { GFP_ALL = GFP_HIGHUSER_MOVABLE | __GFP_MEMALLOC, GFP_ALL_KERNEL = GFP_KERNEL | __GFP_MEMALLOC };

static inline struct frame_map *map_of(struct memory_config m, struct buddy_config b)
{
    struct frame_map *map;
    struct err e = {0};
    char text[2048];
    ck_assert_msg(frame_map_new(&map, &m, &b, &e) == 0, "%s", err_format(&e, text, sizeof text));
    return map;
}

static inline struct frame_map *map_sized(uint64_t bytes)
{
    struct memory_config m;
    struct buddy_config b;
    frames_config_defaults(&m, &b);
    m.size_bytes = bytes;
    return map_of(m, b);
}

/* ... without per-CPU lists: every frame goes straight to and from the zone. */
static inline struct frame_map *map_plain(uint64_t bytes)
{
    struct memory_config m;
    struct buddy_config b;
    frames_config_defaults(&m, &b);
    m.size_bytes = bytes;
    b.pcp = false;
    return map_of(m, b);
}

static inline void check_map(const struct frame_map *map)
{
    struct err e = {0};
    ck_assert_msg(frames_check(map, &e) == 0, "%s", e.message);
}

static inline int run_suite(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
