/* Threads that take, move and give back objects of the same sizes of one arena, so that what one realloc leaves is the
 * next thread's at once. Then a child that gives back its copies of the objects and executes the program anew. */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 6, ROUNDS = 2000, OBJECTS = 8, SIZES = 4 };

static void *work(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    void *object[OBJECTS] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        seed = seed * 1103515245u + 12345u;
        void **p = &object[(seed >> 8) % OBJECTS];
        size_t bytes = ((seed >> 16) % SIZES + 1) * 64;
        void *q = (seed >> 24) % 4 ? realloc(*p, bytes) : malloc(bytes);
        if ((seed >> 24) % 4 == 0)
            free(*p);
        *p = q;
    }
    for (int i = 0; i < OBJECTS; i++)
        free(object[i]);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread[THREADS];
    unsigned seed[THREADS];
    mallopt(M_ARENA_MAX, 1);
    for (unsigned i = 0; argc == 1 && i < THREADS; i++) {
        seed[i] = i + 1;
        if (pthread_create(&thread[i], NULL, work, &seed[i]) != 0)
            return 1;
    }
    for (unsigned i = 0; argc == 1 && i < THREADS; i++)
        pthread_join(thread[i], NULL);
    void *kept = malloc(100), *moved = malloc(200);
    if (argc == 1 && fork() == 0) {
        free(kept);
        moved = realloc(moved, 9000);
        free(moved);
        execl("/proc/self/exe", argv[0], "again", (char *)NULL);
        _exit(1);
    }
    wait(NULL);
    free(kept);
    free(moved);
    return 0;
}
