/* "did you mean": the nearest of some names, or NULL if none is near. */
#ifndef APP_SUGGEST_H
#define APP_SUGGEST_H

const char *suggest(const char *word, const char *const *names /* NULL-terminated */);

#endif
