/* A finding of the slab allocator's debugging as members of a line of events.jsonl. */
#ifndef APP_RESULT_FINDINGS_H
#define APP_RESULT_FINDINGS_H

#include "app/result/result.h"
#include "slab/slab.h"

/* Its records; those that are not known are left out. */
void finding_write(struct json_out *j, const struct slab_finding *f);

#endif
