/* The files of a snapshot: the first byte chooses the parser. What the map and the zones then say must build or be refused. */
#include "replay/before/image.h"
#include "replay/before/snapshot.h"
#include "traces/input.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const parsers[])(struct snapshot *, struct trace_input *, struct err *) = {
        snapshot_parse_buddyinfo, snapshot_parse_pagetypeinfo, snapshot_parse_zoneinfo, snapshot_parse_unusable,
        snapshot_parse_extfrag,   snapshot_parse_slabinfo,     snapshot_parse_pfnmap,  snapshot_parse_vmstat,
        snapshot_parse_meminfo};
    struct snap_times times;
    struct snapshot *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    snapshot_parse_times(&times, (const char *)data, size);
    s->pageblock_order = 9;
    while (size > 0) { /* pieces behind each other: parser, length, bytes */
        size_t n = size > 2 ? (size_t)data[1] * 16 : 0;
        n = n > size - (size > 2 ? 2 : size) ? size - (size > 2 ? 2 : size) : n;
        struct trace_input *in;
        struct err err = {0};
        if (size <= 2 || trace_input_open_memory(&in, data + 2, n, "fuzz", &err) < 0)
            break;
        if (parsers[data[0] % (sizeof parsers / sizeof parsers[0])](s, in, &err) < 0 && !err.message[0])
            abort();
        trace_input_close(in);
        data += 2 + n;
        size -= 2 + n;
    }
    s->prefix = calloc(1, 1);
    if (s->has_map && s->has_info && s->pages < 1 << 20) {
        struct frame_map *map;
        struct image_options opt = {0};
        struct image_info info;
        struct err err = {0};
        if (image_build(&map, s, &opt, &info, &err) == 0)
            frame_map_free(map);
        else if (!err.message[0])
            abort();
    }
    snapshot_free(s);
    return 0;
}
