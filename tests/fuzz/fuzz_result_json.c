/* Any bytes as stats.json: parsed or refused with a place, never a crash. */
#include "app/result/json/result_json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_flat j;
    struct err e = {0};
    uint64_t v[4];
    if (json_flat_parse(&j, (const char *)data, size, "fuzz", &e)) {
        if (!e.line)
            abort();
        return 0;
    }
    for (size_t i = 0; i < j.n; i++) {
        json_flat_u64(j.v[i].text, v);
        json_flat_u64_array(j.v[i].text, v, 4);
    }
    json_flat_free(&j);
    return 0;
}
