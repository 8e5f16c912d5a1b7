/* Functions of a library, as regions of interest. */
#include <pthread.h>

int region_work(int n);
_Noreturn void region_ends_thread(int n);

__attribute__((visibility("default"))) int region_work(int n)
{
    volatile int sum = 0;
    for (int i = 0; i < n; i++)
        sum += i;
    return sum;
}

__attribute__((visibility("default"))) void region_ends_thread(int n)
{
    region_work(n);
    pthread_exit(NULL);
}
