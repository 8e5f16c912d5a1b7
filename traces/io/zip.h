/*
 * The members of a zip archive, decompressed, one after the other in the order of its directory (DynamoRIO cuts a trace
 * into members chunk.0000, chunk.0001, ...). Folders are left out. By libzip, which checks each member's sum. Private
 * to traces/input.c.
 */
#ifndef TRACES_ZIP_H
#define TRACES_ZIP_H

#include "engine/err.h"

#include <stdbool.h>
#include <stddef.h>

struct zip_reader;

/* `fd` is a file that can be sought; it stays the caller's, and its position is not used. */
int zip_reader_new(struct zip_reader **out, int fd, struct err *err);
int zip_reader_new_memory(struct zip_reader **out, const void *buf, size_t n, struct err *err);
/* Up to n bytes into dst. 1: *got bytes (perhaps 0, that is not the end); 0: the end; -1: damaged. */
int zip_reader_read(struct zip_reader *z, void *dst, size_t n, size_t *got, struct err *err);
int zip_reader_restart(struct zip_reader *z, struct err *err); /* back to the first member */
void zip_reader_free(struct zip_reader *z);                    /* NULL is fine */

#endif
