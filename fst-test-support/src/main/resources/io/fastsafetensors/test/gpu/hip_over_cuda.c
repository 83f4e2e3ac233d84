/*
 * libamdhip64.so over the CUDA driver of this machine: the HIP backend's way to a real GPU where there is no AMD one.
 * hiprtc "compiles" whatever it is given to the PTX file that FST_HIP_PTX names. Errors keep their numbers, which the
 * two APIs share where it matters here, and carry CUDA's names where HIP's are not listed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define API EXPORT hipError_t

enum { MOST_DEVICES = 16, SUCCESS = 0, INVALID_VALUE = 1, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
    INVALID_DIRECTION = 21, NOT_READY = 600 };
enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 };

typedef int hipError_t;
typedef void *handle;
typedef uint64_t address;

/* The driver's functions, under the names that cuda.h maps them to. */
#define DRIVER(call) \
    call(cuInit, (unsigned flags)) \
    call(cuDriverGetVersion, (int *version)) \
    call(cuGetErrorName, (int error, const char **name)) \
    call(cuGetErrorString, (int error, const char **text)) \
    call(cuDeviceGetCount, (int *count)) \
    call(cuDeviceGetName, (char *name, int length, int device)) \
    call(cuDeviceTotalMem_v2, (size_t *bytes, int device)) \
    call(cuDeviceGetPCIBusId, (char *text, int length, int device)) \
    call(cuDeviceGetAttribute, (int *value, int attribute, int device)) \
    call(cuDevicePrimaryCtxRetain, (handle *context, int device)) \
    call(cuCtxGetCurrent, (handle *context)) \
    call(cuCtxSetCurrent, (handle context)) \
    call(cuCtxSynchronize, (void)) \
    call(cuMemGetInfo_v2, (size_t *free_bytes, size_t *total_bytes)) \
    call(cuMemAlloc_v2, (address *memory, size_t bytes)) \
    call(cuMemFree_v2, (address memory)) \
    call(cuMemHostAlloc, (void **memory, size_t bytes, unsigned flags)) \
    call(cuMemFreeHost, (void *memory)) \
    call(cuMemHostRegister_v2, (void *memory, size_t bytes, unsigned flags)) \
    call(cuMemHostUnregister, (void *memory)) \
    call(cuMemcpyHtoDAsync_v2, (address target, const void *source, size_t bytes, handle stream)) \
    call(cuMemcpyDtoHAsync_v2, (void *target, address source, size_t bytes, handle stream)) \
    call(cuMemcpyDtoDAsync_v2, (address target, address source, size_t bytes, handle stream)) \
    call(cuStreamCreate, (handle *stream, unsigned flags)) \
    call(cuStreamDestroy_v2, (handle stream)) \
    call(cuStreamQuery, (handle stream)) \
    call(cuStreamSynchronize, (handle stream)) \
    call(cuStreamWaitEvent, (handle stream, handle event, unsigned flags)) \
    call(cuEventCreate, (handle *event, unsigned flags)) \
    call(cuEventDestroy_v2, (handle event)) \
    call(cuEventRecord, (handle event, handle stream)) \
    call(cuEventQuery, (handle event)) \
    call(cuEventSynchronize, (handle event)) \
    call(cuModuleLoadData, (handle *module, const void *image)) \
    call(cuModuleUnload, (handle module)) \
    call(cuModuleGetFunction, (handle *function, handle module, const char *name)) \
    call(cuLaunchKernel, (handle function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, \
                          unsigned block_y, unsigned block_z, unsigned shared, handle stream, void **parameters, \
                          void **extra))

#define DECLARE(name, parameters) static int (*name) parameters;
DRIVER(DECLARE)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int ready = NOT_INITIALIZED;
static int device_count;
/* Retained at first use and kept: HIP has no call that would end them. */
static handle contexts[MOST_DEVICES];
static pthread_mutex_t retaining = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int current;
static _Thread_local int last_error;

