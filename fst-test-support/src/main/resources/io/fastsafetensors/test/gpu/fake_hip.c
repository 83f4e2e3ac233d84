/*
 * libamdhip64.so over the fake GPU: the functions of the HIP runtime that a loader calls. FAKE_HIP_MAJOR says of which
 * major version: before 6, hipGetDeviceProperties has the old structure and hiprtc lives in this library; from 6 on,
 * hipGetDevicePropertiesR0600 has the new structure, and the old name still means the old one.
 */
#include "fake_gpu.h"
#include "fake_hip_code.h"

#include <string.h>

enum { NO_BINARY_FOR_GPU = 209, NAME_LENGTH = 256 };

typedef int hipError_t;
typedef struct fg_stream *hipStream_t;
typedef struct fg_event *hipEvent_t;
typedef struct fg_module *hipModule_t;
typedef struct fg_function *hipFunction_t;

static _Thread_local int device;
static _Thread_local int last_error;

static const struct { int status; const char *name, *text; } errors[] = {
    {FG_SUCCESS, "hipSuccess", "no error"},
    {FG_INVALID_VALUE, "hipErrorInvalidValue", "invalid argument"},
    {FG_OUT_OF_MEMORY, "hipErrorOutOfMemory", "out of memory"},
    {FG_NOT_INITIALIZED, "hipErrorNotInitialized", "initialization error"},
    {FG_NO_DEVICE, "hipErrorNoDevice", "no ROCm-capable device is detected"},
    {FG_INVALID_DEVICE, "hipErrorInvalidDevice", "invalid device ordinal"},
    {FG_INVALID_IMAGE, "hipErrorInvalidImage", "device kernel image is invalid"},
    {NO_BINARY_FOR_GPU, "hipErrorNoBinaryForGpu", "no kernel image is available for execution on the device"},
    {FG_INVALID_HANDLE, "hipErrorInvalidHandle", "invalid resource handle"},
    {FG_NOT_FOUND, "hipErrorNotFound", "named symbol not found"},
    {FG_NOT_READY, "hipErrorNotReady", "device not ready"},
    {FG_ILLEGAL_ADDRESS, "hipErrorIllegalAddress", "an illegal memory access was encountered"},
    {FG_ALREADY_REGISTERED, "hipErrorHostMemoryAlreadyRegistered",
        "part or all of the requested memory range is already mapped"},
    {FG_NOT_REGISTERED, "hipErrorHostMemoryNotRegistered",
        "pointer does not correspond to a registered memory region"},
    {719, "hipErrorLaunchFailure", "unspecified launch failure"},
    {FG_NOT_SUPPORTED, "hipErrorNotSupported", "operation not supported"},
    {999, "hipErrorUnknown", "unknown error"},
};

#define API FG_EXPORT hipError_t

/* Without a device every call that needs one fails. */
#define ENTER(name) \
    int injected = fg_enter(name); \
    if (injected || !fg_device_count()) { \
        return last(injected ? injected : FG_NO_DEVICE); \
    }

static int last(int status) {
    if (status && status != FG_NOT_READY) {
        last_error = status;
    }
    return status;
}

static int is_device(int number) {
    return number >= 0 && number < fg_device_count();
}

FG_EXPORT const char *hipGetErrorName(hipError_t error) {
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (errors[i].status == error) {
            return errors[i].name;
        }
    }
    return "hipErrorUnknown";
}

FG_EXPORT const char *hipGetErrorString(hipError_t error) {
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (errors[i].status == error) {
            return errors[i].text;
        }
    }
    return "unknown error";
}

API hipGetLastError(void) {
    int error = last_error;
    last_error = FG_SUCCESS;
    return error;
}

API hipRuntimeGetVersion(int *version) {
    int injected = fg_enter("hipRuntimeGetVersion");
    *version = FAKE_HIP_MAJOR * 10000000 + 200000;
    return last(injected);
}

API hipDriverGetVersion(int *version) {
    int injected = fg_enter("hipDriverGetVersion");
    *version = FAKE_HIP_MAJOR * 10000000 + 200000;
    return last(injected);
}

