/*
 * Names for code and data addresses of a trace: follows its address-space events and reads the ELF files they
 * name. Not thread-safe.
 */
#ifndef TRACES_SYMBOLS_H
#define TRACES_SYMBOLS_H

#include "engine/err.h"
#include "traces/record.h"

#include <stddef.h>

struct trace_symbols;
int trace_symbols_new(struct trace_symbols **out, struct err *err);
void trace_symbols_free(struct trace_symbols *s); /* NULL is fine */
/* Takes a well-formed record of a process: SEGMENT, MMAP, ..., FILEID; others do nothing. */
void trace_symbols_record(struct trace_symbols *s, uint32_t process, const struct trace_rec *r);
/*
 * "symbol+0x12 (file)", "symbol (file)", "+0x1234 (file)" where no symbol covers the address (offset in the
 * file),
 * "[heap]", "[stack]", "[anon]", or "" if nothing is known. The file's last path component is shown. Returns
 * buf. Symbols are those of SHT_SYMTAB, else of SHT_DYNSYM. A file that is missing, no ELF file or cut off
 * has none.
 */
const char *trace_symbols_name(struct trace_symbols *s, uint32_t process, uint64_t addr, char *buf,
                               size_t size);

#endif
