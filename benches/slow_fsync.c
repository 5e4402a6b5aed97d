/* Makes every fsync and fdatasync of a program take SLOW_FSYNC_MS more, as on a slow disk:
 * cc -shared -fPIC -o slow_fsync.so slow_fsync.c; LD_PRELOAD=./slow_fsync.so SLOW_FSYNC_MS=10 … */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void wait_a_while(void) {
    const char *text = getenv("SLOW_FSYNC_MS");
    long millis = text ? atol(text) : 0;
    struct timespec span = {millis / 1000, millis % 1000 * 1000000};
    nanosleep(&span, NULL);
}

int fsync(int file) {
    wait_a_while();
    return syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    wait_a_while();
    return syscall(SYS_fdatasync, file);
}
