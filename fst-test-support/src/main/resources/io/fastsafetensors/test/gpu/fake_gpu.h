/*
 * A GPU made of host memory and threads, for tests: what a driver's face (CUDA, HIP) is a thin layer over.
 *
 * Device addresses are not dereferenceable by the host (a reserved range without access stands behind each), streams
 * are threads that work in order, and the status codes are those that CUDA and HIP have in common.
 */
#ifndef FST_FAKE_GPU_H
#define FST_FAKE_GPU_H

#include <stddef.h>
#include <stdint.h>

#define FG_EXPORT __attribute__((visibility("default")))

enum {
    FG_SUCCESS = 0,
    FG_INVALID_VALUE = 1,
    FG_OUT_OF_MEMORY = 2,
    FG_NOT_INITIALIZED = 3,
    FG_NO_DEVICE = 100,
    FG_INVALID_DEVICE = 101,
    FG_INVALID_IMAGE = 200,
    FG_INVALID_CONTEXT = 201,
    FG_INVALID_HANDLE = 400,
    FG_NOT_FOUND = 500,
    FG_NOT_READY = 600,
    FG_ILLEGAL_ADDRESS = 700,
    FG_CONTEXT_DESTROYED = 709,
    FG_ALREADY_REGISTERED = 712,
    FG_NOT_REGISTERED = 713,
    FG_NOT_SUPPORTED = 801
};

/* What an address must belong to. */
enum fg_space { FG_ANYWHERE, FG_DEVICE_MEMORY, FG_HOST_MEMORY };

/* What tests count; fake_gpu_count has their names. */
enum fg_counter { FG_ALLOCATIONS, FG_PINNED, FG_REGISTRATIONS, FG_STREAMS, FG_EVENTS, FG_CONTEXTS, FG_MODULES,
    FG_PROGRAMS, FG_COMMUNICATORS, FG_PAGEABLE_COPIES, FG_LAUNCHES, FG_COMPILATIONS, FG_COUNTERS };

struct fg_stream;
struct fg_event;
struct fg_module;
struct fg_function;

/*
 * Every function of a face starts with this: counts the call, and returns the status that it should fail with, or 0.
 * A function that releases something does so nevertheless, as drivers do when they report an earlier error there.
 */
FG_EXPORT int fg_enter(const char *function);
FG_EXPORT void fg_counted(enum fg_counter counter, int change);
/* Writes "0000:0N:00.0". */
void fg_pci_bus_id(int device, char *text, size_t length);
void fg_device_name(int device, char *text, size_t length);
int fg_device_count(void);
/* A device attribute set through fake_gpu_attribute, or the given value. */
int fg_attribute(int attribute, int otherwise);

void fg_memory(int device, size_t *free_bytes, size_t *total_bytes);
int fg_allocate(int device, size_t bytes, uint64_t *address);
int fg_free(uint64_t address);
int fg_allocate_pinned(size_t bytes, void **memory);
int fg_free_pinned(void *memory);
int fg_register(void *memory, size_t bytes, int read_only);
int fg_unregister(void *memory);
/* Which allocation an address lies in; any out parameter may be NULL. FG_INVALID_VALUE if in none. */
int fg_describe(uint64_t address, enum fg_space *space, int *device, uint64_t *base, size_t *bytes);

/* A NULL stream is the device's default one, with which streams that are not non-blocking keep in step. */
int fg_stream_create(int device, void *owner, int non_blocking, struct fg_stream **stream);
int fg_stream_destroy(struct fg_stream *stream);
int fg_stream_query(int device, struct fg_stream *stream);
int fg_stream_synchronize(int device, struct fg_stream *stream);
/* Whether the handle is a live stream of this device and owner. */
int fg_stream_check(int device, void *owner, struct fg_stream *stream);
int fg_stream_device(struct fg_stream *stream, int otherwise);
int fg_device_synchronize(int device);

/* Asynchronous copies of host memory that is not page-locked are done before the call returns, as drivers do. */
int fg_copy(int device, struct fg_stream *stream, uint64_t target, enum fg_space target_space, uint64_t source,
            enum fg_space source_space, size_t bytes, int asynchronous);
int fg_fill(int device, struct fg_stream *stream, uint64_t target, int value, size_t bytes, int asynchronous);
FG_EXPORT int fg_host_function(int device, struct fg_stream *stream, void (*function)(void *), void *data);

int fg_event_create(int device, struct fg_event **event);
int fg_event_destroy(struct fg_event *event);
int fg_event_record(int device, struct fg_stream *stream, struct fg_event *event);
int fg_event_query(struct fg_event *event);
int fg_event_synchronize(struct fg_event *event);
int fg_stream_wait(int device, struct fg_stream *stream, struct fg_event *event);

/* Any image that is not empty is accepted: the functions are those that were compiled into this library. What fails
 * to compile for real is found where the real compiler is. */
int fg_module_load(const void *image, struct fg_module **module);
int fg_module_unload(struct fg_module *module);
int fg_module_function(struct fg_module *module, const char *name, struct fg_function **function);
int fg_launch(int device, struct fg_stream *stream, struct fg_function *function, uint32_t groups,
              uint32_t group_size, void **parameters, void **extra);

/* fake_kernels.c: the shared kernels as C functions. */
typedef void fg_kernel(const void *source, uint64_t source_offset, void *target, uint64_t target_offset,
                       const void *launch, uint32_t groups, uint32_t group_size);
fg_kernel *fg_kernel_named(const char *name);
size_t fg_kernel_launch_size(void);

/*
 * For tests; the names are those of the API without a version suffix ("cuMemAlloc"), "*" is any function, "@copy" and
 * "@kernel" are the work of a stream, whose failure stays until fake_gpu_reset.
 */
/* The nth call from now of the function fails with this status. */
FG_EXPORT int fake_gpu_fail(const char *function, long nth, int status);
/* Forgets failures that were asked for, sticky errors, delays, attributes and the counts of calls. */
FG_EXPORT void fake_gpu_reset(void);
/* How often the function was called. */
FG_EXPORT long fake_gpu_calls(const char *function);
/* How many there are now: allocations, allocatedBytes, pinned, pinnedBytes, registrations, streams, events, contexts,
 * modules, programs, communicators, all (of those); or were so far: pageableCopies, launches, compilations. -1: no such count. */
FG_EXPORT long fake_gpu_count(const char *what);
/* Each copy and kernel takes this much longer. */
FG_EXPORT void fake_gpu_delay(long microseconds);
/* Streams stop before their next copy or kernel (1), or go on (0). */
FG_EXPORT void fake_gpu_hold(int held);
/* Memory of each device, in bytes; what is allocated stays. */
FG_EXPORT void fake_gpu_memory(long bytes);
/* A device attribute that is asked for has this value. */
FG_EXPORT void fake_gpu_attribute(int attribute, int value);

#endif
