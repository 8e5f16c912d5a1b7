/*
 * The file of a checkpoint: what it was made with, in plain text, and a state (engine/state.h), compressed.
 *
 *   bytes  0..7   "MMUWARM\0"
 *          8..11  format, 12..15 length of the warm part's text
 *         16..23  XXH3-64 of all bytes behind these 24
 *         24..    the text; then the state in one zstd frame, to the end of the file
 *
 * The text (warm part) is lines "KEY VALUE"; a state may be loaded by a run whose warm part is the same text.
 * docs/checkpoints.md
 */
#ifndef APP_CHECKPOINT_FILE_H
#define APP_CHECKPOINT_FILE_H

#include "engine/err.h"
#include "engine/state.h"

#define CHECKPOINT_MAGIC "MMUWARM"
enum { CHECKPOINT_FORMAT = 1, CHECKPOINT_HEAD = 24, CHECKPOINT_WARM_MAX = 1 << 20 };

/* Writes or reads the state, into or out of what `self` is. */
typedef void checkpoint_state_fn(void *self, struct state_io *io);

/* Under its name at once or not at all, synced. */
int checkpoint_write(const char *path, const char *warm, checkpoint_state_fn *state, void *self, struct err *err);

enum checkpoint_found {
    CHECKPOINT_ABSENT,
    CHECKPOINT_FITS,    /* whole, and of this warm part */
    CHECKPOINT_OTHER,   /* of another warm part, program or format: *err says what differs */
    CHECKPOINT_DAMAGED, /* cut off, altered, no checkpoint at all: *err */
};
struct checkpoint_file {
    char *path;
    unsigned char *bytes; /* all of the file */
    size_t n, state;      /* where the state begins */
};
/* Reads and verifies the whole file; the state stays compressed. */
enum checkpoint_found checkpoint_open(struct checkpoint_file *f, const char *path, const char *warm, struct err *err);
/* The same over bytes that the file then owns. */
enum checkpoint_found checkpoint_open_memory(struct checkpoint_file *f, const char *path, unsigned char *bytes, size_t n,
                                             const char *warm, struct err *err);
/* After CHECKPOINT_FITS. -1: what `self` is has been spoiled. */
int checkpoint_read(const struct checkpoint_file *f, checkpoint_state_fn *state, void *self, struct err *err);
void checkpoint_close(struct checkpoint_file *f); /* after any answer */

/* What differs between two warm parts, for a message; returns buf. */
char *checkpoint_difference(const char *there, const char *here, char *buf, size_t size);

#endif
