#include "app/record/cmd_record.h"

#include "app/cmd_error.h"
#include "app/record/kernel.h"
#include "app/record/record.h"
#include "app/suggest.h"
#include "engine/types.h"
#include "traces/recorder/window.h"
#include "traces/trace.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * QEMU's CPU model: all that it can emulate, so that programs built for newer processors run and libraries choose the
 * variants that they choose on one; but not "fast" string instructions, which it executes byte by byte.
 */
#define CPU_DEFAULT "max,-erms,-fsrm"

static void help(void)
{
    printf("usage: mmulab record [-o FILE] [OPTION]... [--] PROGRAM [ARGUMENT]...\n\n"
           "Runs the program and writes to a trace what it does with its memory: every instruction fetch, load and store of\n"
           "every thread, mappings, system calls, threads and processes. Its input and output are its own; the exit status is\n"
           "the program's. x86-64 and i386 programs, and scripts (#!). docs/recording.md tells the rest.\n\n"
           "  -o FILE            the trace: .mtr (binary), .mtt or .txt (text); default PROGRAM.mtr in the current folder\n"
           "  --force            write over a FILE that exists\n"
           "  --with qemu|lackey what watches the program: QEMU's user-mode emulation with a plugin of ours (default), or\n"
           "                     Valgrind's lackey (a tenth of the speed; x86-64 only)\n"
           "  --malloc           also malloc, calloc, realloc, free, new, delete (qemu; programs that are linked dynamically)\n"
           "  -q                 no summary\n\n"
           "What is kept (N counts references: fetches, loads, stores; a load-and-store is one). Mappings and other events are\n"
           "kept always; marks in the trace say where a window begins and ends:\n"
           "  --skip N           not the first N references\n"
           "  --limit N          N references at most (the last instruction is kept whole); the program runs on to its end\n"
           "  --stop             end the program when the limit is reached; the exit status is then 0\n"
           "  --roi FUNCTION     only while a thread is in the function, calls from it included; of the program or a library\n"
           "  --from FUNCTION    from where the function is entered\n"
           "  --to FUNCTION      up to where the function is entered; again from the next entry of --from\n"
           "  --sample P:L       of each P references the first L\n\n"
           "  --cpu MODEL        the processor that QEMU shows the program (default %s); `qemu-x86_64 -cpu help`\n"
           "  --qemu FILE        another QEMU than the one in PATH\n"
           "  --keep-maps FILE   the kernel's own list of the program's mappings at its end (qemu), to compare the trace with\n"
           "  --kernel           record the kernel's allocations instead: mmulab record --kernel --help\n"
           "  --level N          compression of a .mtr, 1 to 19 (default 9)\n\n"
           "Three commands from a program to a result:\n"
           "  mmulab record -o sort.mtr -- sort words.txt >/dev/null\n"
           "  mmulab trace info sort.mtr\n"
           "  mmulab run @default -t sort.mtr -o out\n",
           CPU_DEFAULT);
}

enum {
    OPT_FORCE = 256,
    OPT_WITH,
    OPT_MALLOC,
    OPT_SKIP,
    OPT_LIMIT,
    OPT_STOP,
    OPT_ROI,
    OPT_FROM,
    OPT_TO,
    OPT_SAMPLE,
    OPT_CPU,
    OPT_QEMU,
    OPT_KEEP_MAPS,
    OPT_KERNEL,
    OPT_LEVEL,
};

static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                        {"force", no_argument, NULL, OPT_FORCE},
                                        {"with", required_argument, NULL, OPT_WITH},
                                        {"malloc", no_argument, NULL, OPT_MALLOC},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"skip", required_argument, NULL, OPT_SKIP},
                                        {"limit", required_argument, NULL, OPT_LIMIT},
                                        {"stop", no_argument, NULL, OPT_STOP},
                                        {"roi", required_argument, NULL, OPT_ROI},
                                        {"from", required_argument, NULL, OPT_FROM},
                                        {"to", required_argument, NULL, OPT_TO},
                                        {"sample", required_argument, NULL, OPT_SAMPLE},
                                        {"cpu", required_argument, NULL, OPT_CPU},
                                        {"qemu", required_argument, NULL, OPT_QEMU},
                                        {"keep-maps", required_argument, NULL, OPT_KEEP_MAPS},
    {"kernel", no_argument, NULL, OPT_KERNEL},
                                        {"level", required_argument, NULL, OPT_LEVEL},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};

static int __attribute__((format(printf, 1, 2))) usage_error(const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "mmulab record: error: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "; see mmulab record --help\n");
    return 2;
}

