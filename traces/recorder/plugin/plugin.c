/*
 * The recorder inside QEMU's user-mode emulation: a block of instructions is one word when it is entered, a memory access
 * one word, a system call some words. traces/recorder/wire.h has the words, producer.c their way to the recorder.
 *
 * QEMU calls back in the thread that executes; the numbers of its "vcpus" are those of the process's threads.
 */
#include "calls.h"
#include "exec.h"
#include "producer.h"
#include "qemu_api.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define CODE_HASH 65536u /* slots of the table of known blocks */

EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;
/* "NAME=NUMBER", as our own command writes it. */
static bool option(const char *arg, const char *name, unsigned *out)
{
    size_t n = strlen(name);
    char *end;
    if (strncmp(arg, name, n) != 0)
        return false;
    unsigned long v = strtoul(arg + n, &end, 10);
    if (end == arg + n || *end || v > INT32_MAX)
        return false;
    *out = (unsigned)v;
    return true;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

/* Blocks that this process has described, by content: QEMU translates the same ones again and again. */
struct known {
    struct known *next;
    uint64_t number;
};

static struct {
    struct known *known[CODE_HASH];
    pthread_mutex_t lock;
    bool has_maps;     /* the initial mappings are sent */
    bool info_is_plain; /* meminfo is laid out as in all versions so far, so that it needs no calls */
} code = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- references --- */

static void on_block(unsigned vcpu, void *user)
{
    producer_put(vcpu, (uint64_t)(uintptr_t)user);
}

/* QEMU 6.0 to 8.2: log2 of the size in bits 4..6 of the memory operation index, direction in bits 16..17. */
static inline unsigned plain_shift(qemu_plugin_meminfo_t info)
{
    return info >> 4 & 7;
}
static inline unsigned plain_rw(qemu_plugin_meminfo_t info)
{
    return info >> 16 & 3;
}

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *user)
{
    producer_put(vcpu, (uint64_t)(uintptr_t)user | (uint64_t)plain_shift(info) << WIRE_SIZE_SHIFT |
                           (uint64_t)plain_rw(info) << WIRE_RW_SHIFT | (vaddr & WIRE_ADDR_MASK));
}

static void on_access_asked(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *user)
{
    uint64_t rw = qemu_plugin_mem_is_store(info) ? 2 : 1;
    producer_put(vcpu, (uint64_t)(uintptr_t)user | (uint64_t)(qemu_plugin_mem_size_shift(info) & 7) << WIRE_SIZE_SHIFT |
                           rw << WIRE_RW_SHIFT | (vaddr & WIRE_ADDR_MASK));
}

static bool meminfo_is_plain(void)
{
    for (qemu_plugin_meminfo_t info = 0; info < 4u << 16; info++)
        if (qemu_plugin_mem_size_shift(info) != plain_shift(info) ||
            qemu_plugin_mem_is_store(info) != ((plain_rw(info) & 2) != 0))
            return false;
    return true;
}

/* --- translation --- */

/* How the last instruction of a block goes on: enough of x86's encoding for direct branches. */
static void flow_of(struct wire_block *b, const unsigned char *p, size_t n, uint64_t next, bool wide)
{
    size_t i = 0;
    int32_t d;
    while (i < n && (p[i] == 0x66 || p[i] == 0x67 || p[i] == 0xf2 || p[i] == 0xf3 || p[i] == 0x2e || p[i] == 0x3e ||
                     (wide && p[i] >= 0x40 && p[i] <= 0x4f)))
        i++;
    b->flow = WIRE_FLOW_ON;
    if (i == n)
        return;
    bool near = p[i] == 0xe8 || p[i] == 0xe9, two = p[i] == 0x0f && i + 1 < n && (p[i + 1] & 0xf0) == 0x80;
    if ((near && n - i == 5) || (two && n - i == 6)) {
        memcpy(&d, p + n - 4, 4);
    } else if (((p[i] & 0xf0) == 0x70 || p[i] == 0xeb || (p[i] >= 0xe0 && p[i] <= 0xe3)) && n - i == 2) {
        d = p[i + 1] < 0x80 ? p[i + 1] : p[i + 1] - 0x100; /* a signed byte */
    } else {
        if (p[i] == 0xff || (p[i] & 0xf6) == 0xc2 || p[i] == 0xcf || (p[i] >= 0xa4 && p[i] <= 0xaf) ||
            (p[i] >= 0x6c && p[i] <= 0x6f)) /* jump, call, return; string instructions repeat themselves */
            b->flow = WIRE_FLOW_INDIRECT;
        return;
    }
    b->flow = WIRE_FLOW_DIRECT;
    b->target = wide ? next + (uint64_t)(int64_t)d : (uint32_t)(next + (uint64_t)(int64_t)d);
}

