/*
 * Streaming decompression of one file: private to traces/input.c. The form is known by its first bytes.
 */
#ifndef TRACES_CODEC_H
#define TRACES_CODEC_H

#include "engine/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum codec_kind { CODEC_NONE, CODEC_ZSTD, CODEC_XZ, CODEC_GZIP, CODEC_BZIP2, CODEC_ZIP /* io/zip.h */ };

/* Memory that an xz stream may ask for, bytes: xz -9 needs 65 MiB, its largest dictionary (1.5 GiB) fits. */
#define CODEC_XZ_MEMORY (1700ull << 20)
/* log2 of the largest zstd window taken: the format's limit on 64-bit machines, which `zstd --ultra
 * --long=31` uses. */
#define CODEC_ZSTD_WINDOW_LOG 31

struct codec;

enum codec_kind codec_detect(const unsigned char *head, size_t n);
const char *codec_name(enum codec_kind kind);

int codec_new(struct codec **out, enum codec_kind kind, struct err *err);
void codec_free(struct codec *c);

/*
 * Decompresses from in[0, *in_n) to out[0, *out_n); on return both are what was used. `last`: no input
 * follows these bytes. 1: go on (with more room or more input); 0: the stream ended well; -1: damaged or cut
 * off, err says how (what was written before is good).
 */
int codec_run(struct codec *c, const unsigned char *in, size_t *in_n, bool last, unsigned char *out,
              size_t *out_n, struct err *err);

#endif
