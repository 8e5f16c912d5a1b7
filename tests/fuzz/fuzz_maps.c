/* The mappings beside a lackey trace, and the name rule. */
#include "traces/input.h"
#include "traces/readers/maps.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_input *in;
    struct trace_maps m;
    struct err err = {0};
    if (trace_input_open_memory(&in, data, size, "maps", &err) < 0)
        return 0;
    if (trace_maps_read(&m, in, &err) == 0) {
        for (size_t i = 0; i < m.n; i++)
            if (m.map[i].length == 0 || m.map[i].start + (m.map[i].length - 1) < m.map[i].start)
                abort();
        trace_maps_free(&m);
    } else if (!err.message[0]) {
        abort();
    }
    trace_input_close(in);
    char *s = malloc(size + 1);
    if (!s)
        return 0;
    for (size_t i = 0; i < size; i++)
        s[i] = (char)data[i];
    s[size] = '\0';
    free(trace_maps_name(s));
    free(s);
    return 0;
}
