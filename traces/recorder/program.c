#include "traces/recorder/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPTS_MAX 5 /* interpreters of interpreters: fs/exec.c */
#define LINE_MAX_BYTES 256 /* of a script's first line: BINPRM_BUF_SIZE */

static int no_memory(struct err *err)
{
    return err_set(err, ERR_RUN, "out of memory");
}

/* argv becomes INTERPRETER [ARGUMENT] SCRIPT the old arguments. */
static int take_script(struct program *t, const char *line, struct err *err)
{
    char text[LINE_MAX_BYTES], *save, *interpreter, *argument;
    size_t n = 0, k = 0;
    snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, line);
    text[strcspn(text, "\n")] = '\0';
    interpreter = strtok_r(text, " \t", &save);
    argument = strtok_r(NULL, "", &save);
    if (argument) {
        argument += strspn(argument, " \t");
        for (size_t end = strlen(argument); end && (argument[end - 1] == ' ' || argument[end - 1] == '\t'); end--)
            argument[end - 1] = '\0';
    }
    if (!interpreter) {
        err_set(err, ERR_USAGE, "the script's first line names no interpreter");
        return err_at(err, t->path, 1, 0);
    }
    while (t->argv[n])
        n++;
    char **argv = calloc(n + 3, sizeof *argv);
    if (!argv)
        return no_memory(err);
    argv[k++] = strdup(interpreter);
    if (argument && *argument)
        argv[k++] = strdup(argument);
    argv[k++] = t->path;
    for (size_t i = 1; i < n; i++)
        argv[k++] = t->argv[i];
    free(t->argv[0]);
    free(t->argv);
    t->argv = argv;
    t->path = strdup(interpreter);
    return t->path && argv[0] ? 0 : no_memory(err);
}

static int wrong_machine(const struct program *t, const char *what, struct err *err)
{
    err_set(err, ERR_USAGE, "cannot be recorded: it is %s", what);
    err_at(err, t->path, 0, 0);
    return err_remedy(err, "programs for x86-64 and i386 Linux can");
}

static int check_interpreter(struct program *t, const unsigned char *p, size_t n, struct err *err)
{
    char path[512] = "";
    uint64_t offset = 0, bytes = 0;
    if (t->wide) {
        Elf64_Ehdr h;
        Elf64_Phdr ph;
        memcpy(&h, p, sizeof h);
        for (unsigned i = 0; i < h.e_phnum && h.e_phoff + (i + 1) * sizeof ph <= n; i++) {
            memcpy(&ph, p + h.e_phoff + i * sizeof ph, sizeof ph);
            if (ph.p_type == PT_INTERP)
                offset = ph.p_offset, bytes = ph.p_filesz;
        }
    } else {
        Elf32_Ehdr h;
        Elf32_Phdr ph;
        memcpy(&h, p, sizeof h);
        for (unsigned i = 0; i < h.e_phnum && h.e_phoff + (i + 1) * sizeof ph <= n; i++) {
            memcpy(&ph, p + h.e_phoff + i * sizeof ph, sizeof ph);
            if (ph.p_type == PT_INTERP)
                offset = ph.p_offset, bytes = ph.p_filesz;
        }
    }
    t->dynamic = bytes != 0;
    if (!bytes || offset > n || bytes >= sizeof path || bytes > n - offset)
        return 0;
    memcpy(path, p + offset, bytes);
    if (access(path, R_OK) == 0)
        return 0;
    err_set(err, ERR_USAGE, "its dynamic loader %s is not there", path);
    err_at(err, t->path, 0, 0);
    return err_remedy(err, t->wide ? "install the C library for x86-64 (libc6)"
                                   : "install the C library for i386: apt install libc6-i386");
}

