// Preloaded into a JVM: one call on one file of a directory fails, as the program arms it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MOST_FILES 65536

enum { OPEN, CLOSE, PREAD, PREADV2, READ, LSEEK, FSTATFS, PWRITE, FSYNC, FTRUNCATE, CALLS };

static char directory[4096];
static atomic_int watched[MOST_FILES];
static atomic_long counts[CALLS];
static atomic_int failing = -1;
static atomic_long failing_at;
static atomic_int failing_errno;

// From now on calls on files below a directory count, and the nth of a kind fails; kind -1 for none.
void fst_arm(const char *dir, int kind, long nth, int error) {
    strncpy(directory, dir, sizeof directory - 1);
    for (int i = 0; i < CALLS; i++) {
        atomic_store(&counts[i], 0);
    }
    atomic_store(&failing_errno, error);
    atomic_store(&failing_at, nth);
    atomic_store(&failing, kind);
}

long fst_count(int kind) {
    return atomic_load(&counts[kind]);
}

static int fails(int kind) {
    long call = atomic_fetch_add(&counts[kind], 1) + 1;
    if (atomic_load(&failing) == kind && call == atomic_load(&failing_at)) {
        errno = atomic_load(&failing_errno);
        return 1;
    }
    return 0;
}

static int is_watched(int fd) {
    return fd >= 0 && fd < MOST_FILES && atomic_load(&watched[fd]);
}

static int watches(const char *path) {
    return directory[0] && path && !strncmp(path, directory, strlen(directory));
}

static int opened(int fd, int watch) {
    if (fd >= 0 && fd < MOST_FILES) {
        atomic_store(&watched[fd], watch);
    }
    return fd;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) { \
        real = (type (*)(__VA_ARGS__)) dlsym(RTLD_NEXT, name); \
    }

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, #name, const char *, int, ...) \
        va_list list; \
        va_start(list, flags); \
        int mode = va_arg(list, int); \
        va_end(list); \
        int watch = watches(path); \
        return watch && fails(OPEN) ? -1 : opened(real(path, flags, mode), watch); \
    }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name) \
    int name(int at, const char *path, int flags, ...) { \
        REAL(int, #name, int, const char *, int, ...) \
        va_list list; \
        va_start(list, flags); \
        int mode = va_arg(list, int); \
        va_end(list); \
        int watch = watches(path); \
        return watch && fails(OPEN) ? -1 : opened(real(at, path, flags, mode), watch); \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

// A close that fails has closed, as on Linux.
int close(int fd) {
    REAL(int, "close", int)
    int watch = is_watched(fd);
    if (watch) {
        atomic_store(&watched[fd], 0);
    }
    int result = real(fd);
    return watch && fails(CLOSE) ? -1 : result;
}

#define PREADS(name) \
    ssize_t name(int fd, void *buf, size_t count, off_t offset) { \
        REAL(ssize_t, #name, int, void *, size_t, off_t) \
        return is_watched(fd) && fails(PREAD) ? -1 : real(fd, buf, count, offset); \
    }
PREADS(pread)
PREADS(pread64)

ssize_t preadv2(int fd, const struct iovec *vec, int count, off_t offset, int flags) {
    REAL(ssize_t, "preadv2", int, const struct iovec *, int, off_t, int)
    return is_watched(fd) && fails(PREADV2) ? -1 : real(fd, vec, count, offset, flags);
}

ssize_t read(int fd, void *buf, size_t count) {
    REAL(ssize_t, "read", int, void *, size_t)
    return is_watched(fd) && fails(READ) ? -1 : real(fd, buf, count);
}

#define LSEEKS(name) \
    off_t name(int fd, off_t offset, int whence) { \
        REAL(off_t, #name, int, off_t, int) \
        return is_watched(fd) && fails(LSEEK) ? -1 : real(fd, offset, whence); \
    }
LSEEKS(lseek)
LSEEKS(lseek64)

int fstatfs(int fd, struct statfs *buf) {
    REAL(int, "fstatfs", int, struct statfs *)
    return is_watched(fd) && fails(FSTATFS) ? -1 : real(fd, buf);
}

#define PWRITES(name) \
    ssize_t name(int fd, const void *buf, size_t count, off_t offset) { \
        REAL(ssize_t, #name, int, const void *, size_t, off_t) \
        return is_watched(fd) && fails(PWRITE) ? -1 : real(fd, buf, count, offset); \
    }
PWRITES(pwrite)
PWRITES(pwrite64)

int fsync(int fd) {
    REAL(int, "fsync", int)
    return is_watched(fd) && fails(FSYNC) ? -1 : real(fd);
}

#define FTRUNCATES(name) \
    int name(int fd, off_t length) { \
        REAL(int, #name, int, off_t) \
        return is_watched(fd) && fails(FTRUNCATE) ? -1 : real(fd, length); \
    }
FTRUNCATES(ftruncate)
FTRUNCATES(ftruncate64)
