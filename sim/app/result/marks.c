#include "app/result/marks.h"

enum { MARK_NAME_MAX = 60 };

void marks_write(struct marks *m, struct result *r, const struct proc_source *s, uint64_t number, const char *text)
{
    char word[32], safe[MARK_NAME_MAX + 1], folder[MARK_NAME_MAX + 64];
    if (m->n >= MARKS_MAX || m->failed) {
        m->n++;
        return;
    }
    if (!*text)
        snprintf(word, sizeof word, "%llu", (unsigned long long)number);
    result_safe_name(safe, sizeof safe, *text ? text : word);
    snprintf(folder, sizeof folder, "proc/marks/%03u-%s", (unsigned)++m->n, safe);
    m->failed = proc_files_write(r, folder, s, &m->err) < 0;
}

int marks_finish(const struct marks *m, struct result *r, uint64_t time_ps, uint64_t *events, struct err *err)
{
    if (m->n > MARKS_MAX) {
        struct json_out *j = result_event(r, time_ps, "marks_left_out");
        json_u64(j, "marks", m->n);
        json_u64(j, "written", MARKS_MAX);
        result_event_end(r);
        ++*events;
    }
    if (m->failed)
        *err = m->err;
    return m->failed ? -1 : 0;
}