static size_t block_bytes(unsigned insns)
{
    return (offsetof(struct wire_block, size) + insns + 15) & ~(size_t)15;
}

/* The number of a block like b; 0 if there is no room (number 0 is no block). */
static uint64_t block_number(const struct wire_block *b)
{
    size_t n = offsetof(struct wire_block, size) + b->insns;
    uint64_t h = b->pc * 0x9e3779b97f4a7c15u + b->insns, number = 0;
    struct known **slot = &code.known[(h >> 40) % CODE_HASH], *k;
    for (k = *slot; k; k = k->next)
        if (!memcmp(producer.wire->code + k->number * 16, b, n))
            return k->number;
    k = malloc(sizeof *k);
    if (!k)
        return 0;
    producer_lock();
    if (producer.wire->code_used + block_bytes(b->insns) <= WIRE_CODE_BYTES) {
        number = producer.wire->code_used / 16;
        producer.wire->code_used += block_bytes(b->insns);
    }
    producer_unlock();
    if (!number) {
        producer_give_up(WIRE_FAULT_CODE);
        free(k);
        return 0;
    }
    memcpy(producer.wire->code + number * 16, b, n);
    *k = (struct known){*slot, number};
    *slot = k;
    return number;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    union {
        struct wire_block b;
        unsigned char room[sizeof(struct wire_block) + WIRE_BLOCK_INSNS];
    } u;
    struct wire_block *b = &u.b;
    size_t n = qemu_plugin_tb_n_insns(tb);
    struct qemu_plugin_insn *insn = NULL;
    uint64_t pc = 0;
    memset(b, 0, sizeof *b);
    if (n == 0 || n > WIRE_BLOCK_INSNS)
        return;
    for (size_t i = 0; i < n; i++) {
        size_t bytes = qemu_plugin_insn_size(insn = qemu_plugin_tb_get_insn(tb, i));
        pc = qemu_plugin_insn_vaddr(insn);
        if (i == 0)
            b->pc = pc;
        b->size[i] = (uint8_t)bytes;
        qemu_plugin_register_vcpu_mem_cb(
            insn, code.info_is_plain ? on_access : on_access_asked, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
            (void *)(uintptr_t)((uint64_t)WIRE_ACCESS << WIRE_TAG_SHIFT | (uint64_t)i << WIRE_INSN_SHIFT));
    }
    b->insns = (uint16_t)n;
    flow_of(b, qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn), pc + qemu_plugin_insn_size(insn), calls_wide());
    pthread_mutex_lock(&code.lock);
    if (!code.has_maps) { /* the program is loaded, nothing of it has run */
        code.has_maps = true;
        insn = qemu_plugin_tb_get_insn(tb, 0);
        calls_begin((uint64_t)(uintptr_t)qemu_plugin_insn_haddr(insn) - qemu_plugin_insn_vaddr(insn));
    }
    uint64_t number = block_number(b);
    pthread_mutex_unlock(&code.lock);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)number);
}

static int refuse(const char *why)
{
    fprintf(stderr, "mmulab record: error: %s\n", why);
    return -1;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    int fd = -1;
    bool follows = false;
    unsigned process = 0, thread = 0; /* those of the program that executed this one; else it is the first */
    for (int i = 0; i < argc; i++) {
        unsigned number;
        if (option(argv[i], "fd=", &number))
            fd = (int)number;
        follows |= option(argv[i], "process=", &process);
        option(argv[i], "thread=", &thread);
    }
    if (info->system_emulation || (strcmp(info->target_name, "x86_64") != 0 && strcmp(info->target_name, "i386") != 0))
        return refuse("this plugin records x86-64 and i386 programs under QEMU's user-mode emulation");
    if (fd < 0 || producer_attach(fd, process) < 0)
        return refuse("this QEMU plugin is started by `mmulab record`, of the same build");
    code.info_is_plain = meminfo_is_plain();
    exec_begin();
    calls_install(id, !strcmp(info->target_name, "x86_64"), follows, thread);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    return 0;
}
