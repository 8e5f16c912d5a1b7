/* Any bytes as sweep.json, with a host.json that goes with it: a whole plan whose points can be asked for, or an error. */
#include "app/sweep/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sweep_plan p;
    struct err e = {0};
    char host[400], *text = calloc(size + 1, 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    snprintf(host, sizeof host,
             "{\"tool\": \"mmulab\", \"plan\": \"%016" PRIx64 "\", \"files\": ["
             "{\"path\": \"/nowhere/a.din\", \"size\": \"9\", \"mtime_ns\": \"1\"},"
             "{\"path\": \"/nowhere/b.din\", \"size\": \"9\", \"mtime_ns\": \"1\"}]}",
             (uint64_t)XXH3_64bits(text, strlen(text)));
    if (plan_parse(&p, text, host, "fuzz", &e) < 0) {
        if (!e.message[0])
            abort();
    } else {
        for (size_t i = 0; i < p.n && i < 3; i++) {
            struct sweep_point pt;
            plan_point(&p, i, &pt);
            if (!pt.config == !pt.reason)
                abort();
            free(plan_point_label(&p, i));
            plan_point_free(&pt);
        }
        plan_free(&p);
    }
    free(text);
    return 0;
}
