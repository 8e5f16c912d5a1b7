#include "replay/before/snapshot.h"

#include "frames/frames.h"
#include "traces/input.h"
#include "traces/readers/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define X(name, text) text,
static const char *const class_names[N_FRAME_CLASSES] = {FRAME_CLASSES(X)};
#undef X
const char *frame_class_name(enum frame_class c) { return (unsigned)c < N_FRAME_CLASSES ? class_names[c] : "unknown"; }

struct snap_zone *snapshot_zone(struct snapshot *s, unsigned node, const char *name)
{
    for (unsigned i = 0; i < s->zones; i++)
        if (s->zone[i].node == node && !strcmp(s->zone[i].name, name))
            return &s->zone[i];
    return NULL;
}

/* ---- words of a line ------------------------------------------------------------------------------------------------ */

struct cursor { const struct trace_input *in; const char *line, *p, *end; size_t len; struct err *err; };

static int next_line(struct trace_input *in, struct cursor *c, struct err *err)
{
    int got = trace_input_line(in, &c->line, &c->len, err);
    if (got > 0) {
        c->in = in;
        c->err = err;
        c->p = c->line;
        c->end = c->line + c->len;
    }
    return got;
}

static int bad(const struct cursor *c, const char *what)
{
    return trace_line_error(c->in, c->line, c->len, c->err,
                            c->line[c->len] == '\0' ? "was the file cut off here?" : NULL, "%s", what);
}

static bool word(struct cursor *c, const char *w)
{
    scan_blanks(&c->p, c->end);
    return scan_word(&c->p, c->end, w);
}

static bool number(struct cursor *c, uint64_t *out)
{
    scan_blanks(&c->p, c->end);
    return scan_dec(&c->p, c->end, out);
}

static bool at_end(struct cursor *c)
{
    scan_blanks(&c->p, c->end);
    return c->p == c->end;
}

/* A word of at most n - 1 bytes that ends at a blank or `stop`. */
static bool name(struct cursor *c, char *out, size_t n, char stop)
{
    size_t k = 0;
    scan_blanks(&c->p, c->end);
    for (; c->p < c->end && *c->p != ' ' && *c->p != '\t' && *c->p != stop; c->p++) {
        if (!*c->p || k + 1 == n)
            return false;
        out[k++] = *c->p;
    }
    out[k] = '\0';
    return k > 0;
}

static int grow(void **p, size_t n, size_t each, struct err *err)
{
    if (n & (n - 1)) /* room is a power of two */
        return 0;
    void *q = realloc(*p, (n ? n * 2 : 1) * each);
    if (!q)
        return err_set(err, ERR_RUN, "out of memory");
    *p = q;
    return 0;
}

static void note_node(struct snapshot *s, unsigned node)
{
    unsigned at = 0;
    for (unsigned i = 0; i < s->nodes && i < FRAME_NODES; i++) {
        if (s->node[i] == node)
            return;
        at += s->node[i] < node;
    }
    if (s->nodes++ >= FRAME_NODES)
        return;
    for (unsigned i = s->nodes - 1; i > at; i--)
        s->node[i] = s->node[i - 1];
    s->node[at] = node;
}

/* "Node 0, zone   Normal" and a comma if `comma`; the zone, made if it is new. NULL: not of this form, or too many. */
static struct snap_zone *zone_head(struct snapshot *s, struct cursor *c)
{
    uint64_t node;
    char text[sizeof s->zone[0].name];
    if (!word(c, "Node") || !number(c, &node) || node > 1023 || !word(c, ",") || !word(c, "zone") ||
        !name(c, text, sizeof text, ','))
        return NULL;
    struct snap_zone *z = snapshot_zone(s, (unsigned)node, text);
    if (z || s->zones == SNAP_ZONES)
        return z;
    z = &s->zone[s->zones++];
    z->node = (unsigned)node;
    note_node(s, (unsigned)node);
    memcpy(z->name, text, sizeof text);
    return z;
}

/* ---- the files ------------------------------------------------------------------------------------------------------ */

int snapshot_parse_buddyinfo(struct snapshot *s, struct trace_input *in, struct err *err)
{
    struct cursor c;
    int got;
    while ((got = next_line(in, &c, err)) > 0) {
        if (at_end(&c))
            continue;
        struct snap_zone *z = zone_head(s, &c);
        if (!z)
            return bad(&c, "not a line of /proc/buddyinfo");
        unsigned o = 0;
        for (; !at_end(&c); o++)
            if (o == SNAP_ORDERS || !number(&c, &z->nr_free[o]) || z->nr_free[o] > UINT32_MAX)
                return bad(&c, "the counts of free blocks are not up to 11 numbers");
        if (o != SNAP_ORDERS || z->has_buddy)
            return bad(&c, o != SNAP_ORDERS ? "there are not 11 orders" : "this zone was given before");
        z->has_buddy = true;
    }
    for (unsigned i = 0; i < s->zones; i++)
        s->has_buddy |= got == 0 && s->zone[i].has_buddy;
    return got;
}

