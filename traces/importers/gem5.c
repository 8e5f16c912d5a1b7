/*
 * Reader of gem5's packet traces (src/proto/packet.proto, src/proto/protoio.cc), which CommMonitor and the traffic
 * generators write: "gem5", then messages, each behind its length as a varint. The first is the header (1 obj_id,
 * 2 ver, 3 tick_freq in Hz, 4 id_strings), the others are packets (1 tick, 2 cmd, 3 addr, 4 size, 5 flags, 6 pkt_id,
 * 7 pc). The protobuf wire format is small enough to be read here: a key is field * 8 + type, type 0 a varint, 1 eight
 * bytes, 2 a length and bytes, 5 four bytes.
 *
 *     ReadReq and relatives     LOAD; FETCH with the request flag INST_FETCH
 *     WriteReq, writebacks      STORE
 *     tick                      TIME, nanoseconds from the frequency, where that changed
 *
 * A monitor behind a cache sees what that asks for (ReadSharedReq, ReadExReq, WritebackDirty, ...). These commands have
 * numbers of 2017 and numbers since 2018, which has one command more at the beginning (mem/packet.hh). Most numbers that
 * are requests in both mean a read in both or a write in both; the others are read as the newer ones, or as the older
 * ones behind a number that only there is a request: monitors record requests alone. Other commands (prefetches,
 * upgrades, evictions of clean lines) are counted and left out, as are packets of no bytes. Addresses are what the
 * monitored port saw: mostly physical ones.
 */
#include "traces/input.h"
#include "traces/trace.h"

enum {
    GEM5_MESSAGE_MAX = 1 << 20, /* a packet has some 40 bytes, a header the names of all requestors */
    GEM5_COMMANDS = 28, /* MemCmd, mem/packet.hh: those that are told apart */
    GEM5_INST_FETCH = 0x100, /* Request::INST_FETCH, mem/request.hh */
    VARINT_MAX = 10,
};

static const char magic[4] = "gem5";

enum meaning { LEFT_OUT, READS, WRITES };

/* By the numbers of 2017 and those since 2018; responses, which are never recorded, stand in neither. */
static const uint8_t older[GEM5_COMMANDS] = {
    [1] = READS,   /* ReadReq */
    [4] = WRITES,  /* WriteReq */
    [6] = WRITES,  /* WritebackDirty */
    [7] = WRITES,  /* WritebackClean */
    [8] = WRITES,  /* WriteClean */
    [14] = WRITES, /* WriteLineReq */
    [20] = READS,  /* ReadExReq */
    [22] = READS,  /* ReadCleanReq */
    [23] = READS,  /* ReadSharedReq */
    [24] = READS,  /* LoadLockedReq */
    [25] = WRITES, /* StoreCondReq */
};
static const uint8_t newer[GEM5_COMMANDS] = {
    [1] = READS,   /* ReadReq */
    [4] = WRITES,  /* WriteReq */
    [7] = WRITES,  /* WritebackDirty */
    [8] = WRITES,  /* WritebackClean */
    [9] = WRITES,  /* WriteClean */
    [16] = WRITES, /* WriteLineReq */
    [22] = READS,  /* ReadExReq */
    [24] = READS,  /* ReadCleanReq */
    [25] = READS,  /* ReadSharedReq */
    [26] = READS,  /* LoadLockedReq */
    [27] = WRITES, /* StoreCondReq */
};

struct gem5 {
    bool begun, has_fetch;
    bool old; /* a command was seen that is a request with the older numbers alone */
    uint64_t tick_freq;
    uint64_t time; /* ns, last put */
    uint64_t commands, empty, pcs, ids;
};

struct message {
    uint64_t field[8]; /* of wire type 0, by number */
    unsigned have;     /* bit mask of fields seen, of any type */
    unsigned varints;  /* those that were varints */
};

/* 1: *out, *p behind it; 0: it does not end before `end`; -1: longer than a varint can be. */
static int varint(const unsigned char **p, const unsigned char *end, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < VARINT_MAX; i++) {
        if (*p + i == end)
            return 0;
        unsigned char b = (*p)[i];
        if (i == VARINT_MAX - 1 && b > 1)
            return -1;
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (!(b & 0x80)) {
            *p += i + 1;
            *out = v;
            return 1;
        }
    }
    return -1;
}

/* Takes a message apart; false if it is none. */
static bool parse(const unsigned char *p, const unsigned char *end, struct message *m)
{
    *m = (struct message){0};
    while (p < end) {
        uint64_t key, v;
        if (varint(&p, end, &key) <= 0 || key >> 3 == 0)
            return false;
        uint64_t number = key >> 3;
        switch (key & 7) {
        case 0:
            if (varint(&p, end, &v) <= 0)
                return false;
            if (number < 8) {
                m->field[number] = v;
                m->varints |= 1u << number;
            }
            break;
        case 1:
        case 5:
            v = (key & 7) == 1 ? 8 : 4;
            if ((uint64_t)(end - p) < v)
                return false;
            p += v;
            break;
        case 2:
            if (varint(&p, end, &v) <= 0 || v > (uint64_t)(end - p))
                return false;
            p += v;
            break;
        default:
            return false;
        }
        if (number < 8)
            m->have |= 1u << number;
    }
    return true;
}

static int probe(const unsigned char *head, size_t n, bool whole)
{
    (void)whole;
    return n >= sizeof magic && !memcmp(head, magic, sizeof magic) ? 100 : 0;
}

static int broken(struct trace_input *in, struct err *err, const char *what)
{
    err_set(err, ERR_RUN, "%s", what);
    err_remedy(err, "copy or record the file again");
    return err_at(err, trace_input_name(in), 0, 0);
}

