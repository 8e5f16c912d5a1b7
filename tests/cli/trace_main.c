/* `mmulab trace` alone, for trace.sh. */
#include "app/trace/cmd_trace.h"

int main(int argc, char **argv) { return cmd_trace(argc - 1, argv + 1); }
