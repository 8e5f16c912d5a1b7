/* From an address space back to its process of the traces. */
#include "cpu/machine/machine_internal.h"

uint32_t machine_process_of(const struct machine *m, uint32_t asid)
{
    for (uint32_t p = 0; p < m->n_process; p++)
        if (m->process[p].asid == asid && !m->process[p].dead)
            return p;
    return MACHINE_NO_PROCESS;
}
