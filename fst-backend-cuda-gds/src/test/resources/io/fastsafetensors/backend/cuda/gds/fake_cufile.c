/*
 * libcufile.so.0 for tests: compatibility mode over whatever CUDA driver this process has, as NVIDIA's library is
 * without nvidia-fs, but stricter. Reads give less than asked for, want a current context and ranges that are
 * allocated, and what is registered is checked and counted. Types and numbers are those of cufile.h, CUDA 13.0.
 *
 * The environment variable FAKE_CUFILE_UNSERVED names a folder whose files are refused with status 5027.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define API __attribute__((visibility("default")))

enum {
    SUCCESS = 0,
    DRIVER_NOT_INITIALIZED = 5001,
    CUDA_DRIVER_ERROR = 5011,
    INVALID_MAPPING_RANGE = 5017,
    INVALID_FILE_TYPE = 5018,
    INVALID_VALUE = 5022,
    MEMORY_ALREADY_REGISTERED = 5023,
    MEMORY_NOT_REGISTERED = 5024,
    DRIVER_ALREADY_OPEN = 5026,
    HANDLE_NOT_REGISTERED = 5027,
    NVFS_SETUP_ERROR = 5033,
    OPAQUE_FD = 1,
    HANDLE = 0xF11E,
    MOST_BUFFERS = 4096,
    LONGEST_READ = (1 << 20) - 4096,
};

typedef struct {
    int err;
    int cu_err;
} CUfileError_t;

typedef struct {
    int type;
    union {
        int fd;
        void *handle;
    } handle;
    const void *fs_ops;
} CUfileDescr_t;

typedef struct {
    struct {
        unsigned major_version, minor_version;
        size_t poll_thresh_size, max_direct_io_size;
        unsigned dstatusflags, dcontrolflags;
    } nvfs;
    unsigned fflags, max_device_cache_size, per_buffer_cache_size, max_device_pinned_mem_size;
    unsigned max_batch_io_size, max_batch_io_timeout_msecs;
} CUfileDrvProps_t;

struct handle {
    int magic;
    int fd;
};

struct buffer {
    uint64_t base;
    size_t length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct buffer buffers[MOST_BUFFERS];
static long handle_count, buffer_count, driver_opens, reads, read_bytes, misuses;
static int (*copy_to_device)(uint64_t, const void *, size_t);
static long failing;
static int (*address_range)(uint64_t *, size_t *, uint64_t);

static CUfileError_t error(int err, int cu_err) {
    return (CUfileError_t) {err, cu_err};
}

static void count(long *counter, long change) {
    __atomic_add_fetch(counter, change, __ATOMIC_SEQ_CST);
}

/* For tests: handles, buffers (open now); driverOpens, reads, readBytes, misuses (so far); -1: no such count. */
API long fake_cufile_count(const char *what) {
    const struct { const char *name; long *value; } counts[] = {{"handles", &handle_count}, {"buffers", &buffer_count},
        {"driverOpens", &driver_opens}, {"reads", &reads}, {"readBytes", &read_bytes}, {"misuses", &misuses}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (!strcmp(counts[i].name, what)) {
            return __atomic_load_n(counts[i].value, __ATOMIC_SEQ_CST);
        }
    }
    return -1;
}

/* For tests: whether reads fail from now on, as they do when a drive is lost. */
API void fake_cufile_fail(long now) {
    __atomic_store_n(&failing, now, __ATOMIC_SEQ_CST);
}

API CUfileError_t cuFileGetVersion(int *version) {
    *version = 1150;
    return error(SUCCESS, 0);
}

API CUfileError_t cuFileDriverOpen(void) {
    void *cuda = dlopen("libcuda.so.1", RTLD_NOW);
    if (!cuda) {
        return error(NVFS_SETUP_ERROR, 0);
    }
    copy_to_device = (int (*)(uint64_t, const void *, size_t)) dlsym(cuda, "cuMemcpyHtoD_v2");
    address_range = (int (*)(uint64_t *, size_t *, uint64_t)) dlsym(cuda, "cuMemGetAddressRange_v2");
    count(&driver_opens, 1);
    return error(driver_opens > 1 ? DRIVER_ALREADY_OPEN : SUCCESS, 0);
}

API CUfileError_t cuFileDriverGetProperties(CUfileDrvProps_t *props) {
    if (!copy_to_device) {
        return error(DRIVER_NOT_INITIALIZED, 0);
    }
    /* Values that differ, so that a reader of the wrong member is found out. */
    *props = (CUfileDrvProps_t) {{0, 0, 4, 16384, 0, 2}, 6, 131072, 1024, 33554432, 128, 5};
    return error(SUCCESS, 0);
}

