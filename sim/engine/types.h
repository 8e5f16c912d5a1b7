/*
 * Address and time types. Each kind of address is a one-member struct, so mixing two kinds does not compile.
 *
 *   la_t    logical offset inside a segment          va_t   linear (virtual) address
 *   pa_t    physical address, bytes                  pfn_t  physical frame number (pa >> 12)
 *   iova_t  address a device uses before the IOMMU
 *
 * tick_t is picoseconds since the start of the simulation: 64 bits last seven months of simulated time.
 * A core counts its own cycles (cyc_t) and converts at its port.
 */
#ifndef ENGINE_TYPES_H
#define ENGINE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { uint64_t v; } la_t;
typedef struct { uint64_t v; } va_t;
typedef struct { uint64_t v; } pa_t;
typedef struct { uint64_t v; } pfn_t;
typedef struct { uint64_t v; } iova_t;

typedef uint64_t tick_t; /* picoseconds */
typedef uint64_t cyc_t;  /* cycles of one core */

#define PS_A_NS 1000ull /* tick_t counts picoseconds, recordings nanoseconds */
#define TICK_NEVER UINT64_MAX
#define CYC_NEVER UINT64_MAX

#define PAGE_SHIFT 12
#define PAGE_BYTES 4096u
#define LINE_SHIFT 6 /* every cache line is 64 bytes (x86-hardware.md 3.4) */
#define LINE_BYTES 64u

#define PFN_NONE ((pfn_t){UINT64_MAX})
static inline bool pfn_is_none(pfn_t p) { return p.v == UINT64_MAX; }
static inline pa_t pfn_to_pa(pfn_t p) { return (pa_t){p.v << PAGE_SHIFT}; }
static inline pfn_t pa_to_pfn(pa_t a) { return (pfn_t){a.v >> PAGE_SHIFT}; }

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
