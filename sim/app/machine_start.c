#include "app/machine_start.h"

#include "frames/ageing/ageing.h"
#include "replay/before/memory.h"

int memory_start(struct frame_map **out, const struct machine_config *cfg, struct ageing_report *report, struct err *err)
{
    const struct ageing_config *a = &cfg->memory.ageing;
    struct buddy_config buddy = cfg->buddy;
    struct snapshot *s = NULL;
    struct memory_start start;
    buddy.cpus = cfg->cpu.count;
    struct memory_options options = {.buddy = &buddy, .policy = &cfg->memory, .seed = cfg->sim.seed};
    *out = NULL;
    if (snapshot_read(&s, a->snapshot, err) < 0)
        return -1;
    int rc = memory_from_snapshot(out, s, &options, &start, err);
    snapshot_free(s);
    if (rc < 0)
        return -1;
    *report = (struct ageing_report){.recipe = "snapshot", .seed = cfg->sim.seed, .ballast_movable = start.ballast_movable,
                                     .ballast_unmovable = start.ballast_unmovable, .from_map = start.from_map, .differs = start.differs,
                                     .unlike = start.unlike, .pcp_pages = start.pcp_pages};
    if (ageing_measure(*out, a, report, err) < 0) {
        frame_map_free(*out);
        *out = NULL;
        return -1;
    }
    return 0;
}

int machine_start(struct machine **out, const struct machine_config *cfg, struct err *err)
{
    struct frame_map *map;
    struct ageing_report report;
    if (!cfg->memory.ageing.snapshot)
        return machine_new(out, cfg, err);
    *out = NULL;
    if (memory_start(&map, cfg, &report, err) < 0)
        return -1;
    uint64_t bytes = map->n_frames * PAGE_BYTES;
    if (cfg->sim.mode == SIM_MODE_TIMED && bytes > dram_capacity(&cfg->dram)) {
        err_set(err, ERR_USAGE, "memory.ageing.snapshot reaches up to %llu MiB, the DRAM holds %llu MiB", (unsigned long long)(bytes >> 20),
                (unsigned long long)(dram_capacity(&cfg->dram) >> 20));
        frame_map_free(map);
        return err_remedy(err, "more dram.channels or dram.ranks");
    }
    return machine_new_with(out, cfg, map, &report, err);
}
