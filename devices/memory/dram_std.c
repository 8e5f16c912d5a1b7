/* The list of standards made into lookups; the tables are in dram_std_*.c. */
#include "memory/dram_priv.h"

const char *const dram_std_names[DRAM_STD_COUNT + 1] = {
#define DRAM_STD_NAME(name) #name,
    DRAM_STANDARDS(DRAM_STD_NAME)
#undef DRAM_STD_NAME
    NULL,
};

const struct dram_std *dram_std_get(enum dram_standard s)
{
    static const struct dram_std *const all[] = {
#define DRAM_STD_PTR(name) &dram_std_##name,
        DRAM_STANDARDS(DRAM_STD_PTR)
#undef DRAM_STD_PTR
    };
    return all[s];
}