static int check_elf(struct program *t, const unsigned char *p, size_t n, struct err *err)
{
    uint16_t machine;
    if (n < sizeof(Elf32_Ehdr) || memcmp(p, ELFMAG, SELFMAG) != 0) {
        err_set(err, ERR_USAGE, "is neither an ELF program nor a script that names its interpreter (#!)");
        err_at(err, t->path, 0, 0);
        return err_remedy(err, "name the program that runs it: mmulab record -- sh %.200s", t->path);
    }
    memcpy(&machine, p + offsetof(Elf32_Ehdr, e_machine), 2);
    if (machine == EM_X86_64 && p[EI_CLASS] != ELFCLASS64)
        return wrong_machine(t, "an x32 program (x86-64 with 32-bit pointers)", err);
    if (machine != EM_X86_64 && machine != EM_386) {
        char what[64];
        snprintf(what, sizeof what, "made for another processor (ELF machine %u)", machine);
        return wrong_machine(t, machine == EM_AARCH64 ? "an AArch64 program" : what, err);
    }
    t->wide = machine == EM_X86_64;
    return t->wide && n < sizeof(Elf64_Ehdr) ? wrong_machine(t, "cut off", err) : check_interpreter(t, p, n, err);
}

static int cannot_read(const struct program *t, int why, struct err *err)
{
    err_set(err, ERR_USAGE, "cannot run the program: %s", strerror(why));
    return err_at(err, t->path, 0, 0);
}

/* Of a script's interpreter the script is the place: people look for the mistake there. */
static int cannot_open(const struct program *t, const char *script, int why, struct err *err)
{
    if (!script)
        return cannot_read(t, why, err);
    size_t n = strlen(t->path);
    bool dos = n && t->path[n - 1] == '\r';
    err_set(err, ERR_USAGE, "its interpreter %.*s%s cannot be run: %s", (int)(n - dos), t->path, dos ? "\\r" : "", strerror(why));
    err_at(err, script, 1, 0);
    return dos ? err_remedy(err, "the script has the line ends of DOS: sed -i 's/\\r$//' %.200s", script) : -1;
}

static int resolve(struct program *t, struct err *err)
{
    unsigned char head[8192];
    const char *script = NULL; /* in t->argv */
    for (int scripts = 0;; scripts++) {
        struct stat st;
        int fd = open(t->path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return cannot_open(t, script, errno, err);
        bool folder = fstat(fd, &st) < 0 || S_ISDIR(st.st_mode);
        ssize_t got = folder ? -1 : pread(fd, head, sizeof head, 0);
        int why = folder ? EISDIR : errno;
        close(fd);
        if (got < 0)
            return cannot_open(t, script, why, err);
        if (access(t->path, X_OK) < 0)
            return cannot_open(t, script, errno, err);
        if (got < 2 || memcmp(head, "#!", 2) != 0) {
            t->privileged = ((st.st_mode & S_ISUID) && st.st_uid != geteuid()) ||
                            ((st.st_mode & S_ISGID) && st.st_gid != getegid());
            return check_elf(t, head, (size_t)got, err);
        }
        if (scripts == SCRIPTS_MAX) {
            err_set(err, ERR_USAGE, "its interpreter is a script whose interpreter is a script, and so on");
            return err_at(err, t->path, 0, 0);
        }
        script = t->path; /* take_script moves it into argv */
        head[(size_t)got < LINE_MAX_BYTES ? (size_t)got : LINE_MAX_BYTES - 1] = '\0';
        if (take_script(t, (const char *)head + 2, err) < 0)
            return -1;
    }
}

int program_resolve(struct program *t, const char *path, const char *const *argv, struct err *err)
{
    size_t n = 0;
    *t = (struct program){.path = strdup(path)};
    while (argv[n])
        n++;
    t->argv = calloc(n + 1, sizeof *t->argv);
    if (!t->argv || !t->path)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        if (!(t->argv[i] = strdup(argv[i])))
            return no_memory(err);
    return resolve(t, err);
}

void program_fini(struct program *t)
{
    for (size_t i = 0; t->argv && t->argv[i]; i++)
        free(t->argv[i]);
    free(t->argv);
    free(t->path);
    *t = (struct program){0};
}