static int is_unserved(const char *path) {
    const char *folder = getenv("FAKE_CUFILE_UNSERVED");
    return folder && *folder && !strncmp(path, folder, strlen(folder));
}

API CUfileError_t cuFileHandleRegister(void **fh, CUfileDescr_t *descr) {
    struct stat facts;
    char link[64], path[4096];
    if (!copy_to_device) {
        return error(DRIVER_NOT_INITIALIZED, 0);
    }
    if (descr->type != OPAQUE_FD || descr->fs_ops || fstat(descr->handle.fd, &facts)) {
        return error(INVALID_VALUE, 0);
    }
    if (!S_ISREG(facts.st_mode)) {
        return error(INVALID_FILE_TYPE, 0);
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", descr->handle.fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    if (is_unserved(path)) {
        return error(HANDLE_NOT_REGISTERED, 0);
    }
    /* A descriptor of its own: reads here are not aligned. What the caller cannot read cannot be read here. */
    struct handle *handle = malloc(sizeof *handle);
    int blind = (fcntl(descr->handle.fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
    *handle = (struct handle) {HANDLE, blind ? -1 : open(link, O_RDONLY | O_CLOEXEC)};
    count(&handle_count, 1);
    *fh = handle;
    return error(SUCCESS, 0);
}

API void cuFileHandleDeregister(void *fh) {
    struct handle *handle = fh;
    if (handle->magic != HANDLE) {
        count(&misuses, 1);
        return;
    }
    handle->magic = 0;
    close(handle->fd);
    free(handle);
    count(&handle_count, -1);
}

/* Only whole allocations of a current context's device; the same one once. */
API CUfileError_t cuFileBufRegister(const void *base, size_t length, int flags) {
    uint64_t start;
    size_t bytes;
    int status = address_range(&start, &bytes, (uint64_t) base);
    if (status) {
        return error(CUDA_DRIVER_ERROR, status);
    }
    if (flags || (uint64_t) base + length > start + bytes) {
        return error(INVALID_VALUE, 0);
    }
    int result = INVALID_VALUE;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MOST_BUFFERS; i++) {
        if (buffers[i].length && buffers[i].base == (uint64_t) base) {
            result = MEMORY_ALREADY_REGISTERED;
            break;
        }
        if (!buffers[i].length && result != SUCCESS) {
            buffers[i] = (struct buffer) {(uint64_t) base, length};
            result = SUCCESS;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    count(&buffer_count, result == SUCCESS);
    return error(result, 0);
}

API CUfileError_t cuFileBufDeregister(const void *base) {
    uint64_t start;
    size_t bytes;
    /* Memory that is freed already, or no context. */
    if (address_range(&start, &bytes, (uint64_t) base)) {
        count(&misuses, 1);
    }
    int result = MEMORY_NOT_REGISTERED;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MOST_BUFFERS && result != SUCCESS; i++) {
        if (buffers[i].length && buffers[i].base == (uint64_t) base) {
            buffers[i].length = 0;
            result = SUCCESS;
        }
    }
    pthread_mutex_unlock(&lock);
    count(&buffer_count, result == SUCCESS ? -1 : 0);
    return error(result, 0);
}

static int exceeds_registration(uint64_t base, size_t end) {
    int exceeds = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MOST_BUFFERS; i++) {
        exceeds |= buffers[i].length && buffers[i].base == base && end > buffers[i].length;
    }
    pthread_mutex_unlock(&lock);
    return exceeds;
}

API ssize_t cuFileRead(void *fh, void *base, size_t size, off_t file_offset, off_t offset) {
    struct handle *handle = fh;
    if (handle->magic != HANDLE) {
        count(&misuses, 1);
        return -INVALID_VALUE;
    }
    if (exceeds_registration((uint64_t) base, (size_t) offset + size)) {
        count(&misuses, 1);
        return -INVALID_MAPPING_RANGE;
    }
    if (__atomic_load_n(&failing, __ATOMIC_SEQ_CST)) {
        errno = EIO;
        return -1;
    }
    size_t wanted = size < LONGEST_READ ? size : LONGEST_READ;
    void *host = malloc(wanted ? wanted : 1);
    ssize_t got = pread(handle->fd, host, wanted, file_offset);
    int read_errno = errno;
    int status = got > 0 ? copy_to_device((uint64_t) base + offset, host, got) : 0;
    free(host);
    errno = read_errno;
    count(&reads, 1);
    count(&read_bytes, got > 0 ? got : 0);
    return status ? -CUDA_DRIVER_ERROR : got;
}
