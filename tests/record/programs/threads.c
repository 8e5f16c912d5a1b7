/* Four threads map, fill, share and unmap memory: what a trace of several threads must keep in order. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BYTES 65536u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *handed[4];

static void *work(void *arg)
{
    size_t me = *(size_t *)arg;
    unsigned long sum = 0;
    for (int round = 0; round < 8; round++) {
        char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
        if (p == MAP_FAILED)
            abort();
        memset(p, (int)me, BYTES);
        pthread_mutex_lock(&lock); /* another thread reads and unmaps it */
        q = handed[(me + 1) % 4];
        handed[(me + 1) % 4] = NULL;
        if (!handed[me]) {
            handed[me] = p;
            p = NULL;
        }
        pthread_mutex_unlock(&lock);
        for (size_t i = 0; q && i < BYTES; i += 512)
            sum += (unsigned char)q[i];
        if (q)
            munmap(q, BYTES);
        if (p)
            munmap(p, BYTES);
    }
    return (void *)(sum & 1);
}

int main(void)
{
    pthread_t t[4];
    size_t number[4];
    for (size_t i = 0; i < 4; i++) {
        number[i] = i;
        if (pthread_create(&t[i], NULL, work, &number[i]) != 0)
            return 1;
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    puts("done");
    return 7;
}
