/* Names and payload shapes of the record kinds. The shapes restate TRACE_KINDS; test_tracekinds compares them. */
#include "traces/input.h"
#include "traces/trace.h"

#define STR(...) true, {__VA_ARGS__}
#define WORDS(...) false, {__VA_ARGS__}

static const struct trace_shape shapes[256] = {
    /*                     name          hex    size   words  fields */
    [TRACE_FETCH] = {"I", true, true, 0, WORDS(NULL)},
    [TRACE_LOAD] = {"L", true, true, 0, WORDS(NULL)},
    [TRACE_STORE] = {"S", true, true, 0, WORDS(NULL)},
    [TRACE_MODIFY] = {"M", true, true, 0, WORDS(NULL)},
    [TRACE_REGS] = {"regs", true, false, 0, WORDS(NULL)},
    [TRACE_BRANCH] = {"branch", true, false, 0, WORDS(NULL)},
    [TRACE_INSNS] = {"insns", false, false, 0, WORDS(NULL)},
    [TRACE_MMAP] = {"mmap", true, false, 7, WORDS("length", "prot", "flags", "fd", "offset", "result", "file_id")},
    [TRACE_MUNMAP] = {"munmap", true, false, 2, WORDS("length", "result")},
    [TRACE_MREMAP] = {"mremap", true, false, 5, WORDS("old_length", "new_length", "flags", "new_address", "result")},
    [TRACE_BRK] = {"brk", true, false, 1, WORDS("result")},
    [TRACE_MPROTECT] = {"mprotect", true, false, 3, WORDS("length", "prot", "result")},
    [TRACE_MADVISE] = {"madvise", true, false, 3, WORDS("length", "advice", "result")},
    [TRACE_FORK] = {"fork", false, true, 0, WORDS(NULL)},
    [TRACE_EXEC] = {"exec", true, false, 0, STR("path")},
    [TRACE_EXIT] = {"exit", false, true, 0, WORDS(NULL)},
    [TRACE_CLONE] = {"clone", false, false, 0, WORDS(NULL)},
    [TRACE_SYSCALL] = {"syscall", false, false, 7, WORDS("a0", "a1", "a2", "a3", "a4", "a5", "result")},
    [TRACE_FILEID] = {"file", false, false, 0, STR("path")},
    [TRACE_SEGMENT] = {"segment", true, true, 3, WORDS("length", "offset", "file_id")},
    [TRACE_MALLOC] = {"malloc", true, true, 1, WORDS("size")},
    [TRACE_FREE] = {"free", true, false, 0, WORDS(NULL)},
    [TRACE_REALLOC] = {"realloc", true, false, 2, WORDS("size", "result")},
    [TRACE_PAGE_ALLOC] = {"page_alloc", false, true, 3, WORDS("gfp", "migratetype", "cpu")},
    [TRACE_PAGE_FREE] = {"page_free", false, true, 1, WORDS("cpu")},
    [TRACE_KMALLOC] = {"kmalloc", true, true, 3, WORDS("bytes_alloc", "gfp", "call_site")},
    [TRACE_KFREE] = {"kfree", true, false, 1, WORDS("call_site")},
    [TRACE_CACHE_ALLOC] = {"cache_alloc", true, true, 3, STR("bytes_alloc", "gfp", "call_site", "cache")},
    [TRACE_CACHE_FREE] = {"cache_free", true, false, 1, STR("call_site", "cache")},
    [TRACE_PAGE_ZONE_LOCKED] = {"page_zone_locked", false, true, 3, WORDS("migratetype", "refill", "cpu")},
    [TRACE_PAGE_DRAIN] = {"page_drain", false, true, 2, WORDS("migratetype", "cpu")},
    [TRACE_PAGE_EXTFRAG] = {"page_extfrag", false, true, 5,
                            WORDS("block_order", "wanted_type", "block_type", "owner", "cpu")},
    [TRACE_COMPACT_BEGIN] = {"compact_begin", false, true, 3, WORDS("zone_end", "migrate_pfn", "free_pfn")},
    [TRACE_COMPACT_FREE] = {"compact_free", false, true, 4, WORDS("end", "scanned", "taken", "cpu")},
    [TRACE_COMPACT_ISOLATE] = {"compact_isolate", false, false, 4, WORDS("end", "scanned", "taken", "cpu")},
    [TRACE_COMPACT_MOVED] = {"compact_moved", false, false, 2, WORDS("failed", "cpu")},
    [TRACE_COMPACT_END] = {"compact_end", false, true, 3, STR("zone_end", "migrate_pfn", "free_pfn", "status")},
    [TRACE_SITE] = {"site", false, false, 0, STR("function")},
    [TRACE_TASK] = {"task", false, true, 0, STR("comm")},
    [TRACE_CLOCK] = {"clock", false, false, 0, WORDS(NULL)},
    [TRACE_CACHE_CREATE] = {"cache_create", false, true, 2, STR("slab_flags", "call_site", "cache")},
    [TRACE_CACHE_SHRINK] = {"cache_shrink", true, false, 0, STR("cache")},
    [TRACE_DMA] = {"dma", true, true, 1, WORDS("device")},
    [TRACE_MMIO] = {"mmio", true, true, 1, WORDS("value")},
    [TRACE_CACHE_DESTROY] = {"cache_destroy", true, false, 0, STR("cache")},
    [TRACE_SEGLOAD] = {"segload", false, true, 3, WORDS("base", "limit", "attributes")},
    [TRACE_CRLOAD] = {"crload", true, true, 0, WORDS(NULL)},
    [TRACE_INTERRUPT] = {"interrupt", false, false, 0, WORDS(NULL)},
    [TRACE_INVLPG] = {"invlpg", true, false, 0, WORDS(NULL)},
    [TRACE_MARK] = {"mark", false, false, 0, STR("text")},
    [TRACE_TIME] = {"time", false, false, 0, WORDS(NULL)},
    [TRACE_ALLOC_PAGES] = {"alloc_pages", true, false, 3, WORDS("size", "gfp", "call_site")},
    [TRACE_FREE_PAGES] = {"free_pages", true, false, 1, WORDS("call_site")},
    [TRACE_VMALLOC] = {"vmalloc", true, false, 3, WORDS("size", "gfp", "call_site")},
    [TRACE_VFREE] = {"vfree", true, false, 1, WORDS("call_site")},
    [TRACE_KVMALLOC] = {"kvmalloc", true, false, 3, WORDS("size", "gfp", "call_site")},
    [TRACE_KVFREE] = {"kvfree", true, false, 1, WORDS("call_site")},
    [TRACE_MEMPOOL_CREATE] = {"mempool_create", false, true, 2, STR("size", "call_site", "cache")},
    [TRACE_MEMPOOL_ALLOC] = {"mempool_alloc", true, true, 2, WORDS("gfp", "call_site")},
    [TRACE_MEMPOOL_FREE] = {"mempool_free", true, true, 1, WORDS("call_site")},
    [TRACE_MEMPOOL_RESIZE] = {"mempool_resize", false, true, 0, WORDS(NULL)},
    [TRACE_MEMPOOL_DESTROY] = {"mempool_destroy", false, false, 0, WORDS(NULL)},
};

