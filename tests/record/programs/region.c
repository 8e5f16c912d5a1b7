/* Calls functions of its library: one five times, and one from which a thread does not return. */
#include <pthread.h>
#include <stdio.h>

int region_work(int n);
_Noreturn void region_ends_thread(int n);

static void *work(void *arg)
{
    (void)arg;
    region_ends_thread(10);
}

int main(void)
{
    pthread_t thread;
    int sum = 0;
    volatile int other = 0;
    if (pthread_create(&thread, NULL, work, NULL) != 0)
        return 1;
    pthread_join(thread, NULL);
    for (int i = 0; i < 5; i++) {
        sum += region_work(1000);
        for (int k = 0; k < 3000; k++)
            other += k;
    }
    return printf("%d\n", sum) < 0;
}