static int bad_option(char **argv, int got)
{
    const char *names[ARRAY_LEN(options)] = {0}, *word = argv[optind - 1], *near;
    char name[64];
    if (got == ':')
        return usage_error("option %s needs a value", word);
    if (strncmp(word, "--", 2) != 0)
        return usage_error("unknown option -%c", optopt);
    for (size_t i = 0; options[i].name; i++)
        names[i] = options[i].name;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    near = suggest(name, names);
    return near ? usage_error("unknown option --%s, did you mean --%s?", name, near) : usage_error("unknown option --%s", name);
}

static bool number(const char *text, const char **end, uint64_t *out)
{
    char *stop;
    errno = 0;
    *out = strtoull(text, &stop, 10);
    *end = stop;
    return *text >= '0' && *text <= '9' && !errno;
}

struct plan {
    struct record_request request;
    struct window_options window;
    struct trace_writer_options writer;
    const char *path;
    char *default_path;
    bool lackey, force;
};

/* One option; 0 or the exit code. */
static int take_option(struct plan *p, int got, const char *value)
{
    const char *end = "";
    uint64_t *n = NULL;
    switch (got) {
    case 'o':
        p->path = value;
        break;
    case 'q':
        p->request.quiet = true;
        break;
    case OPT_FORCE:
        p->force = true;
        break;
    case OPT_WITH:
        p->lackey = !strcmp(value, "lackey");
        if (!p->lackey && strcmp(value, "qemu") != 0)
            return usage_error("--with %s: there are qemu and lackey", value);
        break;
    case OPT_MALLOC:
        p->request.malloc = true;
        break;
    case OPT_STOP:
        p->request.stop_at_limit = true;
        break;
    case OPT_SKIP:
        n = &p->window.skip;
        break;
    case OPT_LIMIT:
        n = &p->window.limit;
        break;
    case OPT_ROI:
        p->window.roi = value;
        break;
    case OPT_FROM:
        p->window.from = value;
        break;
    case OPT_TO:
        p->window.to = value;
        break;
    case OPT_SAMPLE:
        if (!number(value, &end, &p->window.period) || *end != ':' || !number(end + 1, &end, &p->window.length) || *end ||
            !p->window.length || p->window.length > p->window.period)
            return usage_error("--sample %s: write PERIOD:LENGTH, two numbers of references, the first the larger", value);
        break;
    case OPT_CPU:
        p->request.cpu = value;
        break;
    case OPT_QEMU:
        p->request.qemu = value;
        break;
    case OPT_KEEP_MAPS:
        p->request.keep_maps = value;
        break;
    default: { /* OPT_LEVEL */
        uint64_t level;
        if (!number(value, &end, &level) || *end || level < 1 || level > 19)
            return usage_error("--level %s: a number from 1 to 19", value);
        p->writer.level = (int)level;
        break;
    }
    }
    if (n && (!number(value, &end, n) || *end))
        return usage_error("`%s` is not a number of references", value);
    if (got == OPT_LIMIT && !*n)
        return usage_error("--limit 0 would keep no reference; leave it out to keep all");
    return 0;
}

static int check_plan(const struct plan *p)
{
    if (p->request.stop_at_limit && !p->window.limit)
        return usage_error("--stop needs --limit N");
    if (p->window.roi && (p->window.from || p->window.to))
        return usage_error("--roi and --from, --to exclude each other");
    if (p->lackey && (p->request.malloc || p->request.keep_maps || p->request.qemu || p->request.cpu))
        return usage_error("--malloc, --keep-maps, --cpu and --qemu are for recording with qemu");
    return 0;
}

/* --- */

struct written {
    struct trace_writer *writer;
    bool shown; /* a reference is kept: the trace takes the place of what had its name */
};

static int put_written(void *self, uint32_t process, uint32_t thread, const struct trace_rec *rec, size_t n, struct err *err)
{
    struct written *w = self;
    for (size_t i = 0; i < n && !w->shown; i += 1u + rec[i].slots)
        if (rec[i].kind <= TRACE_REF_MAX) { /* none of a program that was not loaded, or has not the function asked for */
            if (trace_writer_show(w->writer, err) < 0)
                return -1;
            w->shown = true;
        }
    return trace_writer_put(w->writer, process, thread, rec, n, err);
}

