// What a process that brings argv[1] bytes into a CUDA device's memory cannot do without: the driver and the primary context,
// device memory, 144 MiB of page-locked memory on huge pages, and the copies, 6 MiB each. A load's process reads files besides.
// Prints milliseconds. The driver is opened at run time: gcc -O2 process_floor.c -o process_floor -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LOCKED (144L << 20)
#define BLOCK (6L << 20)

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void *driver;

static void *function(const char *name)
{
    void *found = driver ? dlsym(driver, name) : NULL;
    if (!found) {
        fprintf(stderr, "no %s: %s\n", name, dlerror());
        exit(1);
    }
    return found;
}

static void check(const char *what, int status)
{
    if (status) {
        fprintf(stderr, "%s failed with %d\n", what, status);
        exit(1);
    }
}

int main(int count, char **arguments)
{
    if (count < 2) {
        fprintf(stderr, "usage: %s BYTES\n", arguments[0]);
        return 2;
    }
    long bytes = atol(arguments[1]);
    double begin = now();
    driver = dlopen("libcuda.so.1", RTLD_NOW);
    int (*init)(unsigned) = function("cuInit");
    int (*retain)(void **, int) = function("cuDevicePrimaryCtxRetain");
    int (*current)(void *) = function("cuCtxSetCurrent");
    int (*allocate)(unsigned long long *, size_t) = function("cuMemAlloc_v2");
    int (*lock)(void *, size_t, unsigned) = function("cuMemHostRegister_v2");
    int (*copy)(unsigned long long, const void *, size_t, void *) = function("cuMemcpyHtoDAsync_v2");
    int (*synchronize)(void) = function("cuCtxSynchronize");
    void *context;
    unsigned long long target;
    check("cuInit", init(0));
    check("cuDevicePrimaryCtxRetain", retain(&context, 0));
    check("cuCtxSetCurrent", current(context));
    double ready = now();
    check("cuMemAlloc", allocate(&target, bytes));
    char *source = mmap(NULL, LOCKED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check("mmap", source == MAP_FAILED);
    madvise(source, LOCKED, MADV_HUGEPAGE);
    memset(source, 1, LOCKED);
    check("cuMemHostRegister", lock(source, LOCKED, 0));
    double locked = now();
    for (long at = 0; at < bytes; at += BLOCK) {
        long size = bytes - at < BLOCK ? bytes - at : BLOCK;
        check("cuMemcpyHtoDAsync", copy(target + at, source + at % LOCKED, size, NULL));
    }
    check("cuCtxSynchronize", synchronize());
    double end = now();
    printf("driver and context %.0f ms, memory %.0f ms, copies %.0f ms, all %.0f ms\n", ready - begin, locked - ready,
           end - locked, end - begin);
    return 0;
}
