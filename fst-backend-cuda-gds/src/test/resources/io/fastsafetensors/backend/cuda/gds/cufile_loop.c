/*
 * Reads files into device memory by plain cuFile calls: what a program in C gets, to hold fst's direct storage against.
 *
 *   cc -O2 -pthread -o cufile_loop cufile_loop.c -ldl
 *   ./cufile_loop [-t threads] [-b KiB of a block] [-n repeats] [-g device] [-r] [-l] [-p] FILE...
 *
 * -r registers the memory that is read into; -l reads into a block of each thread's own and copies from there on the
 * device, as fst does; -p opens the files without O_DIRECT. Each repeat opens and registers the files, allocates their
 * memory and reads them (timed together), then gives everything back. Needs no headers of CUDA, and at run time
 * libcuda.so.1 and libcufile.so.0 (where LD_LIBRARY_PATH or CUDA's installers put them).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FILES = 1024, MOST_THREADS = 256, MOST_REPEATS = 1000, OPAQUE_FD = 1, PAGE = 4096 };

typedef struct {
    int err, cu_err;
} CUfileError_t;

typedef struct {
    int type;
    union {
        int fd;
        void *handle;
    } handle;
    const void *fs_ops;
} CUfileDescr_t;

struct file {
    const char *path;
    int fd;
    size_t length;
    void *handle;
    uint64_t memory;
};

static struct file files[MOST_FILES];
static int file_count, registers, lands, plain;
static size_t block = 4 << 20;
static long next_block;
static void *context;

static int (*cuInit)(unsigned);
static int (*cuDeviceGet)(int *, int);
static int (*cuDevicePrimaryCtxRetain)(void **, int);
static int (*cuCtxSetCurrent)(void *);
static int (*cuMemAlloc)(uint64_t *, size_t);
static int (*cuMemFree)(uint64_t);
static int (*cuMemcpyDtoD)(uint64_t, uint64_t, size_t);
static int (*cuCtxSynchronize)(void);
static CUfileError_t (*cuFileDriverOpen)(void);
static CUfileError_t (*cuFileHandleRegister)(void **, CUfileDescr_t *);
static void (*cuFileHandleDeregister)(void *);
static CUfileError_t (*cuFileBufRegister)(const void *, size_t, int);
static CUfileError_t (*cuFileBufDeregister)(const void *);
static ssize_t (*cuFileRead)(void *, void *, size_t, off_t, off_t);

static void fail(const char *what, const char *which, long status) {
    fprintf(stderr, "cufile_loop: %s %s: %ld\n", what, which, status);
    exit(1);
}

static void check(const char *call, int status) {
    if (status) {
        fail(call, "failed", status);
    }
}

static void *library(const char *const *names) {
    for (int i = 0; names[i]; i++) {
        void *found = dlopen(names[i], RTLD_NOW);
        if (found) {
            return found;
        }
    }
    fail("no library", names[0], 0);
    return NULL;
}

static void bind(void *library, const char *name, void *function) {
    void *found = dlsym(library, name);
    if (!found) {
        fail("no function", name, 0);
    }
    *(void **) function = found;
}

static void bind_all(void) {
    void *cuda = library((const char *const[]) {"libcuda.so.1", NULL});
    bind(cuda, "cuInit", &cuInit);
    bind(cuda, "cuDeviceGet", &cuDeviceGet);
    bind(cuda, "cuDevicePrimaryCtxRetain", &cuDevicePrimaryCtxRetain);
    bind(cuda, "cuCtxSetCurrent", &cuCtxSetCurrent);
    bind(cuda, "cuMemAlloc_v2", &cuMemAlloc);
    bind(cuda, "cuMemFree_v2", &cuMemFree);
    bind(cuda, "cuMemcpyDtoD_v2", &cuMemcpyDtoD);
    bind(cuda, "cuCtxSynchronize", &cuCtxSynchronize);
    void *cufile = library((const char *const[]) {"libcufile.so.0", "libcufile.so",
        "/usr/local/cuda/targets/x86_64-linux/lib/libcufile.so.0", "/usr/local/cuda/lib64/libcufile.so.0", NULL});
    bind(cufile, "cuFileDriverOpen", &cuFileDriverOpen);
    bind(cufile, "cuFileHandleRegister", &cuFileHandleRegister);
    bind(cufile, "cuFileHandleDeregister", &cuFileHandleDeregister);
    bind(cufile, "cuFileBufRegister", &cuFileBufRegister);
    bind(cufile, "cuFileBufDeregister", &cuFileBufDeregister);
    bind(cufile, "cuFileRead", &cuFileRead);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void open_file(struct file *file) {
    struct stat facts;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | (plain ? 0 : O_DIRECT));
    if (file->fd < 0 || fstat(file->fd, &facts)) {
        fail("cannot open", file->path, errno);
    }
    file->length = facts.st_size;
    CUfileDescr_t descr = {OPAQUE_FD, {file->fd}, NULL};
    check("cuFileHandleRegister", cuFileHandleRegister(&file->handle, &descr).err);
    check("cuMemAlloc", cuMemAlloc(&file->memory, file->length + PAGE));
    if (registers && !lands) {
        check("cuFileBufRegister", cuFileBufRegister((void *) file->memory, file->length, 0).err);
    }
}

static void close_file(struct file *file) {
    if (registers && !lands) {
        check("cuFileBufDeregister", cuFileBufDeregister((void *) file->memory).err);
    }
    cuFileHandleDeregister(file->handle);
    close(file->fd);
    check("cuMemFree", cuMemFree(file->memory));
}

static void read_block(struct file *file, uint64_t base, off_t offset, size_t from, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        ssize_t got = cuFileRead(file->handle, (void *) base, bytes - done, from + done, offset + done);
        if (got <= 0) {
            fail("cuFileRead failed or ended early", file->path, got < 0 && got != -1 ? got : -errno);
        }
        done += got;
    }
}

static void *read_blocks(void *unused) {
    uint64_t landing = 0;
    check("cuCtxSetCurrent", cuCtxSetCurrent(context));
    if (lands) {
        check("cuMemAlloc", cuMemAlloc(&landing, block));
        if (registers) {
            check("cuFileBufRegister", cuFileBufRegister((void *) landing, block, 0).err);
        }
    }
    for (;;) {
        long number = __atomic_fetch_add(&next_block, 1, __ATOMIC_RELAXED);
        int f = 0;
        for (; f < file_count && number >= (long) ((files[f].length + block - 1) / block); f++) {
            number -= (files[f].length + block - 1) / block;
        }
        if (f == file_count) {
            break;
        }
        size_t from = number * block;
        size_t bytes = files[f].length - from < block ? files[f].length - from : block;
        if (lands) {
            read_block(&files[f], landing, 0, from, bytes);
            check("cuMemcpyDtoD", cuMemcpyDtoD(files[f].memory + from, landing, bytes));
        } else {
            read_block(&files[f], files[f].memory, from, from, bytes);
        }
    }
    if (lands) {
        check("cuCtxSynchronize", cuCtxSynchronize());
        if (registers) {
            check("cuFileBufDeregister", cuFileBufDeregister((void *) landing).err);
        }
        check("cuMemFree", cuMemFree(landing));
    }
    return unused;
}

static int ascending(const void *a, const void *b) {
    double difference = *(const double *) a - *(const double *) b;
    return (difference > 0) - (difference < 0);
}

static double repeat(int threads) {
    pthread_t readers[MOST_THREADS];
    double start = now();
    for (int f = 0; f < file_count; f++) {
        open_file(&files[f]);
    }
    next_block = 0;
    for (int t = 0; t < threads; t++) {
        check("pthread_create", pthread_create(&readers[t], NULL, read_blocks, NULL));
    }
    for (int t = 0; t < threads; t++) {
        check("pthread_join", pthread_join(readers[t], NULL));
    }
    double seconds = now() - start;
    for (int f = 0; f < file_count; f++) {
        close_file(&files[f]);
    }
    return seconds;
}

int main(int count, char **arguments) {
    int threads = 16, repeats = 7, ordinal = 0, device, option;
    while ((option = getopt(count, arguments, "t:b:n:g:rlp")) != -1) {
        switch (option) {
        case 't': threads = atoi(optarg); break;
        case 'b': block = strtoul(optarg, NULL, 10) << 10; break;
        case 'n': repeats = atoi(optarg); break;
        case 'g': ordinal = atoi(optarg); break;
        case 'r': registers = 1; break;
        case 'l': lands = 1; break;
        case 'p': plain = 1; break;
        default: return 2;
        }
    }
    for (; optind < count && file_count < MOST_FILES; optind++) {
        files[file_count++].path = arguments[optind];
    }
    if (!file_count || threads < 1 || threads > MOST_THREADS || repeats < 1 || repeats > MOST_REPEATS || !block) {
        fprintf(stderr, "usage: cufile_loop [-t threads] [-b KiB] [-n repeats] [-g device] [-r] [-l] [-p] FILE...\n");
        return 2;
    }
    bind_all();
    check("cuInit", cuInit(0));
    check("cuDeviceGet", cuDeviceGet(&device, ordinal));
    check("cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain(&context, device));
    check("cuCtxSetCurrent", cuCtxSetCurrent(context));
    double start = now();
    check("cuFileDriverOpen", cuFileDriverOpen().err);
    printf("driver opened in %.3f s\n", now() - start);
    double seconds[MOST_REPEATS];
    double bytes = 0;
    for (int i = 0; i < repeats; i++) {
        seconds[i] = repeat(threads);
        bytes = 0;
        for (int f = 0; f < file_count; f++) {
            bytes += files[f].length;
        }
        printf("repeat %d: %.4f s, %.3f GB/s\n", i + 1, seconds[i], bytes / 1e9 / seconds[i]);
    }
    qsort(seconds, repeats, sizeof *seconds, ascending);
    double median = (seconds[(repeats - 1) / 2] + seconds[repeats / 2]) / 2;
    printf("%d files, %.0f bytes, %d threads, blocks of %zu KiB%s%s%s: median %.4f s, %.3f GB/s\n", file_count, bytes,
           threads, block >> 10, registers ? ", registered" : "", lands ? ", copied on the device" : "",
           plain ? ", no O_DIRECT" : "", median, bytes / 1e9 / median);
    return 0;
}