/* A line of thousandths: "-1.000 0.125 ". The kernel prints index/1000 and index%1000, both with their sign. */
static int parse_index(struct snapshot *s, struct trace_input *in, bool extfrag, struct err *err)
{
    struct cursor c;
    int got;
    while ((got = next_line(in, &c, err)) > 0) {
        if (at_end(&c))
            continue;
        struct snap_zone *z = zone_head(s, &c);
        bool *has = z ? extfrag ? &z->has_extfrag : &z->has_unusable : NULL;
        if (!z || *has)
            return bad(&c, z ? "this zone was given before" : "not a line of a fragmentation index");
        int *index = extfrag ? z->extfrag : z->unusable;
        for (unsigned o = 0; o < SNAP_ORDERS; o++) {
            uint64_t whole, part;
            scan_blanks(&c.p, c.end);
            bool minus = scan_word(&c.p, c.end, "-");
            if (!scan_dec(&c.p, c.end, &whole) || whole > 1 || !scan_word(&c.p, c.end, "."))
                return bad(&c, "an index is like 0.125");
            minus |= scan_word(&c.p, c.end, "-");
            if (!scan_dec(&c.p, c.end, &part) || part > 999)
                return bad(&c, "an index is like 0.125");
            index[o] = (int)(whole * 1000 + part) * (minus ? -1 : 1);
        }
        if (!at_end(&c))
            return bad(&c, "there are not 11 orders");
        *has = true;
    }
    for (unsigned i = 0; i < s->zones; i++) {
        s->has_extfrag |= got == 0 && extfrag && s->zone[i].has_extfrag;
        s->has_unusable |= got == 0 && !extfrag && s->zone[i].has_unusable;
    }
    return got;
}

int snapshot_parse_unusable(struct snapshot *s, struct trace_input *in, struct err *err)
{
    return parse_index(s, in, false, err);
}
int snapshot_parse_extfrag(struct snapshot *s, struct trace_input *in, struct err *err)
{
    return parse_index(s, in, true, err);
}

/* Of a type that this program does not have (CMA), MIGRATE_TYPES. */
static enum migratetype type_named(const char *text)
{
    unsigned t = 0;
    while (t < MIGRATE_TYPES && strcmp(text, migratetype_name((enum migratetype)t)))
        t++;
    return (enum migratetype)t;
}

int snapshot_parse_pagetypeinfo(struct snapshot *s, struct trace_input *in, struct err *err)
{
    enum { TYPES_MOST = 16 };
    enum migratetype column[TYPES_MOST];
    unsigned columns = 0;
    struct cursor c;
    int got;
    while ((got = next_line(in, &c, err)) > 0) {
        uint64_t v;
        if (at_end(&c) || word(&c, "Free pages count") || word(&c, "Pages per block"))
            continue;
        if (word(&c, "Page block order:")) {
            if (!number(&c, &v) || v > FRAME_MAX_ORDER)
                return bad(&c, "the order of a pageblock is 0 to 10");
            s->pageblock_order = (unsigned)v;
            continue;
        }
        if (word(&c, "Number of mixed blocks"))
            break;
        if (word(&c, "Number of blocks type")) {
            char text[24];
            for (columns = 0; !at_end(&c); columns++) {
                if (columns == TYPES_MOST || !name(&c, text, sizeof text, ' '))
                    return bad(&c, "not names of migratetypes");
                column[columns] = type_named(text);
            }
            continue;
        }
        struct snap_zone *z = zone_head(s, &c);
        if (!z)
            return bad(&c, "not a line of /proc/pagetypeinfo");
        if (word(&c, ",")) {
            char text[24];
            if (!word(&c, "type") || !name(&c, text, sizeof text, ' '))
                return bad(&c, "not a line of /proc/pagetypeinfo");
            enum migratetype t = type_named(text);
            for (unsigned o = 0; o < SNAP_ORDERS; o++) {
                z->capped |= word(&c, ">");
                if (!number(&c, &v) || v > UINT32_MAX)
                    return bad(&c, "there are not 11 orders");
                if (t < MIGRATE_TYPES)
                    z->nr_free_mt[o][t] = v;
            }
            z->has_types = true;
        } else {
            for (unsigned i = 0; i < columns; i++) {
                if (!number(&c, &v) || v > UINT32_MAX)
                    return bad(&c, "there is not a count for each migratetype");
                if (column[i] < MIGRATE_TYPES)
                    z->blocks[column[i]] = v;
            }
            z->has_blocks = columns > 0;
        }
        if (!at_end(&c))
            return bad(&c, "there are more numbers than columns");
    }
    for (unsigned i = 0; i < s->zones; i++) {
        if (got >= 0 && s->zone[i].has_types && !s->zone[i].has_blocks) {
            err_set(err, ERR_RUN, "zone %s has no counts of pageblocks", s->zone[i].name);
            return err_remedy(err, "was the file cut off here?");
        }
        s->has_types |= got >= 0 && s->zone[i].has_types;
    }
    return got < 0 ? -1 : 0;
}