API hipGetDeviceCount(int *count) {
    *count = fg_device_count();
    ENTER("hipGetDeviceCount")
    return FG_SUCCESS;
}

API hipGetDevice(int *number) {
    ENTER("hipGetDevice")
    *number = device;
    return FG_SUCCESS;
}

API hipSetDevice(int number) {
    ENTER("hipSetDevice")
    if (!is_device(number)) {
        return last(FG_INVALID_DEVICE);
    }
    device = number;
    return FG_SUCCESS;
}

API hipDeviceGetName(char *name, int length, int number) {
    ENTER("hipDeviceGetName")
    if (!is_device(number)) {
        return last(FG_INVALID_DEVICE);
    }
    fg_device_name(number, name, (size_t) length);
    return FG_SUCCESS;
}

API hipDeviceTotalMem(size_t *bytes, int number) {
    ENTER("hipDeviceTotalMem")
    size_t ignored;
    if (!is_device(number)) {
        return last(FG_INVALID_DEVICE);
    }
    fg_memory(number, &ignored, bytes);
    return FG_SUCCESS;
}

API hipDeviceGetPCIBusId(char *text, int length, int number) {
    ENTER("hipDeviceGetPCIBusId")
    if (!is_device(number)) {
        return last(FG_INVALID_DEVICE);
    }
    fg_pci_bus_id(number, text, (size_t) length);
    return FG_SUCCESS;
}

/* hipDeviceProp_t of either layout, as far as anybody here looks at it. */
static int properties(const char *function, char *structure, size_t size, size_t memory_at, size_t arch_at,
                      int number) {
    ENTER(function)
    if (!is_device(number)) {
        return last(FG_INVALID_DEVICE);
    }
    size_t free_bytes, total_bytes;
    fg_memory(number, &free_bytes, &total_bytes);
    memset(structure, 0x5A, size);
    fg_device_name(number, structure, NAME_LENGTH);
    memcpy(structure + memory_at, &total_bytes, sizeof total_bytes);
    strcpy(structure + arch_at, FAKE_HIP_ARCH);
    return FG_SUCCESS;
}

API hipGetDeviceProperties(void *structure, int number) {
    return properties("hipGetDeviceProperties", structure, 792, 256, 396, number);
}

#if FAKE_HIP_MAJOR >= 6
API hipGetDevicePropertiesR0600(void *structure, int number) {
    return properties("hipGetDevicePropertiesR0600", structure, 1472, 288, 1160, number);
}
#endif

API hipDeviceSynchronize(void) {
    ENTER("hipDeviceSynchronize")
    return last(fg_device_synchronize(device));
}

API hipMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    ENTER("hipMemGetInfo")
    fg_memory(device, free_bytes, total_bytes);
    return FG_SUCCESS;
}

API hipMalloc(uint64_t *address, size_t bytes) {
    ENTER("hipMalloc")
    *address = 0;
    return bytes ? last(fg_allocate(device, bytes, address)) : FG_SUCCESS;
}

API hipFree(uint64_t address) {
    int injected = fg_enter("hipFree");
    int status = address ? fg_free(address) : FG_SUCCESS;
    return last(injected ? injected : status);
}

API hipHostMalloc(void **memory, size_t bytes, unsigned flags) {
    ENTER("hipHostMalloc")
    (void) flags;
    *memory = NULL;
    return bytes ? last(fg_allocate_pinned(bytes, memory)) : FG_SUCCESS;
}

API hipHostFree(void *memory) {
    int injected = fg_enter("hipHostFree");
    int status = memory ? fg_free_pinned(memory) : FG_SUCCESS;
    return last(injected ? injected : status);
}

API hipHostRegister(void *memory, size_t bytes, unsigned flags) {
    enum { READ_ONLY = 8 };
    ENTER("hipHostRegister")
    return last(fg_register(memory, bytes, (flags & READ_ONLY) != 0));
}

API hipHostUnregister(void *memory) {
    int injected = fg_enter("hipHostUnregister");
    int status = fg_unregister(memory);
    return last(injected ? injected : status);
}

/* HIP lets some calls use another device's stream; here none may, so that a forgotten hipSetDevice is found. */
#define ENTER_STREAM(name) \
    ENTER(name) \
    if (fg_stream_check(device, NULL, stream)) { \
        return last(FG_INVALID_HANDLE); \
    }

