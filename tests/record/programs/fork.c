/* Forks; both sides write to memory of before. Prints the pages that the child wrote; ends with 5. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 64, CHILD = 24 };

int main(void)
{
    volatile char *own = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile char *both = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    if (own == MAP_FAILED || both == MAP_FAILED)
        return 1;
    for (int i = 0; i < PAGES; i++)
        own[i * PAGE] = 1;
    both[0] = 1;
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < CHILD; i++)
            own[i * PAGE] = 2;
        both[0] = 2;
        _exit(own[CHILD * PAGE]);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 1 || both[0] != 2 || own[0] != 1)
        return 2;
    for (int i = 0; i < PAGES; i++)
        own[i * PAGE] = 3;
    printf("%d\n", CHILD);
    return 5;
}
