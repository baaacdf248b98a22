/* A disk that fails, for fuzz/faults.py: LD_PRELOAD this library, and calls that change files of one folder fail.

   FAILING_DISK_FOLDER   the folder; files elsewhere are written as usual
   FAILING_DISK_COUNTER  a file of 8 bytes, the number of calls so far by all processes together
   FAILING_DISK_FROM     the first call that fails; without it calls are only counted
   FAILING_DISK_ONCE     if set, this call alone fails, with EIO, be it a write, an fsync or a rename. Otherwise the
                         disk is full from then on: whatever needs space fails with ENOSPC, and the rest works

   Files written through mmap are not seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *folder;
static _Atomic unsigned long *counter;
static unsigned long first_failure = ULONG_MAX;
static int fails_once;

__attribute__((constructor)) static void read_settings(void) {
    const char *from = getenv("FAILING_DISK_FROM"), *file = getenv("FAILING_DISK_COUNTER");
    folder = getenv("FAILING_DISK_FOLDER");
    fails_once = getenv("FAILING_DISK_ONCE") != NULL;
    if (from) first_failure = strtoul(from, NULL, 10);
    if (!folder || !file) return;
    const int descriptor = open(file, O_RDWR);
    void *memory = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory != MAP_FAILED) counter = memory;
    close(descriptor);
}

/* Counts a call that needs space or that only ONCE lets fail; returns whether it fails, with errno set. */
static int fails(int needs_space) {
    if (!needs_space && !fails_once) return 0;
    const unsigned long number = atomic_fetch_add(counter, 1);
    if (fails_once ? number != first_failure : number < first_failure) return 0;
    errno = fails_once ? EIO : ENOSPC;
    return 1;
}

static int is_inside(const char *path) {
    return counter && path && strncmp(path, folder, strlen(folder)) == 0;
}

static int is_open_inside(int descriptor) {
    char link[32], path[PATH_MAX];
    struct stat status;
    if (!counter || fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = '\0';
    return is_inside(path);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int descriptor, const void *data, size_t size) {
    return is_open_inside(descriptor) && fails(1) ? -1 : NEXT(write)(descriptor, data, size);
}
ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset) {
    return is_open_inside(descriptor) && fails(1) ? -1 : NEXT(pwrite)(descriptor, data, size, offset);
}
ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset) {
    return is_open_inside(descriptor) && fails(1) ? -1 : NEXT(pwrite64)(descriptor, data, size, offset);
}
size_t fwrite(const void *data, size_t size, size_t count, FILE *stream) {
    return is_open_inside(fileno(stream)) && fails(1) ? 0 : NEXT(fwrite)(data, size, count, stream);
}
int ftruncate(int descriptor, off_t length) {
    return is_open_inside(descriptor) && fails(1) ? -1 : NEXT(ftruncate)(descriptor, length);
}
int ftruncate64(int descriptor, off64_t length) {
    return is_open_inside(descriptor) && fails(1) ? -1 : NEXT(ftruncate64)(descriptor, length);
}
int fsync(int descriptor) { return is_open_inside(descriptor) && fails(0) ? -1 : NEXT(fsync)(descriptor); }
int fdatasync(int descriptor) { return is_open_inside(descriptor) && fails(0) ? -1 : NEXT(fdatasync)(descriptor); }
int rename(const char *from, const char *to) { return is_inside(to) && fails(0) ? -1 : NEXT(rename)(from, to); }
int mkdir(const char *path, mode_t mode) { return is_inside(path) && fails(1) ? -1 : NEXT(mkdir)(path, mode); }

static int open_creating(__typeof__(&open) next, const char *path, int flags, va_list arguments) {
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    if ((flags & O_CREAT) && is_inside(path) && access(path, F_OK) != 0 && fails(1)) return -1;
    return next(path, flags, mode);
}
int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const int descriptor = open_creating(NEXT(open), path, flags, arguments);
    va_end(arguments);
    return descriptor;
}
int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const int descriptor = open_creating(NEXT(open64), path, flags, arguments);
    va_end(arguments);
    return descriptor;
}
