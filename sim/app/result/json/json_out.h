/*
 * A streaming JSON writer. 64-bit integers are written digit by digit, never through a double; ratios are computed in
 * integers, so that the text is the same with every compiler.
 *
 * A NULL key writes an array's element (or the document itself); otherwise a member `"key": value`.
 */
#ifndef APP_JSON_OUT_H
#define APP_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_OUT_DEPTH 24

struct json_out {
    FILE *f;
    bool compact; /* the whole document on one line */
    unsigned depth;
    struct {
        char close;
        bool used, row; /* row: elements on one line */
    } level[JSON_OUT_DEPTH];
};

/* A writer on a NULL file swallows everything. */
void json_out_init(struct json_out *j, FILE *f, bool compact);
void json_begin_object(struct json_out *j, const char *key);
void json_begin_array(struct json_out *j, const char *key); /* its numbers and strings share one line */
void json_end(struct json_out *j);                          /* closes the innermost object or array */
void json_end_document(struct json_out *j);                 /* closes everything, writes a newline */

void json_u64(struct json_out *j, const char *key, uint64_t v);
void json_i64(struct json_out *j, const char *key, int64_t v);
void json_hex(struct json_out *j, const char *key, uint64_t v); /* "0x...": addresses */
/* A number as another JSON text has it. */
void json_number(struct json_out *j, const char *key, const char *text);
void json_bool(struct json_out *j, const char *key, bool v);
void json_null(struct json_out *j, const char *key);
/* NULL writes null. Bytes that are not UTF-8 are written as U+FFFD. */
void json_str(struct json_out *j, const char *key, const char *s);
/* scale * num / den, rounded half up, with `decimals` (0 to 9) digits after the point; null when den is 0. */
void json_ratio(struct json_out *j, const char *key, uint64_t num, uint64_t den, uint64_t scale, unsigned decimals);

/* The text that json_ratio writes ("null" when den is 0); returns buf. 64 bytes are always enough. */
char *ratio_format(char *buf, size_t size, uint64_t num, uint64_t den, uint64_t scale, unsigned decimals);

#endif