/* ---- zoneinfo ------------------------------------------------------------------------------------------------------- */

static int zone_line(struct snap_zone *z, struct cursor *c)
{
    static const struct { const char *word; size_t offset; unsigned have; } numbers[] = {
        {"pages free", offsetof(struct snap_zone, free), 0},
        {"boost", offsetof(struct snap_zone, boost), SNAP_HAS_BOOST},
        {"min ", offsetof(struct snap_zone, wmark[WMARK_MIN]), 0},
        {"low ", offsetof(struct snap_zone, wmark[WMARK_LOW]), 0},
        {"high ", offsetof(struct snap_zone, wmark[WMARK_HIGH]), SNAP_HAS_MARKS},
        {"promo ", offsetof(struct snap_zone, wmark[WMARK_PROMO]), SNAP_HAS_PROMO},
        {"spanned", offsetof(struct snap_zone, spanned), 0},
        {"present", offsetof(struct snap_zone, present), SNAP_HAS_PRESENT},
        {"managed", offsetof(struct snap_zone, managed), SNAP_HAS_MANAGED},
        {"start_pfn:", offsetof(struct snap_zone, start_pfn), SNAP_HAS_START},
    };
    uint64_t v;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (word(c, numbers[i].word)) {
            if (!number(c, &v) || v > UINT64_MAX >> 13)
                return bad(c, "there is no number");
            memcpy((char *)z + numbers[i].offset, &v, sizeof v);
            z->have |= numbers[i].have;
            if (numbers[i].have == SNAP_HAS_PRESENT && z->present > z->spanned)
                return bad(c, "there are more pages present than the zone spans");
            if (numbers[i].have == SNAP_HAS_MANAGED && (z->have & SNAP_HAS_PRESENT) && z->managed > z->present)
                return bad(c, "there are more pages managed than present");
            return 0;
        }
    if (word(c, "protection: (")) {
        for (z->reserves = 0; !word(c, ")"); z->reserves++)
            if (z->reserves == SNAP_RESERVES || !number(c, &z->reserve[z->reserves]) || (!word(c, ",") && *c->p != ')'))
                return bad(c, "protection is a list of numbers");
        return 0;
    }
    if (word(c, "vm stats threshold:")) {
        if (!number(c, &v) || v > UINT32_MAX)
            return bad(c, "there is no number");
        z->threshold = (unsigned)v;
        z->have |= SNAP_HAS_THRESHOLD;
    }
    return 0;
}

/* Lines of one CPU's list; false: none of them. */
static bool pcp_line(struct snap_pcp *p, struct cursor *c)
{
    const struct { const char *word; uint64_t *to; unsigned have; } lines[] = {
        {"count:", &p->count, 0}, {"high:", &p->high, 0}, {"batch:", &p->batch, SNAP_HAS_BATCH},
        {"high_min:", &p->high_min, SNAP_HAS_HIGH_MIN}, {"high_max:", &p->high_max, SNAP_HAS_HIGH_MAX}};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (word(c, lines[i].word)) {
            if (!number(c, lines[i].to))
                return false;
            p->have |= lines[i].have;
            return true;
        }
    return false;
}

/* A populated zone's record ends with its first frame. */
static bool cut_off(const struct snap_zone *z) { return z && z->present && !(z->have & SNAP_HAS_START); }

