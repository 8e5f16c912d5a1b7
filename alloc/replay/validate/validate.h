/*
 * The model against a recorded kernel: a folder with events, snapshots before and after, and times.json gives one row a
 * comparison. The kernel's side is read, or counted plainly, from the files (recount.h), never from the model. Which rows there
 * are and why: docs/kernel-replay.md.
 *
 * A row is `off` only where the files decide that the model is wrong. Where they cannot (a part is missing or broken, events were
 * lost, the snapshot's files were read at different moments while memory changed), it is `skipped` and says why.
 */
#ifndef REPLAY_VALIDATE_H
#define REPLAY_VALIDATE_H

#include "engine/err.h"
#include "replay/replay.h"

enum validate_verdict { VALIDATE_OK, VALIDATE_OFF, VALIDATE_SKIPPED };

/* Guesses that know less than the model: the previous frame plus its size, the textbook buddy, "nothing changed". */
struct validate_baselines { double next, textbook, null; bool has_next, has_textbook, has_null; };

struct validate_row {
    const char *group;     /* rows of one group are alike: "before.watermarks" */
    char metric[96];
    double model, kernel, tolerance; /* |model - kernel| <= tolerance; see `at_least` */
    bool at_least;         /* only less than the kernel's is off */
    unsigned decimals;     /* of model and kernel */
    enum validate_verdict verdict;
    bool undecided;        /* skipped, but model, kernel and tolerance are there */
    const char *reason;    /* of skipped, or a remark; NULL: none */
    char why[480];         /* `reason` where it is made; "" else */
    struct validate_baselines base;
};

struct validate_sink {
    void *self;
    void (*row)(void *self, const struct validate_row *r);
    void (*broken)(void *self, const struct err *why); /* a file could not be read: its comparisons are skipped */
};

/* Compares everything that the folder has. -1: out of memory. */
int validate_folder(const char *path, const struct validate_sink *sink, struct err *err);

/* Is this a folder of a recording (times.json, a file of events, or snapshots)? */
bool validate_is_recording(const char *path);

#endif