const struct trace_shape *trace_kind_shape(uint8_t kind) { return shapes[kind].name ? &shapes[kind] : NULL; }
const char *trace_kind_name(uint8_t kind) { return shapes[kind].name; }

const char *trace_rec_string(const struct trace_rec *r, size_t *len)
{
    const struct trace_shape *s = &shapes[r->kind];
    size_t skip = s->words * 8u, room = r->slots * 16u;

    if (!s->string || room <= skip) {
        *len = 0;
        return "";
    }
    const char *text = (const char *)(r + 1) + skip;
    *len = strnlen(text, room - skip);
    return text;
}

static bool all_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

const char *trace_rec_problem(const struct trace_rec *r, size_t left)
{
    const struct trace_shape *s = &shapes[r->kind];
    const unsigned char *bytes = (const unsigned char *)(r + 1);
    size_t used = s->words * 8u, len;

    if (!left)
        return "no record";
    if (!s->name)
        return "unknown kind";
    if (!s->words && !s->string)
        return r->slots ? "a payload where the kind has none" : NULL;
    if (r->slots > TRACE_PAYLOAD_SLOTS_MAX)
        return "the payload is too long";
    if (r->slots >= left)
        return "the payload is cut off";
    if (r->slots * 16u < used)
        return "the payload is too short for its kind";
    if (s->string) {
        trace_rec_string(r, &len);
        used += len;
        if (len > TRACE_STRING_MAX)
            return "the string is too long";
    }
    if (r->slots != trace_slots_bytes(used))
        return "the payload is longer than its kind's";
    if (!all_zero(bytes + used, r->slots * 16u - used))
        return "the payload's padding is not zero";
    return NULL;
}

void trace_sink_put_string(struct trace_sink *s, struct trace_rec r, const uint64_t *words, unsigned n, const char *string,
                           size_t len)
{
    unsigned char *bytes;

    if (len > TRACE_STRING_MAX)
        len = TRACE_STRING_MAX;
    r.slots = trace_slots_bytes(n * 8u + len);
    trace_sink_put(s, r);
    assert(s->n + r.slots <= TRACE_SINK_RECS + TRACE_SINK_SLACK);
    bytes = (unsigned char *)&s->rec[s->n];
    memset(bytes, 0, r.slots * 16u);
    if (n)
        memcpy(bytes, words, n * 8u);
    if (len)
        memcpy(bytes + n * 8u, string, len);
    s->n += r.slots;
}
