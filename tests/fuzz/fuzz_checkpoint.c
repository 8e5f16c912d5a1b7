/*
 * A checkpoint that anything was done to. The input says which of a few random machines, which bytes of its state are changed
 * and where it is cut; the state comes uncompressed, for checksum and compression keep a fuzzer out. A second way gives the
 * input as the whole file. Loading refuses or gives a machine that passes all checks; nothing else may happen.
 */
#include "app/checkpoint/checkpoint_file.h"
#include "property/warm_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void nothing(void *self, struct state_io *io)
{
    unsigned char part[64];
    (void)self;
    for (int i = 0; i < 1000 && !state_bad(io); i++)
        state_bytes(io, part, sizeof part);
}

static void as_file(const uint8_t *data, size_t size)
{
    struct checkpoint_file f;
    struct err err;
    unsigned char *p = malloc(size + 1);
    memcpy(p, data, size);
    if (checkpoint_open_memory(&f, "fuzz", p, size, "a 1\n", &err) == CHECKPOINT_FITS)
        (void)checkpoint_read(&f, nothing, NULL, &err);
    checkpoint_close(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct random_case c;
    struct warm_feed feed[RANDOM_CORES];
    struct warm_bytes bytes;
    size_t at[RANDOM_CORES];
    struct err err = {0};
    if (size < 2)
        return 0;
    if (data[0] == 0) {
        as_file(data + 1, size - 1);
        return 0;
    }
    random_case_new(&c, data[0], 2, 60);
    c.m.memory.size_bytes = 1u << 20;
    c.m.vm.page_size = PAGE_SIZE_4K;
    c.m.sim.mode = SIM_MODE_FUNCTIONAL;
    c.m.sim.warmup = 40;
    struct machine *m = warm_machine(&c, &c.m, feed, NULL, &err);
    if (m && machine_warm_up(m)) {
        warm_places(&c, m, feed, at);
        warm_save(m, &bytes);
        machine_free(m);
        for (size_t i = 1; i + 4 < size; i += 5) { /* three bytes of place, a new value, how */
            size_t p = ((size_t)data[i] | (size_t)data[i + 1] << 8 | (size_t)data[i + 2] << 16) % bytes.n;
            bytes.p[p] = data[i + 4] & 1 ? (unsigned char)(bytes.p[p] + data[i + 3]) : data[i + 3];
            if (data[i + 4] == 0xff)
                bytes.n = p + 1;
        }
        m = warm_machine(&c, &c.m, feed, at, &err);
        if (m && warm_load(m, &bytes, &err) == 0 && machine_check(m, &err) < 0)
            abort();
        free(bytes.p);
    }
    machine_free(m);
    random_case_free(&c);
    return 0;
}