static bool is_full(void *self)
{
    struct window_result r;
    window_get_result(self, &r);
    return r.full;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void summary(const struct plan *p, const struct window *w, const struct record_outcome *out, double took)
{
    struct window_result r;
    struct stat st;
    char refs[32], insns[32], bytes[32];
    window_get_result(w, &r);
    if (r.missing)
        fprintf(stderr, "mmulab record: warning: no file that the program mapped has a function \"%s\"\n", r.missing);
    else if (!r.references)
        fprintf(stderr, "mmulab record: warning: no reference was kept: the program has %s, and none is in what was asked "
                        "for\n", trace_commas(refs, r.seen));
    if (out->interrupted)
        fprintf(stderr, "mmulab record: interrupted: the trace is what was recorded until then\n");
    if (p->request.quiet || stat(p->path, &st) < 0)
        return;
    fprintf(stderr, "mmulab record: %s: %s references, %s instructions, %s bytes", p->path,
            trace_commas(refs, r.references), trace_commas(insns, r.instructions),
            trace_commas(bytes, (uint64_t)st.st_size));
    if (r.references)
        fprintf(stderr, " (%.3f a reference)", (double)st.st_size / (double)r.references);
    fprintf(stderr, "; %.2f s, %.1f M references/s\n", took, took > 0 ? (double)r.seen / took / 1e6 : 0.0);
}

/* Nothing was kept since a function is nowhere: as a mistake in the command. */
static int check_found(const struct plan *p, const struct window *w, struct err *err)
{
    struct window_result r;
    window_get_result(w, &r);
    if (!r.missing || r.references)
        return 0;
    err_set(err, ERR_USAGE, "there is no function \"%.200s\" in it, nor in a library that it loaded: nothing was kept", r.missing);
    err_at(err, p->request.target.program.path, 0, 0);
    return err_remedy(err, "nm lists a program's symbols (nm -D, if it is stripped); C++ names are given as nm shows them");
}

static int record(struct plan *p)
{
    struct err err = {0};
    struct written w = {0};
    struct window *window = NULL;
    struct record_outcome out = {0};
    double begin = seconds();
    int rc = -1;
    p->window.program = p->request.target.program.path;
    if (p->request.target.program.privileged && !p->request.quiet)
        fprintf(stderr, "mmulab record: warning: %s is a set-user-id or set-group-id program; it runs without these rights\n",
                p->request.target.program.path);
    p->writer.live = true; /* killed, we leave what we have */
    if (trace_writer_open_with(&w.writer, p->path, &p->writer, &err) == 0 &&
        window_new(&window, &p->window, (struct record_sink){&w, put_written}, &err) == 0) {
        struct record_enough enough = {window, is_full};
        rc = (p->lackey ? record_with_lackey : record_with_qemu)(&p->request, window_sink(window), enough, &out, &err);
        if (rc == 0)
            rc = window_finish(window, &err);
        if (rc == 0)
            rc = check_found(p, window, &err);
    }
    if (rc == 0) {
        rc = trace_writer_close(w.writer, &err);
    } else if (w.shown) { /* what is in the file stays; marked as not closed if it cannot be closed */
        struct err ignored;
        trace_writer_close(w.writer, &ignored);
    } else {
        trace_writer_abort(w.writer);
    }
    if (rc == 0)
        summary(p, window, &out, seconds() - begin);
    window_free(window);
    if (rc < 0)
        return cmd_error("record", &err);
    if (out.status > 128 && !out.stopped && !p->request.quiet)
        fprintf(stderr, "mmulab record: %s was ended by signal %d (%s)\n", p->request.target.name, out.status - 128,
                strsignal(out.status - 128));
    return out.stopped ? 0 : out.status;
}

int cmd_record(int argc, char **argv)
{
    struct plan p = {0};
    struct err err = {0};
    struct stat st;
    int got, code;
    optind = 0; /* getopt starts afresh */
    opterr = 0;
    while ((got = getopt_long(argc, argv, "+:ho:q", options, NULL)) != -1) {
        if (got == 'h') {
            help();
            return fflush(stdout) == 0 ? 0 : 1;
        }
        if (got == OPT_KERNEL) /* another recorder with options of its own */
            return record_kernel(argc, argv);
        if (got == '?' || got == ':')
            return bad_option(argv, got);
        if ((code = take_option(&p, got, optarg)) != 0)
            return code;
    }
    if (optind == argc)
        return usage_error("which program?");
    if ((code = check_plan(&p)) != 0)
        return code;
    if (!p.request.cpu)
        p.request.cpu = CPU_DEFAULT;
    if (record_target_find(&p.request.target, argv + optind, &err) < 0) {
        code = cmd_error("record", &err);
    } else {
        if (!p.path && asprintf(&p.default_path, "%s.mtr", p.request.target.name) >= 0)
            p.path = p.default_path;
        if (!p.path)
            code = 1;
        else if (!p.force && stat(p.path, &st) == 0 && S_ISREG(st.st_mode))
            code = usage_error("%s exists; --force writes over it, -o FILE names another", p.path);
        else
            code = record(&p);
    }
    record_target_fini(&p.request.target);
    free(p.default_path);
    return code;
}
