/* Allocates in every way; prints how many malloc, free and realloc events its own calls after the first make. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    void *p[6];
    char text[] = "6 6 1";
    p[0] = malloc(100);
    p[1] = calloc(3, 7);
    p[2] = aligned_alloc(64, 128);
    if (posix_memalign(&p[3], 4096, 5000) != 0)
        return 1;
    p[4] = malloc(1 << 20); /* mapped */
    p[5] = malloc(0);
    p[0] = realloc(p[0], 4000);
    for (int i = 0; i < 6; i++)
        free(p[i]);
    return write(1, text, sizeof text - 1) < 0;
}
