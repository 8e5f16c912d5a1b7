#include "engine/params.h"

#include <stdbool.h>

void param_defaults(const struct param *table, size_t n, void *object)
{
    for (size_t i = 0; i < n; i++) {
        const struct param *p = &table[i];
        void *at = (char *)object + p->offset;
        switch (p->type) {
        case P_BOOL:
            *(bool *)at = p->def != 0;
            break;
        case P_U32:
        case P_CYC:
            *(uint32_t *)at = (uint32_t)p->def;
            break;
        case P_ENUM:
            *(int *)at = (int)p->def;
            break;
        case P_F64:
            *(double *)at = p->def_f;
            break;
        case P_STR:
        case P_PATH:
            *(char **)at = (char *)p->def_s; /* never written through, never freed */
            break;
        case P_U64:
        case P_I64:
        case P_SIZE:
        case P_TIME:
        case P_FREQ:
        case P_ADDR:
            *(uint64_t *)at = p->def;
            break;
        case P_SIZE_LIST:
        case P_TIME_LIST:
        case P_U64_LIST:
        case P_STR_LIST:
        case P_PATH_LIST:
        case P_OBJECT_LIST:
            *(struct param_list *)at = (struct param_list){0};
            break;
        }
    }
}

void param_group_defaults(const struct param_group *groups, size_t n, void *root)
{
    for (size_t i = 0; i < n; i++)
        param_defaults(groups[i].table, groups[i].n, (char *)root + groups[i].base);
}
