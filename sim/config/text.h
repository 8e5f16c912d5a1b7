/* Text shown to people: UTF-8 checked, control characters never reach the terminal, long words cut. Internal. */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Length of the well-formed UTF-8 character at p (1 to 4), 0 if there is none in the `left` bytes. */
size_t text_utf8(const char *p, size_t left);
/* Writes `len` bytes; what is not printable becomes '?', a tab becomes a blank. */
void text_put(FILE *to, const char *p, size_t len);
/* Writes `s` as a JSON string with its quotes. */
void text_put_json(FILE *to, const char *s);

/* A word quoted in a message, cut after 60 characters. buf is returned. */
#define TEXT_WORD 256
const char *text_word(char buf[TEXT_WORD], const char *s, size_t len);

/* Damerau-Levenshtein distance (optimal string alignment); `limit + 1` as soon as it is known to exceed `limit`. */
size_t text_distance(const char *a, const char *b, size_t limit);
/* How far a name may be off to be proposed for `word`. */
size_t text_near(const char *word);

/* The longest name that text_distance compares; a longer word is like nothing. */
enum { TEXT_NAME_MAX = 64 };

#endif
