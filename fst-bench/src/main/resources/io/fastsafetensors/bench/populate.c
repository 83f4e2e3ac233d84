// Maps argv[1], brings all its pages into memory, reads every byte once: what a load by mapping is compared with.
// argv[2] is how many MiB one call populates, 0 for all; argv[3] how many threads share the calls.
// Prints seconds for the mapping with its pages, from before open(2), and seconds for the reading.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

static char *base;
static size_t length, step;
static atomic_size_t next;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void *populate(void *unused) {
    for (size_t at = atomic_fetch_add(&next, step); at < length; at = atomic_fetch_add(&next, step)) {
        if (madvise(base + at, step < length - at ? step : length - at, MADV_POPULATE_READ) != 0) {
            perror("madvise");
            exit(1);
        }
    }
    return unused;
}

int main(int argc, char **argv) {
    pthread_t threads[64];
    struct stat status;
    if (argc != 4 || atoi(argv[3]) > 64) {
        return 1;
    }
    double start = seconds();
    int fd = open(argv[1], O_RDONLY);
    if (fd < 0 || fstat(fd, &status) != 0) {
        perror("open");
        return 1;
    }
    length = status.st_size;
    step = atoi(argv[2]) == 0 ? length : (size_t) atoi(argv[2]) << 20;
    base = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    int others = atoi(argv[3]) - 1;
    for (int i = 0; i < others; i++) {
        pthread_create(&threads[i], NULL, populate, NULL);
    }
    populate(NULL);
    for (int i = 0; i < others; i++) {
        pthread_join(threads[i], NULL);
    }
    double mapped = seconds();
    uint64_t sum = 0;
    for (size_t i = 0; i < length / 8; i++) {
        sum += ((uint64_t *) base)[i];
    }
    printf("seconds_load\t%.6f\nseconds_read\t%.6f\nsum\t%llu\n", mapped - start, seconds() - mapped,
           (unsigned long long) sum);
    return 0;
}