int snapshot_parse_zoneinfo(struct snapshot *s, struct trace_input *in, struct err *err)
{
    struct cursor c;
    struct snap_zone *z = NULL;
    struct snap_pcp *p = NULL;
    int got;
    while ((got = next_line(in, &c, err)) > 0) {
        uint64_t v;
        if (at_end(&c))
            continue;
        const char *start = c.p;
        if (word(&c, "Node ")) {
            c.p = start;
            p = NULL;
            if (cut_off(z))
                return bad(&c, "the record of the zone before has no start_pfn");
            if (!(z = zone_head(s, &c)) || z->has_info)
                return bad(&c, z ? "this zone was given before" : "not a line of /proc/zoneinfo");
            z->has_info = true;
            continue;
        }
        if (!z)
            return bad(&c, "a zone's name comes first in /proc/zoneinfo");
        if (word(&c, "cpu:")) {
            if (!number(&c, &v) || v > UINT16_MAX || z->pcps == SNAP_CPUS)
                return bad(&c, "not the number of a CPU");
            if (grow((void **)&z->pcp, z->pcps, sizeof *z->pcp, err) < 0)
                return -1;
            p = &z->pcp[z->pcps++];
            *p = (struct snap_pcp){.cpu = (uint32_t)v};
            continue;
        }
        if (p && pcp_line(p, &c))
            continue;
        c.p = start;
        if (zone_line(z, &c) < 0)
            return -1;
    }
    if (got == 0 && (cut_off(z) || (z && !(z->have & SNAP_HAS_MANAGED)))) {
        err_set(err, ERR_RUN, "the record of zone %s is not whole", z->name);
        return err_remedy(err, "was the file cut off here?");
    }
    s->has_info = got == 0 && z;
    return got;
}

/* ---- slabinfo, pfnmap ------------------------------------------------------------------------------------------------- */

int snapshot_parse_slabinfo(struct snapshot *s, struct trace_input *in, struct err *err)
{
    struct cursor c;
    int got;
    while ((got = next_line(in, &c, err)) > 0) {
        if (at_end(&c) || *c.p == '#' || word(&c, "slabinfo - version"))
            continue;
        struct snap_slab e = {0};
        if (!name(&c, e.name, sizeof e.name, ' ') || !number(&c, &e.active) || !number(&c, &e.objects) ||
            !number(&c, &e.size) || !number(&c, &e.per_slab) || !number(&c, &e.pages))
            return bad(&c, "not a line of /proc/slabinfo");
        if (word(&c, ":") && word(&c, "tunables") && !number(&c, &e.limit))
            return bad(&c, "not a line of /proc/slabinfo");
        if (grow((void **)&s->slab, s->slabs, sizeof e, err) < 0)
            return -1;
        s->slab[s->slabs++] = e;
    }
    s->has_slab = got == 0 && s->slabs;
    return got;
}

int snapshot_parse_vmstat(struct snapshot *s, struct trace_input *in, struct err *err)
{
    static const struct { const char *word; size_t offset; } numbers[] = {
        {"pgfree ", offsetof(struct snapshot, vmstat.pgfree)},
        {"compact_isolated ", offsetof(struct snapshot, vmstat.compact_isolated)},
        {"pgmigrate_success ", offsetof(struct snapshot, vmstat.pgmigrate_success)}};
    struct cursor c;
    int got;
    while ((got = next_line(in, &c, err)) > 0)
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            uint64_t v;
            if (!word(&c, numbers[i].word))
                continue;
            if (!number(&c, &v) || !at_end(&c))
                return bad(&c, "not a line of /proc/vmstat");
            memcpy((char *)s + numbers[i].offset, &v, sizeof v);
            s->has_vmstat |= i == 0;
        }
    return got;
}

int snapshot_parse_meminfo(struct snapshot *s, struct trace_input *in, struct err *err)
{
    static const char *const lines[N_SNAP_MEM] = {
#define X(name, text) text ":",
        SNAP_MEM_LINES(X)
#undef X
    };
    const uint64_t most = 1ull << 52; /* KiB: more than addresses of 64 bits reach */
    struct cursor c;
    int got;
    while ((got = next_line(in, &c, err)) > 0)
        for (unsigned i = 0; i < N_SNAP_MEM; i++) {
            if (!word(&c, lines[i]))
                continue;
            if (!number(&c, &s->mem.v[i]) || s->mem.v[i] > most || !word(&c, "kB") || !at_end(&c) || c.line[c.len] == '\0')
                return bad(&c, "not a line of /proc/meminfo: NAME: NUMBER kB");
            s->mem.have |= 1u << i;
        }
    s->has_mem = got == 0 && s->mem.have;
    return got;
}