static void open_driver(void) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    int missing = !library;
#define FIND(name, parameters) \
    if (!missing) { \
        *(void **) &name = dlsym(library, #name); \
        missing = !name; \
    }
    DRIVER(FIND)
    if (missing) {
        ready = NO_DEVICE;
        return;
    }
    ready = cuInit(0);
    if (!ready) {
        ready = cuDeviceGetCount(&device_count);
    }
    if (!ready && !device_count) {
        ready = NO_DEVICE;
    }
    if (device_count > MOST_DEVICES) {
        device_count = MOST_DEVICES;
    }
}

static int last(int status) {
    if (status && status != NOT_READY) {
        last_error = status;
    }
    return status;
}

/* The driver, and the context of this thread's device. */
static int enter(void) {
    pthread_once(&once, open_driver);
    int status = ready;
    handle context;
    if (status) {
        return status;
    }
    pthread_mutex_lock(&retaining);
    if (!contexts[current]) {
        status = cuDevicePrimaryCtxRetain(&contexts[current], current);
    }
    pthread_mutex_unlock(&retaining);
    if (!status) {
        status = cuCtxGetCurrent(&context);
    }
    if (!status && context != contexts[current]) {
        status = cuCtxSetCurrent(contexts[current]);
    }
    return status;
}

#define ENTER \
    int entered = enter(); \
    if (entered) { \
        return last(entered); \
    }

static const struct { int status; const char *name; } names[] = {
    {SUCCESS, "hipSuccess"}, {INVALID_VALUE, "hipErrorInvalidValue"}, {2, "hipErrorOutOfMemory"},
    {NOT_INITIALIZED, "hipErrorNotInitialized"}, {NO_DEVICE, "hipErrorNoDevice"},
    {INVALID_DEVICE, "hipErrorInvalidDevice"}, {200, "hipErrorInvalidImage"}, {400, "hipErrorInvalidHandle"},
    {500, "hipErrorNotFound"}, {NOT_READY, "hipErrorNotReady"}, {700, "hipErrorIllegalAddress"},
    {712, "hipErrorHostMemoryAlreadyRegistered"}, {713, "hipErrorHostMemoryNotRegistered"},
    {719, "hipErrorLaunchFailure"}, {801, "hipErrorNotSupported"},
};

EXPORT const char *hipGetErrorName(hipError_t error) {
    const char *name = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].status == error) {
            return names[i].name;
        }
    }
    if (cuGetErrorName) {
        cuGetErrorName(error, &name);
    }
    return name ? name : "hipErrorUnknown";
}

EXPORT const char *hipGetErrorString(hipError_t error) {
    const char *text = NULL;
    if (cuGetErrorString) {
        cuGetErrorString(error, &text);
    }
    return text ? text : "unknown error";
}

API hipGetLastError(void) {
    int error = last_error;
    last_error = SUCCESS;
    return error;
}

API hipRuntimeGetVersion(int *version) {
    *version = 70000000;
    return SUCCESS;
}

API hipDriverGetVersion(int *version) {
    pthread_once(&once, open_driver);
    return cuDriverGetVersion ? last(cuDriverGetVersion(version)) : last(NO_DEVICE);
}

API hipGetDeviceCount(int *count) {
    pthread_once(&once, open_driver);
    *count = device_count;
    return last(ready);
}

API hipGetDevice(int *device) {
    pthread_once(&once, open_driver);
    *device = current;
    return last(ready);
}

API hipSetDevice(int device) {
    pthread_once(&once, open_driver);
    if (ready || device < 0 || device >= device_count) {
        return last(ready ? ready : INVALID_DEVICE);
    }
    current = device;
    return SUCCESS;
}

API hipDeviceGetName(char *name, int length, int device) {
    pthread_once(&once, open_driver);
    return last(ready ? ready : cuDeviceGetName(name, length, device));
}

API hipDeviceTotalMem(size_t *bytes, int device) {
    pthread_once(&once, open_driver);
    return last(ready ? ready : cuDeviceTotalMem_v2(bytes, device));
}

