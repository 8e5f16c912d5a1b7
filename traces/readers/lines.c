#include "traces/readers/lines.h"

#include "traces/readers/scan.h"

enum { PROBE_LINES = 100, PROBE_SURE = 3 };

bool lines_probe(const struct line_form *form, const unsigned char *head, size_t n, bool whole,
                 struct line_probe *out)
{
    const char *p = (const char *)head, *end = p + n;
    assert(form->state_bytes <= LINE_STATE_MAX);
    *out = (struct line_probe){0};
    while (p < end && out->good < PROBE_LINES) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl && !whole)
            break;
        const char *stop = nl ? nl : end, *s = p;
        if (stop > p && stop[-1] == '\r')
            stop--;
        p = nl ? nl + 1 : end;
        scan_blanks(&s, stop);
        if (s == stop || *s == '#')
            continue;
        if (form->take(out->state, NULL, s, stop)) {
            if (out->good < PROBE_SURE && !(out->good && p == end))
                return false;
            out->broken = true;
            break;
        }
        out->good++;
    }
    return out->good > 0;
}

int lines_read(const struct line_form *form, void *state, struct trace_input *in, struct trace_sink *sink,
               struct err *err)
{
    while (!trace_sink_full(sink)) {
        const char *line, *problem;
        size_t len;
        int got = trace_input_line(in, &line, &len, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return sink->n > 0;
        const char *s = line, *end = line + len;
        scan_blanks(&s, end);
        if (s == end)
            continue;
        if (*s == '#')
            problem = form->comment ? form->comment(state, s, end) : NULL;
        else
            problem = form->take(state, sink, s, end);
        if (problem)
            return trace_line_error(in, line, len, err, line[len] == '\0' ? form->cut : form->remedy, "%s", problem);
    }
    return 1;
}