API hipMemcpyAsync(uint64_t target, uint64_t source, size_t bytes, int kind, hipStream_t stream) {
    static const enum fg_space to[] = {FG_HOST_MEMORY, FG_DEVICE_MEMORY, FG_HOST_MEMORY, FG_DEVICE_MEMORY};
    static const enum fg_space from[] = {FG_HOST_MEMORY, FG_HOST_MEMORY, FG_DEVICE_MEMORY, FG_DEVICE_MEMORY};
    enum { INVALID_DIRECTION = 21, KINDS = 4 };
    ENTER_STREAM("hipMemcpyAsync")
    if (kind < 0 || kind >= KINDS) {
        return last(INVALID_DIRECTION);
    }
    return last(fg_copy(device, stream, target, to[kind], source, from[kind], bytes, 1));
}

API hipStreamCreateWithFlags(hipStream_t *stream, unsigned flags) {
    ENTER("hipStreamCreateWithFlags")
    return last(fg_stream_create(device, NULL, flags & 1, stream));
}

API hipStreamDestroy(hipStream_t stream) {
    int injected = fg_enter("hipStreamDestroy");
    int status = fg_stream_destroy(stream);
    return last(injected ? injected : status);
}

API hipStreamQuery(hipStream_t stream) {
    ENTER_STREAM("hipStreamQuery")
    return last(fg_stream_query(device, stream));
}

API hipStreamSynchronize(hipStream_t stream) {
    ENTER_STREAM("hipStreamSynchronize")
    return last(fg_stream_synchronize(device, stream));
}

API hipStreamWaitEvent(hipStream_t stream, hipEvent_t event, unsigned flags) {
    ENTER_STREAM("hipStreamWaitEvent")
    return last(flags ? FG_INVALID_VALUE : fg_stream_wait(device, stream, event));
}

API hipEventCreateWithFlags(hipEvent_t *event, unsigned flags) {
    ENTER("hipEventCreateWithFlags")
    (void) flags;
    return last(fg_event_create(device, event));
}

API hipEventDestroy(hipEvent_t event) {
    int injected = fg_enter("hipEventDestroy");
    int status = fg_event_destroy(event);
    return last(injected ? injected : status);
}

API hipEventRecord(hipEvent_t event, hipStream_t stream) {
    ENTER_STREAM("hipEventRecord")
    return last(fg_event_record(device, stream, event));
}

API hipEventQuery(hipEvent_t event) {
    ENTER("hipEventQuery")
    return last(fg_event_query(event));
}

API hipEventSynchronize(hipEvent_t event) {
    ENTER("hipEventSynchronize")
    return last(fg_event_synchronize(event));
}

/* Takes what the fake hiprtc makes for this architecture, and nothing else. */
API hipModuleLoadData(hipModule_t *module, const void *image) {
    ENTER("hipModuleLoadData")
    if (!image || strncmp(image, FAKE_HIP_CODE, strlen(FAKE_HIP_CODE))) {
        return last(FG_INVALID_IMAGE);
    }
    if (strcmp((const char *) image + strlen(FAKE_HIP_CODE), FAKE_HIP_ARCH)) {
        return last(NO_BINARY_FOR_GPU);
    }
    return last(fg_module_load(image, module));
}

API hipModuleUnload(hipModule_t module) {
    int injected = fg_enter("hipModuleUnload");
    int status = fg_module_unload(module);
    return last(injected ? injected : status);
}

API hipModuleGetFunction(hipFunction_t *function, hipModule_t module, const char *name) {
    ENTER("hipModuleGetFunction")
    return last(fg_module_function(module, name, function));
}

API hipModuleLaunchKernel(hipFunction_t function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                          unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared, hipStream_t stream,
                          void **parameters, void **extra) {
    ENTER_STREAM("hipModuleLaunchKernel")
    (void) shared;
    if (grid_y != 1 || grid_z != 1 || block_y != 1 || block_z != 1) {
        return last(FG_NOT_SUPPORTED);
    }
    return last(fg_launch(device, stream, function, grid_x, block_x, parameters, extra));
}