int snapshot_parse_pfnmap(struct snapshot *s, struct trace_input *in, struct err *err)
{
    const uint64_t most = 1ull << 30; /* pages: 4 TiB */
    struct cursor c;
    int got;
    while ((got = next_line(in, &c, err)) > 0) {
        struct snap_run r = {0};
        char text[16];
        if (at_end(&c))
            continue;
        if (!scan_hex(&c.p, c.end, &r.pfn) || !number(&c, &r.pages) || !name(&c, text, sizeof text, ' ') || !at_end(&c) ||
            c.line[c.len] == '\0')
            return bad(&c, "a line of the map is FIRST_PFN(hexadecimal) PAGES CLASS");
        unsigned k = CLASS_FREE;
        while (k < N_FRAME_CLASSES && strcmp(text, class_names[k]))
            k++;
        r.class = k < N_FRAME_CLASSES ? (enum frame_class)k : CLASS_OTHER;
        if (r.pfn < s->pages || r.pages == 0 || r.pfn > most || r.pages > most - r.pfn)
            return bad(&c, "the runs of the map do not ascend, or lie beyond 4 TiB");
        if (grow((void **)&s->run, s->runs, sizeof r, err) < 0)
            return -1;
        s->run[s->runs++] = r;
        s->pages = r.pfn + r.pages;
    }
    s->has_map = got == 0 && s->runs;
    return got;
}

/* ---- a whole snapshot -------------------------------------------------------------------------------------------------- */

char *snapshot_find(const char *path)
{
    static const char *const endings[] = {"", ".zst", ".xz", ".gz", ".bz2"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char *full;
        if (asprintf(&full, "%s%s", path, endings[i]) < 0)
            return NULL;
        if (access(full, F_OK) == 0)
            return full;
        free(full);
    }
    return NULL;
}

static int read_one(struct snapshot *s, const char *what, int (*parse)(struct snapshot *, struct trace_input *, struct err *),
                    struct err *err)
{
    char *path;
    if (asprintf(&path, "%s.%s", s->prefix, what) < 0)
        return err_set(err, ERR_RUN, "out of memory");
    char *full = snapshot_find(path);
    free(path);
    if (!full)
        return 0;
    struct trace_input *in;
    int rc = trace_input_open(&in, full, err);
    if (rc == 0) {
        rc = parse(s, in, err);
        if (rc < 0 && !err->file[0])
            err_at(err, full, 0, 0);
        trace_input_close(in);
    }
    free(full);
    return rc;
}

/* What a broken file has left behind is no part of the snapshot. */
static void forget(struct snapshot *s, const char *what)
{
    for (unsigned i = 0; i < s->zones; i++) {
        struct snap_zone *z = &s->zone[i];
        if (!strcmp(what, "buddyinfo"))
            z->has_buddy = false;
        else if (!strcmp(what, "pagetypeinfo"))
            z->has_types = z->has_blocks = false;
        else if (!strcmp(what, "zoneinfo"))
            z->has_info = false;
        else if (!strcmp(what, "unusable_index"))
            z->has_unusable = false;
        else if (!strcmp(what, "extfrag_index"))
            z->has_extfrag = false;
    }
}

int snapshot_read_whole_files(struct snapshot **out, const char *prefix, snapshot_broken *broken, void *self, struct err *err)
{
    static const struct { const char *what; int (*parse)(struct snapshot *, struct trace_input *, struct err *); } files[] = {
        {"buddyinfo", snapshot_parse_buddyinfo}, {"pagetypeinfo", snapshot_parse_pagetypeinfo},
        {"zoneinfo", snapshot_parse_zoneinfo}, {"unusable_index", snapshot_parse_unusable},
        {"extfrag_index", snapshot_parse_extfrag}, {"slabinfo", snapshot_parse_slabinfo}, {"vmstat", snapshot_parse_vmstat},
        {"meminfo", snapshot_parse_meminfo},
        {"pfnmap", snapshot_parse_pfnmap}};
    struct snapshot *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s || !(s->prefix = strdup(prefix))) {
        free(s);
        return err_set(err, ERR_RUN, "out of memory");
    }
    s->pageblock_order = 9; /* x86-64 with huge pages; pagetypeinfo says it */
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct err why = {0};
        if (read_one(s, files[i].what, files[i].parse, &why) == 0)
            continue;
        if (!broken) {
            *err = why;
            snapshot_free(s);
            return -1;
        }
        forget(s, files[i].what);
        broken(self, files[i].what, &why);
    }
    *out = s;
    return 0;
}

int snapshot_read(struct snapshot **out, const char *prefix, struct err *err)
{
    return snapshot_read_whole_files(out, prefix, NULL, NULL, err);
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->zones; i++)
        free(s->zone[i].pcp);
    free(s->slab);
    free(s->run);
    free(s->prefix);
    free(s);
}
