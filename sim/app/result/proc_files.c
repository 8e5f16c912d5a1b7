#include "app/result/proc_files.h"

#include "app/result/page_users.h"
#include "engine/types.h"
#include "frames/compact/compaction.h"
#include "frames/measure/fragmentation.h"
#include "frames/proc/meminfo.h"
#include "frames/proc/zoneinfo.h"
#include "slab/vmalloc/vmalloc.h"

#define OF_MAP(name) \
    static void print_##name(const struct proc_source *s, FILE *f) { frames_print_##name(s->map, f); }
OF_MAP(buddyinfo)
OF_MAP(pagetypeinfo)
OF_MAP(unusable_index)
OF_MAP(extfrag_index)
OF_MAP(vmstat)
#undef OF_MAP
static enum uses_slab slab_kind(void *self, pfn_t block)
{
    struct slab_frame_user u;
    if (!self || !slab_frame_user(self, block, &u))
        return USES_SLAB_UNKNOWN;
    return u.reclaimable ? USES_SLAB_RECLAIMABLE : USES_SLAB_UNRECLAIMABLE;
}
static struct uses_more more_of(const struct proc_source *s)
{
    return (struct uses_more){.self = (void *)(uintptr_t)s->slab, .slab = slab_kind, .gigantic = s->gigantic, .guessed = s->guessed,
                              .vmalloc_bytes = s->vmalloc_bytes};
}
static void print_zoneinfo(const struct proc_source *s, FILE *f)
{
    struct uses_more more = more_of(s);
    frames_print_zoneinfo(s->map, &more, f);
}
static void print_meminfo(const struct proc_source *s, FILE *f)
{
    struct uses_more more = more_of(s);
    frames_print_meminfo(s->map, &more, f);
}
static void print_slabinfo(const struct proc_source *s, FILE *f) { slab_print_slabinfo(s->slab, f); }
static void print_vmallocinfo(const struct proc_source *s, FILE *f) { slab_print_vmallocinfo(s->vmalloc, f); }
static void print_page_users(const struct proc_source *s, FILE *f) { page_users_print(s->users, f); }

static const struct proc_file {
    const char *name;
    void (*print)(const struct proc_source *s, FILE *out);
    enum { OF_FRAMES, OF_SLABS, OF_VMALLOC, OF_USERS } of;
} files[] = {
    {"buddyinfo", print_buddyinfo, OF_FRAMES},         {"pagetypeinfo", print_pagetypeinfo, OF_FRAMES},
    {"zoneinfo", print_zoneinfo, OF_FRAMES},           {"unusable_index", print_unusable_index, OF_FRAMES},
    {"extfrag_index", print_extfrag_index, OF_FRAMES}, {"slabinfo", print_slabinfo, OF_SLABS},
    {"vmallocinfo", print_vmallocinfo, OF_VMALLOC},    {"page_users", print_page_users, OF_USERS},
    {"vmstat", print_vmstat, OF_FRAMES},               {"meminfo", print_meminfo, OF_FRAMES},
};

struct job { const struct proc_file *file; const struct proc_source *source; };

static int write_one(FILE *f, void *ctx, struct err *err)
{
    const struct job *j = ctx;
    (void)err;
    j->file->print(j->source, f);
    return 0;
}

int proc_files_write(struct result *r, const char *folder, const struct proc_source *s, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char name[512];
        struct job j = {&files[i], s};
        if ((files[i].of == OF_SLABS && !s->slab) || (files[i].of == OF_VMALLOC && !s->vmalloc) || (files[i].of == OF_USERS && !s->users))
            continue;
        snprintf(name, sizeof name, "%.400s/%s", folder, files[i].name);
        if (result_write(r, name, write_one, &j, err) < 0)
            return -1;
    }
    return 0;
}
