// Preloaded into a JVM: a disk that misbehaves. FAULT says how, FAULT_AFTER from which pread on (default 0).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

ssize_t pread(int fd, void *buf, size_t count, off_t offset) {
    static ssize_t (*real)(int, void *, size_t, off_t);
    if (!real) {
        real = (ssize_t (*)(int, void *, size_t, off_t)) dlsym(RTLD_NEXT, "pread");
    }
    const char *fault = getenv("FAULT");
    const char *after = getenv("FAULT_AFTER");
    long call = atomic_fetch_add(&calls, 1);
    if (!fault || call < (after ? atol(after) : 0)) {
        return real(fd, buf, count, offset);
    }
    if (!strcmp(fault, "short")) {
        int direct = fcntl(fd, F_GETFL) & O_DIRECT;
        size_t some = count / 3 + (size_t) call * 512 % 4096;
        some = direct ? some / 512 * 512 : some | 1;
        return real(fd, buf, some == 0 || some > count ? count : some, offset);
    }
    if (!strcmp(fault, "eintr")) {
        if (call % 3) {
            errno = EINTR;
            return -1;
        }
        return real(fd, buf, count, offset);
    }
    if (!strcmp(fault, "truncate")) {
        const char *path = getenv("FAULT_FILE");
        if (truncate(path, atol(getenv("FAULT_LENGTH")))) {
            abort();
        }
        return real(fd, buf, count, offset);
    }
    errno = !strcmp(fault, "eio") ? EIO : !strcmp(fault, "enomem") ? ENOMEM : ENOSYS;
    return -1;
}
