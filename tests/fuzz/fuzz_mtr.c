/*
 * The .mtr reader on anything. Checksums keep a fuzzer out, so the blocks', header's and index's are made
 * right first; the sequence and record numbers too. Whatever is read must be well-formed records, through
 * both ways of reading.
 */
#include "traces/input.h"
#include "traces/native/mtr.h"
#include "traces/trace.h"

#include <stdlib.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend(unsigned char *p, size_t n)
{
    struct mtr_file_header h;
    struct mtr_index_header t;
    uint64_t seq = 0, record = 0;
    size_t at;

    if (n < sizeof h)
        return;
    memcpy(&h, p, sizeof h);
    memcpy(h.magic, MTR_MAGIC, 8);
    h.major = MTR_MAJOR;
    h.bytes = sizeof h;
    h.checksum = XXH3_64bits(&h, offsetof(struct mtr_file_header, checksum));
    memcpy(p, &h, sizeof h);
    for (at = sizeof h; n - at >= sizeof(struct mtr_block_header);) {
        struct mtr_block_header b;
        size_t len = sizeof b;
        memcpy(&b, p + at, sizeof b);
        if (!memcmp(b.magic, MTR_INDEX_MAGIC, 4))
            break;
        memcpy(b.magic, MTR_BLOCK_MAGIC, 4);
        b.bytes = sizeof b;
        for (int i = 0; i < MTR_STREAMS; i++) {
            b.stored[i] = b.stored[i] < n - at - len ? b.stored[i] : (uint32_t)(n - at - len);
            len += b.stored[i];
        }
        b.sequence = seq++;
        b.first_record = record;
        record += b.records;
        memcpy(p + at, &b, sizeof b);
        b.checksum = XXH3_64bits(p + at + 16, len - 16);
        memcpy(p + at, &b, sizeof b);
        at += len;
    }
    if (n - at < sizeof t + sizeof(struct mtr_trailer))
        return;
    memcpy(&t, p + at, sizeof t);
    t.checksum = XXH3_64bits(p + at + 16, n - at - 16 - sizeof(struct mtr_trailer));
    memcpy(p + at, &t, sizeof t);
}

static void drain(struct trace *t)
{
    struct trace_batch b;
    struct err e = {0};
    uint64_t total = 0;
    int r;

    while ((r = trace_next(t, &b, &e)) > 0 && total < 4u << 20) {
        for (size_t i = 0; i < b.n; i += 1u + b.rec[i].slots)
            if (trace_rec_problem(&b.rec[i], b.n - i))
                abort();
        total += b.n;
    }
    if (r < 0 && !e.message[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_options opt = {.format = "mtr"};
    struct trace *t;
    struct err e = {0};
    unsigned char *p = malloc(size + 1);

    memcpy(p, data, size);
    mend(p, size);
    if (trace_open_memory(&t, p, size, &opt, &e) == 0) {
        drain(t);
        if (trace_seek(t, size, &e) == 0)
            drain(t);
        trace_close(t);
    }
    free(p);
    return 0;
}
