/*
 * What the QEMU plugin (producer, inside the recorded processes) and the recorder (consumer) share: one memory mapping.
 *
 * Each recorded thread has a lane. It writes 64-bit words into a chunk of the pool, nothing else; a range of a lane's words
 * becomes part of the trace when it is committed: an entry in the queue names it. Ranges are committed under one lock, by
 * the thread itself when its chunk is full, and by any thread of the process for all of its threads before a system call
 * that changes the address space; so the queue's order is the order in which things happened, exact wherever threads
 * synchronise by such calls. `at` is stored after the word it counts (x86 keeps the order of stores), so a range may be
 * committed while its owner goes on writing. What a killed process did not commit, the recorder finds in its lanes.
 *
 * Words: bits 63..62 say what it is.
 *   0  a translation block is entered: its number is the rest (byte offset / 16 of its description in `code`)
 *   1  memory access of an instruction of that block: 61..53 the instruction, 52..50 log2 of bytes, 49 write, 48 read,
 *      47..0 address
 *   2  event: 61..56 enum wire_event, 15..0 words that follow
 */
#ifndef TRACES_RECORDER_WIRE_H
#define TRACES_RECORDER_WIRE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define WIRE_MAGIC 0x3172656372624d4du
#define WIRE_CHUNK_WORDS 4096u /* a power of two; 32 KiB: also how far threads may run ahead of each other unseen */
#define WIRE_CHUNKS 16384u     /* of the pool: 512 MiB of address space, touched as needed */
#define WIRE_CHUNKS_IDLE 96u   /* in circulation beside what lanes hold: 3 MiB that the recorder may lag behind */
#define WIRE_LANES 8192u       /* threads alive at one time */
#define WIRE_QUEUE 65536u      /* entries, a power of two */
#define WIRE_PROCESSES 65536u
#define WIRE_CODE_BYTES (1ull << 30)

enum { WIRE_BLOCK, WIRE_ACCESS, WIRE_EVENT };
#define WIRE_TAG_SHIFT 62
#define WIRE_INSN_SHIFT 53
#define WIRE_SIZE_SHIFT 50
#define WIRE_RW_SHIFT 48 /* 1 read, 2 write, 3 both */
#define WIRE_ADDR_MASK ((1ull << 48) - 1)
#define WIRE_EVENT_SHIFT 56
#define WIRE_BLOCK_INSNS 512u /* most instructions of a block (QEMU: TCG_MAX_INSNS) */

enum wire_event {
    WIRE_SYSCALL = 1, /* enum trace_kind, number, a0..a5, result; then, for a mapping of a file, its path */
    WIRE_CLONE,       /* child thread */
    WIRE_FORK,        /* child process, child thread */
    WIRE_EXIT,        /* status, 1 if the whole process ends */
    WIRE_EXEC,        /* pid, path: an execve is tried; WIRE_MAPS follows if it is recorded on */
    WIRE_EXEC_FAILED, /* it came back; its WIRE_SYSCALL follows */
    WIRE_MAPS,        /* enum wire_maps, guest base, text: a piece of the kernel's list of mappings */
    WIRE_HEAP,        /* enum trace_kind, addr, size, word, word */
};
enum wire_maps { WIRE_MAPS_FIRST, WIRE_MAPS_LAST, /* added: the last piece; of an x86-64 program */ WIRE_MAPS_DONE = 2, WIRE_MAPS_WIDE = 4 };

/* How an instruction that ends a block goes on. */
enum wire_flow { WIRE_FLOW_ON, WIRE_FLOW_DIRECT, WIRE_FLOW_INDIRECT };

struct wire_block { /* in `code`, 16-byte aligned, never changed */
    uint64_t pc;
    uint64_t target; /* of a direct branch at its end */
    uint16_t insns;
    uint8_t flow; /* enum wire_flow */
    uint8_t size[]; /* bytes of each instruction */
};

struct wire_lane {
    _Alignas(64) _Atomic uint64_t at; /* next word in the pool */
    uint64_t start;                   /* of its chunk */
    uint64_t done;                    /* committed up to here */
    uint32_t process, thread;
    uint32_t image; /* of wire.images */
    _Atomic uint32_t used; /* taken by the producer, given back by the consumer */
    int32_t pid;           /* host's, of the process */
};

enum { WIRE_ENTRY_FREES = 1, WIRE_ENTRY_ENDS = 2 };
struct wire_entry {
    uint32_t from, to; /* words of the pool */
    uint32_t lane;
    uint32_t flags; /* FREES: the chunk before `to` is the consumer's to give back; ENDS: so is the lane */
};

#define WIRE_PATH_BYTES 4096u

enum wire_mode {
    WIRE_RECORD,
    WIRE_QUIET,  /* events only */
    WIRE_CLOSED, /* nothing: the recorder has what it wants, or is gone */
};
enum wire_fault { WIRE_FAULT_NONE, WIRE_FAULT_CODE, WIRE_FAULT_LANES, WIRE_FAULT_PROCESSES };

struct wire {
    uint64_t magic;
    uint32_t bytes_header; /* sizeof (struct wire): both sides were built together */
    int32_t recorder_pid;
    int32_t fd;         /* of this memory, in the recorder: a program that is executed gets it from there */
    char qemu[2][WIRE_PATH_BYTES]; /* for i386, for x86-64; "": not there */
    char plugin[WIRE_PATH_BYTES];  /* as QEMU's option has it, commas doubled */
    char cpu[WIRE_PATH_BYTES];     /* of -cpu */
    uint32_t keep_maps; /* send the kernel's list of mappings when the first process ends */
    _Atomic uint32_t mode;
    _Atomic uint32_t fault;
    _Atomic uint32_t ready; /* the plugin runs */
    pthread_mutex_t lock; /* shared, robust: of everything below but what the consumer writes */
    uint32_t processes, threads; /* numbers given so far */
    uint32_t images; /* plugins started: a process that executes another program has a new one */
    uint32_t chunks, lane_hint;
    uint64_t code_used;
    _Alignas(64) _Atomic uint32_t head; /* producers; a futex that the consumer sleeps on */
    _Atomic uint32_t consumer_sleeps;
    uint32_t free_tail; /* producers take */
    _Alignas(64) _Atomic uint32_t tail; /* consumer; a futex that producers sleep on */
    _Atomic uint32_t free_head;         /* consumer puts */
    _Atomic uint32_t producer_sleeps;
    struct wire_entry queue[WIRE_QUEUE];
    uint32_t free_chunk[WIRE_CHUNKS];
    _Atomic uint32_t announced[WIRE_PROCESSES]; /* a futex each: the parent's FORK record is out */
    struct wire_lane lane[WIRE_LANES];
    _Alignas(4096) uint64_t word[(uint64_t)WIRE_CHUNKS * WIRE_CHUNK_WORDS];
    _Alignas(4096) uint8_t code[WIRE_CODE_BYTES];
};

#endif
