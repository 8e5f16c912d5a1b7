#include "app/progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * The one exception to "no mutable file-scope state": a signal handler is called without an argument, so what it says
 * needs a fixed place. Only the handlers and their readers below touch it.
 */
static struct {
    volatile sig_atomic_t stop;   /* signal number, 0: none */
    volatile sig_atomic_t status; /* counts SIGUSR1 */
    volatile sig_atomic_t last;   /* SIGUSR2 came */
} asked;

static void on_stop(int sig)
{
    if (asked.stop) { /* asked twice: the default action, at once */
        signal(sig, SIG_DFL);
        raise(sig);
    }
    asked.stop = sig;
}

static void on_status(int sig)
{
    (void)sig;
    asked.status = asked.status == 1000000 ? 0 : asked.status + 1;
}

void progress_signals_install(void)
{
    struct sigaction stop = {.sa_handler = on_stop}, status = {.sa_handler = on_status, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGUSR1, &status, NULL);
}

int progress_interrupted(void) { return (int)asked.stop; }

static void on_last(int sig)
{
    (void)sig;
    asked.last = 1;
}

void progress_last_install(void)
{
    struct sigaction last = {.sa_handler = on_last, .sa_flags = SA_RESTART};
    sigaction(SIGUSR2, &last, NULL);
}

bool progress_last(void) { return asked.last != 0; }

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t progress_wall_ns(const struct progress *p) { return now_ns() - p->start_ns; }

void progress_start(struct progress *p, FILE *f, const char *label, uint64_t total, unsigned status_seconds)
{
    const char *term = getenv("TERM"), *plain = getenv("NO_COLOR");
    *p = (struct progress){
        .f = f,
        .label = label,
        .unit = "refs",
        .tty = isatty(fileno(f)) && term && strcmp(term, "dumb"),
        .total = total,
        .start_ns = now_ns(),
        .status_ns = (uint64_t)status_seconds * 1000000000u,
        .seen_status = (unsigned)asked.status,
    };
    p->colour = p->tty && !(plain && *plain);
    p->last_ns = p->start_ns;
}

/* 12345678 -> "12.3 M" */
static char *short_number(char *buf, size_t size, uint64_t v)
{
    static const char unit[] = " kMGT";
    unsigned u = 0;
    double x = (double)v;
    while (x >= 999.5 && u < 4) {
        x /= 1000;
        u++;
    }
    if (u)
        snprintf(buf, size, "%.*f %c", x < 99.95 ? 1 : 0, x, unit[u]);
    else
        snprintf(buf, size, "%" PRIu64 " ", v);
    return buf;
}

static char *short_time(char *buf, size_t size, double seconds)
{
    uint64_t s = seconds > 359999 ? 359999 : (uint64_t)(seconds + 0.5);
    if (s >= 3600)
        snprintf(buf, size, "%" PRIu64 ":%02u:%02u", s / 3600, (unsigned)(s / 60 % 60), (unsigned)(s % 60));
    else
        snprintf(buf, size, "%u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
    return buf;
}

static void draw(struct progress *p, uint64_t now, bool bar)
{
    char done[32], rate[32], left[32], took[32];
    double seconds = (double)(now - p->start_ns) / 1e9;
    double per_second = seconds > 0 ? (double)p->done / seconds : 0;
    short_number(done, sizeof done, p->done);
    short_number(rate, sizeof rate, (uint64_t)per_second);
    short_time(took, sizeof took, seconds);
    if (bar)
        fputs("\r", p->f);
    fprintf(p->f, "%s ", p->label);
    if (p->total) {
        double part = p->done >= p->total ? 1 : (double)p->done / (double)p->total;
        if (bar) {
            enum { WIDTH = 24 };
            int full = (int)(part * WIDTH);
            fputs(p->colour ? "\033[32m" : "[", p->f);
            for (int i = 0; i < WIDTH; i++) {
                if (i == full && p->colour)
                    fputs("\033[2m", p->f);
                fputc(i < full ? '#' : '.', p->f);
            }
            fputs(p->colour ? "\033[0m " : "] ", p->f);
        }
        fprintf(p->f, "%3d %%  ", (int)(part * 100));
        if (per_second > 0 && part < 1)
            short_time(left, sizeof left, (double)(p->total - p->done) / per_second);
        else
            snprintf(left, sizeof left, "-:--");
        fprintf(p->f, "%s%s  %s%s/s  %s, %s left", done, p->unit, rate, p->unit, took, left);
    } else {
        fprintf(p->f, "%s%s  %s%s/s  %s", done, p->unit, rate, p->unit, took);
    }
    if (p->note[0])
        fprintf(p->f, "  %s", p->note);
    else
        fprintf(p->f, "  simulated %.3f ms", (double)p->time_ps / 1e9);
    fputs(bar ? "\033[K" : "\n", p->f); /* clear to the end of the line */
    fflush(p->f);
    p->drawn = bar;
}

static void erase(struct progress *p)
{
    if (p->drawn)
        fputs("\r\033[K", p->f);
    p->drawn = false;
}

void progress_update(struct progress *p, uint64_t references, uint64_t time_ps)
{
    p->done = references;
    p->time_ps = time_ps;
    bool wanted = p->seen_status != (unsigned)asked.status;
    if (!p->tty && !p->status_ns && !wanted)
        return;
    uint64_t now = now_ns();
    if (wanted) {
        p->seen_status = (unsigned)asked.status;
        erase(p);
        draw(p, now, false);
    }
    if (now - p->last_ns < (p->tty ? 100000000u : p->status_ns) || (!p->tty && !p->status_ns))
        return;
    p->last_ns = now;
    draw(p, now, p->tty);
}

void progress_end(struct progress *p)
{
    erase(p);
    fflush(p->f);
}
