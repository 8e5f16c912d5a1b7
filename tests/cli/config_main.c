/* `mmulab config` over the tests' small machine, so that its behaviour does not depend on the real one's keys. */
#include "app/cmd_config.h"

#include <string.h>

#include "unit/test_config_schema.h"

const struct config_schema *machine_config_schema(void) { return &toy_schema; }

int machine_config_try(const struct config *c, struct err *err)
{
    (void)c;
    (void)err;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "config") != 0)
        return 2;
    return cmd_config(argc - 1, argv + 1);
}
