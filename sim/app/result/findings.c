#include "app/result/findings.h"

void finding_write(struct json_out *j, const struct slab_finding *f)
{
    json_str(j, "cache", f->cache);
    json_i64(j, "offset", f->offset);
    json_u64(j, "record", f->who.record);
    if (f->cause.record)
        json_u64(j, "cause_record", f->cause.record);
    if (f->alloc.record || f->alloc.call_site)
        json_u64(j, "alloc_record", f->alloc.record);
    if (f->freed.record)
        json_u64(j, "free_record", f->freed.record);
}
