/*
 * Any bytes as a configuration file; what stands before a NUL byte is an option. What is accepted must be written as
 * text that is accepted again and has the same hash.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/test_config_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, 0, size);
    char *option = nul ? strdup((const char *)data) : NULL;
    if (nul) {
        size -= (size_t)(nul + 1 - data);
        data = nul + 1;
    }
    const char *set[] = {option};
    struct config_request req = {.path = "f.json", .text = (const char *)data, .text_len = size, .set = set,
                                 .n_set = option != NULL};
    struct diag *d = diag_new();
    struct config *c = NULL;
    char *out = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&out, &len);
    if (config_load(&c, &toy_schema, &req, d) == 0) {
        char before[CONFIG_HASH_BUF], after[CONFIG_HASH_BUF];
        config_write_json(c, to);
        fflush(to);
        if (config_hash(c, before) < 0)
            abort();
        config_free(c);
        req = (struct config_request){.path = "again.json", .text = out, .text_len = len};
        if (config_load(&c, &toy_schema, &req, d) < 0) {
            diag_print(d, stderr);
            abort();
        }
        if (config_hash(c, after) < 0 || strcmp(before, after) != 0)
            abort();
        config_free(c);
    } else {
        if (!diag_count(d))
            abort();
        diag_print(d, to);
    }
    fclose(to);
    free(out);
    diag_free(d);
    free(option);
    return 0;
}