/* The next message without consuming it: *p, *n bytes; behind it is *skip. 1, 0 at the end, -1. */
static int next_message(struct trace_input *in, const unsigned char **p, size_t *n, size_t *skip, struct err *err)
{
    int status = trace_input_avail(in) >= VARINT_MAX ? 1 : trace_input_fill(in, VARINT_MAX, err);
    const unsigned char *s = in->p;
    uint64_t len;
    if (trace_input_avail(in) == 0)
        return status < 0 ? -1 : 0;
    int r = varint(&s, in->end, &len);
    if (r < 0 || (r > 0 && len > GEM5_MESSAGE_MAX))
        return broken(in, err, "the length of a message is out of all reason");
    *skip = (size_t)(s - in->p);
    if (r > 0 && len)
        status = trace_input_fill(in, *skip + (size_t)len, err);
    if (r == 0 || (len && trace_input_avail(in) < *skip + len))
        return status < 0 ? -1 : broken(in, err, "the last message is cut off");
    *p = in->p + *skip;
    *n = (size_t)len;
    *skip += (size_t)len;
    return 1;
}

static int begin(struct gem5 *g, struct trace_input *in, struct err *err)
{
    const unsigned char *p = NULL;
    size_t n = 0, skip = 0;
    struct message m;
    int r = trace_input_fill(in, sizeof magic, err);
    if (r < 0 && trace_input_avail(in) < sizeof magic)
        return -1;
    if (trace_input_avail(in) < sizeof magic || memcmp(in->p, magic, sizeof magic) != 0)
        return broken(in, err, "the file does not begin with \"gem5\"");
    trace_input_consume(in, sizeof magic);
    r = next_message(in, &p, &n, &skip, err);
    if (r < 0)
        return -1;
    if (r == 0 || !parse(p, p + n, &m) || !(m.varints & 1u << 3) || !(m.have & 1u << 1) || (m.varints & 1u << 1))
        return broken(in, err, "the header is no header of a gem5 trace");
    if (m.varints & 1u << 4) {
        err_set(err, ERR_RUN, "this is an instruction trace of gem5 (inst.proto)");
        err_remedy(err, "packet traces are read: those of a CommMonitor with a MemTraceProbe");
        return err_at(err, trace_input_name(in), 0, 0);
    }
    if (m.field[3] == 0)
        return broken(in, err, "the header's tick frequency is 0");
    g->tick_freq = m.field[3];
    g->begun = true;
    trace_input_consume(in, skip);
    return 0;
}

static enum meaning meaning_of(struct gem5 *g, uint64_t cmd)
{
    if (cmd >= GEM5_COMMANDS)
        return LEFT_OUT;
    g->old |= cmd == 6 || cmd == 14 || cmd == 20 || cmd == 23;
    return (enum meaning)(g->old ? older : newer)[cmd];
}

static const char *put(struct gem5 *g, struct trace_sink *sink, const struct message *m)
{
    const unsigned needed = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4;
    if ((m->varints & needed) != needed)
        return "a packet lacks its tick, command, address or size";
    if (m->field[4] > UINT32_MAX)
        return "a packet's size does not fit 32 bits";
    enum meaning what = meaning_of(g, m->field[2]);
    if (what == LEFT_OUT) {
        g->commands++;
        return NULL;
    }
    if (m->field[4] == 0) {
        g->empty++;
        return NULL;
    }
    uint64_t ns = (uint64_t)((unsigned __int128)m->field[1] * 1000000000u / g->tick_freq);
    if (ns != g->time) {
        trace_sink_put(sink, (struct trace_rec){.addr = ns, .kind = TRACE_TIME});
        g->time = ns;
    }
    bool fetch = what == READS && (m->varints & 1u << 5) && (m->field[5] & GEM5_INST_FETCH);
    g->has_fetch |= fetch;
    g->pcs += m->have >> 7 & 1;
    g->ids += m->have >> 6 & 1;
    trace_sink_ref(sink, fetch ? TRACE_FETCH : what == READS ? TRACE_LOAD : TRACE_STORE, m->field[3],
                   (uint32_t)m->field[4]);
    return NULL;
}

static int read_batch(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    struct gem5 *g = state;
    if (!g->begun && begin(g, in, err) < 0)
        return -1;
    while (!trace_sink_full(sink)) {
        const unsigned char *p = NULL;
        size_t n = 0, skip = 0;
        struct message m;
        int r = next_message(in, &p, &n, &skip, err);
        if (r < 0)
            return -1;
        if (r == 0)
            return sink->n > 0;
        const char *problem = parse(p, p + n, &m) ? put(g, sink, &m) : "a message is no protobuf message";
        if (problem)
            return broken(in, err, problem);
        trace_input_consume(in, skip);
    }
    return 1;
}

static void info(const void *state, struct trace_info *out)
{
    const struct gem5 *g = state;
    out->has_fetch = g->has_fetch;
    out->threads = out->processes = 1;
    trace_left_add(out->left, &out->nleft, "packets of other commands than reads and writes", g->commands);
    trace_left_add(out->left, &out->nleft, "packets of no bytes", g->empty);
    trace_left_add(out->left, &out->nleft, "instruction addresses of packets", g->pcs);
    trace_left_add(out->left, &out->nleft, "packet ids", g->ids);
}

const struct trace_reader_ops trace_reader_gem5 = {
    .name = "gem5",
    .probe = probe,
    .state_bytes = sizeof(struct gem5),
    .read_batch = read_batch,
    .info = info,
};
