#include "app/result/page_users.h"

#include "frames/rmap.h"

#include <inttypes.h>

/* The kernel's 0x7fff..., or sign-extended as it is written. */
static uint64_t address(uint64_t vpn) { return vpn << PAGE_SHIFT; }

struct out { FILE *f; struct machine *m; };

static bool print_mapping(void *ctx, uint32_t asid, uint64_t vpn)
{
    const struct out *o = ctx;
    uint32_t process = machine_process_of(o->m, asid);
    if (process == MACHINE_NO_PROCESS)
        fprintf(o->f, " space%" PRIu32, asid);
    else
        fprintf(o->f, " %" PRIu32, process);
    fprintf(o->f, "@0x%" PRIx64, address(vpn));
    return true;
}

static void print_block(struct out *o, struct frame_block b)
{
    const struct frame_map *map = machine_frames(o->m);
    const struct frame *fr = frame_at(map, b.head);
    struct slab_frame_user slab;
    fprintf(o->f, "0x%" PRIx64 " %u %s %s", b.head.v, b.order, migratetype_name(frames_pageblock_type(map, b.head)), frame_tag_name(fr->tag));
    switch (fr->tag) {
    case FRAME_TAG_ANON:
    case FRAME_TAG_FILE:
    case FRAME_TAG_SHMEM:
        fprintf(o->f, " %" PRIu32, fr->mapcount);
        rmap_each(map, b.head, print_mapping, o);
        break;
    case FRAME_TAG_PGTABLE: { /* `private` is the table's level, vpn what it translates in units of its reach */
        uint32_t process = machine_process_of(o->m, fr->asid);
        if (!fr->private) { /* the kernel's own */
            fputs(" vmalloc", o->f);
            break;
        }
        fprintf(o->f, " level%" PRIu32, fr->private);
        if (process != MACHINE_NO_PROCESS)
            fprintf(o->f, " %" PRIu32, process);
        break;
    }
    case FRAME_TAG_SLAB:
        if (machine_slab(o->m) && slab_frame_user(machine_slab(o->m), b.head, &slab))
            fprintf(o->f, " %s %u/%u", slab.cache, slab.in_use, slab.objects);
        break;
    default:
        break;
    }
    fputc('\n', o->f);
}

void page_users_print(struct machine *m, FILE *f)
{
    const struct frame_map *map = machine_frames(m);
    struct out o = {f, m};
    fputs("# pfn order pageblock use, then: mappings process@address...; page tables: level and process; slabs: cache and objects in use\n", f);
    for (uint64_t p = 0; p < map->n_frames;) {
        struct frame_block b = frames_find(map, (pfn_t){p});
        bool block = b.kind == FRAME_IS_FREE || b.kind == FRAME_IS_ALLOCATED || b.kind == FRAME_IS_PCP;
        if (b.kind == FRAME_IS_ALLOCATED)
            print_block(&o, b);
        else if (b.kind == FRAME_IS_PCP)
            fprintf(f, "0x%" PRIx64 " %u %s pcp\n", b.head.v, b.order, migratetype_name(frames_pageblock_type(map, b.head)));
        p = block ? b.head.v + (1ull << b.order) : p + 1;
    }
}