API hipDeviceGetPCIBusId(char *text, int length, int device) {
    pthread_once(&once, open_driver);
    return last(ready ? ready : cuDeviceGetPCIBusId(text, length, device));
}

/* hipDeviceProp_t as of HIP 6: the name, the memory, and an architecture such as sm_90 where AMD's stands. */
API hipGetDevicePropertiesR0600(void *structure, int device) {
    enum { SIZE = 1472, NAME_LENGTH = 256, MEMORY_AT = 288, ARCH_AT = 1160 };
    int major = 0, minor = 0;
    size_t bytes = 0;
    char *properties = structure;
    pthread_once(&once, open_driver);
    if (ready) {
        return last(ready);
    }
    memset(properties, 0, SIZE);
    int status = cuDeviceGetName(properties, NAME_LENGTH, device);
    status = status ? status : cuDeviceTotalMem_v2(&bytes, device);
    status = status ? status : cuDeviceGetAttribute(&major, CAPABILITY_MAJOR, device);
    status = status ? status : cuDeviceGetAttribute(&minor, CAPABILITY_MINOR, device);
    memcpy(properties + MEMORY_AT, &bytes, sizeof bytes);
    snprintf(properties + ARCH_AT, NAME_LENGTH, "sm_%d%d", major, minor);
    return last(status);
}

API hipDeviceSynchronize(void) {
    ENTER
    return last(cuCtxSynchronize());
}

API hipMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    ENTER
    return last(cuMemGetInfo_v2(free_bytes, total_bytes));
}

API hipMalloc(address *memory, size_t bytes) {
    ENTER
    *memory = 0;
    return bytes ? last(cuMemAlloc_v2(memory, bytes)) : SUCCESS;
}

API hipFree(address memory) {
    ENTER
    return memory ? last(cuMemFree_v2(memory)) : SUCCESS;
}

API hipHostMalloc(void **memory, size_t bytes, unsigned flags) {
    enum { PORTABLE = 1 };
    ENTER
    *memory = NULL;
    return bytes ? last(cuMemHostAlloc(memory, bytes, flags & PORTABLE)) : SUCCESS;
}

API hipHostFree(void *memory) {
    ENTER
    return memory ? last(cuMemFreeHost(memory)) : SUCCESS;
}

/* Portable is 1 and read-only is 8 for both. */
API hipHostRegister(void *memory, size_t bytes, unsigned flags) {
    ENTER
    return last(cuMemHostRegister_v2(memory, bytes, flags));
}

API hipHostUnregister(void *memory) {
    ENTER
    return last(cuMemHostUnregister(memory));
}

API hipMemcpyAsync(void *target, const void *source, size_t bytes, int kind, handle stream) {
    enum { TO_DEVICE = 1, TO_HOST = 2, WITHIN_DEVICE = 3 };
    ENTER
    switch (kind) {
    case TO_DEVICE:
        return last(cuMemcpyHtoDAsync_v2((address) target, source, bytes, stream));
    case TO_HOST:
        return last(cuMemcpyDtoHAsync_v2(target, (address) source, bytes, stream));
    case WITHIN_DEVICE:
        return last(cuMemcpyDtoDAsync_v2((address) target, (address) source, bytes, stream));
    default:
        return last(INVALID_DIRECTION);
    }
}

API hipStreamCreateWithFlags(handle *stream, unsigned flags) {
    ENTER
    return last(cuStreamCreate(stream, flags));
}

API hipStreamDestroy(handle stream) {
    ENTER
    return last(cuStreamDestroy_v2(stream));
}

API hipStreamQuery(handle stream) {
    ENTER
    return last(cuStreamQuery(stream));
}

API hipStreamSynchronize(handle stream) {
    ENTER
    return last(cuStreamSynchronize(stream));
}

API hipStreamWaitEvent(handle stream, handle event, unsigned flags) {
    ENTER
    return last(cuStreamWaitEvent(stream, event, flags));
}

