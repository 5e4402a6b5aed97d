/* Notes each fsync and fdatasync of a program in the file that FLUSHES names, a line each: the function, the path
 * of what was flushed, and the names in its folder at that moment, with tabs between them:
 * cc -shared -fPIC -o flushes.so flushes.c; LD_PRELOAD=./flushes.so FLUSHES=log … */
#define _GNU_SOURCE
#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void note(const char *function, int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    const char *name = getenv("FLUSHES");
    FILE *log = name ? fopen(name, "a") : NULL;
    if (length < 0 || !log) return;
    path[length] = 0;
    fprintf(log, "%s\t%s", function, path);
    struct stat about;
    DIR *folder = opendir(fstat(file, &about) == 0 && S_ISDIR(about.st_mode) ? path : dirname(path));
    for (struct dirent *entry; folder && (entry = readdir(folder));) fprintf(log, "\t%s", entry->d_name);
    if (folder) closedir(folder);
    fputc('\n', log);
    fclose(log);
}

int fsync(int file) {
    int done = syscall(SYS_fsync, file);
    note("fsync", file);
    return done;
}

int fdatasync(int file) {
    int done = syscall(SYS_fdatasync, file);
    note("fdatasync", file);
    return done;
}