/* Blocking is 1 and without timing is 2 for both. */
API hipEventCreateWithFlags(handle *event, unsigned flags) {
    ENTER
    return last(cuEventCreate(event, flags));
}

API hipEventDestroy(handle event) {
    ENTER
    return last(cuEventDestroy_v2(event));
}

API hipEventRecord(handle event, handle stream) {
    ENTER
    return last(cuEventRecord(event, stream));
}

API hipEventQuery(handle event) {
    ENTER
    return last(cuEventQuery(event));
}

API hipEventSynchronize(handle event) {
    ENTER
    return last(cuEventSynchronize(event));
}

API hipModuleLoadData(handle *module, const void *image) {
    ENTER
    return last(cuModuleLoadData(module, image));
}

API hipModuleUnload(handle module) {
    ENTER
    return last(cuModuleUnload(module));
}

API hipModuleGetFunction(handle *function, handle module, const char *name) {
    ENTER
    return last(cuModuleGetFunction(function, module, name));
}

API hipModuleLaunchKernel(handle function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                          unsigned block_y, unsigned block_z, unsigned shared, handle stream, void **parameters,
                          void **extra) {
    ENTER
    return last(cuLaunchKernel(function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared, stream, parameters,
                               extra));
}

/* hiprtc. A program is the text of the PTX file. */
enum { RTC_SUCCESS = 0, RTC_OUT_OF_MEMORY = 1, RTC_INVALID_INPUT = 3, RTC_COMPILATION = 6 };

static const char no_ptx[] = "FST_HIP_PTX names no file that can be read\n";

struct program {
    char *ptx;
    size_t length;
};

EXPORT const char *hiprtcGetErrorString(int result) {
    return result == RTC_SUCCESS ? "HIPRTC_SUCCESS"
         : result == RTC_COMPILATION ? "HIPRTC_ERROR_COMPILATION" : "HIPRTC_ERROR_INTERNAL_ERROR";
}

EXPORT int hiprtcVersion(int *major, int *minor) {
    *major = 9;
    *minor = 0;
    return RTC_SUCCESS;
}

EXPORT int hiprtcCreateProgram(struct program **program, const char *source, const char *name, int header_count,
                               const char *const *headers, const char *const *include_names) {
    (void) name;
    (void) headers;
    (void) include_names;
    if (!source || !*source || header_count) {
        return RTC_INVALID_INPUT;
    }
    *program = calloc(1, sizeof **program);
    return *program ? RTC_SUCCESS : RTC_OUT_OF_MEMORY;
}

EXPORT int hiprtcDestroyProgram(struct program **program) {
    free((*program)->ptx);
    free(*program);
    *program = NULL;
    return RTC_SUCCESS;
}

EXPORT int hiprtcCompileProgram(struct program *program, int count, const char *const *options) {
    (void) count;
    (void) options;
    const char *path = getenv("FST_HIP_PTX");
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (!file) {
        return RTC_COMPILATION;
    }
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    program->ptx = calloc(1, (size_t) length + 1);
    size_t got = program->ptx ? fread(program->ptx, 1, (size_t) length, file) : 0;
    fclose(file);
    program->length = got + 1;
    return got == (size_t) length ? RTC_SUCCESS : RTC_COMPILATION;
}

EXPORT int hiprtcGetProgramLogSize(struct program *program, size_t *size) {
    *size = program->ptx ? 1 : sizeof no_ptx;
    return RTC_SUCCESS;
}

EXPORT int hiprtcGetProgramLog(struct program *program, char *log) {
    strcpy(log, program->ptx ? "" : no_ptx);
    return RTC_SUCCESS;
}

EXPORT int hiprtcGetCodeSize(struct program *program, size_t *size) {
    *size = program->length;
    return program->length ? RTC_SUCCESS : RTC_COMPILATION;
}

EXPORT int hiprtcGetCode(struct program *program, char *code) {
    memcpy(code, program->ptx, program->length);
    return RTC_SUCCESS;
}
