/*
 * libcuda.so.1 over the fake GPU: the functions of the CUDA driver API that a loader calls, under the names that
 * cuda.h maps them to. A call that needs a context fails without one, as does one with another context's stream.
 */
#include "fake_gpu.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_DEVICES = 16, DEEPEST = 32, CONTEXT = 0xC0, VERSION = 12060 };

typedef int CUresult;
typedef int CUdevice;
typedef uint64_t CUdeviceptr;
typedef struct context *CUcontext;
typedef struct fg_stream *CUstream;
typedef struct fg_event *CUevent;
typedef struct fg_module *CUmodule;
typedef struct fg_function *CUfunction;

struct context {
    int magic, device, primary, retained;
    unsigned flags;
};

static struct context primaries[MOST_DEVICES];
static int initialized;
static _Thread_local CUcontext stack[DEEPEST];
static _Thread_local int depth;

static const struct { int status; const char *name, *text; } errors[] = {
    {FG_SUCCESS, "CUDA_SUCCESS", "no error"},
    {FG_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {FG_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {FG_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {FG_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {FG_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {FG_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {FG_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {FG_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {FG_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {FG_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {FG_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {FG_CONTEXT_DESTROYED, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {FG_ALREADY_REGISTERED, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
        "part or all of the requested memory range is already mapped"},
    {FG_NOT_REGISTERED, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED",
        "pointer does not correspond to a registered memory region"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {FG_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

/* The call's name without "_v2"; what it should fail with. */
#define ENTER(name) \
    int injected = fg_enter(name); \
    if (injected) { \
        return injected; \
    } \
    if (!initialized) { \
        return FG_NOT_INITIALIZED; \
    }

/* As ENTER, and the device of the current context. */
#define ENTER_CURRENT(name) \
    ENTER(name) \
    int without = no_context(); \
    if (without) { \
        return without; \
    } \
    int device = current()->device; \
    (void) device;

#define API FG_EXPORT CUresult

static CUcontext current(void) {
    return depth ? stack[depth - 1] : NULL;
}

static int is_alive(CUcontext context) {
    return context->magic == CONTEXT && (!context->primary || context->retained > 0);
}

static int no_context(void) {
    if (!current()) {
        return FG_INVALID_CONTEXT;
    }
    return is_alive(current()) ? FG_SUCCESS : FG_CONTEXT_DESTROYED;
}

static int is_device(CUdevice device) {
    return device >= 0 && device < fg_device_count();
}

API cuInit(unsigned flags) {
    int injected = fg_enter("cuInit");
    if (injected) {
        return injected;
    }
    if (flags) {
        return FG_INVALID_VALUE;
    }
    if (!fg_device_count()) {
        return FG_NO_DEVICE;
    }
    initialized = 1;
    return FG_SUCCESS;
}

API cuDriverGetVersion(int *version) {
    int injected = fg_enter("cuDriverGetVersion");
    *version = VERSION;
    return injected;
}

API cuGetErrorName(CUresult error, const char **name) {
    *name = NULL;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (errors[i].status == error) {
            *name = errors[i].name;
        }
    }
    return *name ? FG_SUCCESS : FG_INVALID_VALUE;
}

API cuGetErrorString(CUresult error, const char **text) {
    *text = NULL;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (errors[i].status == error) {
            *text = errors[i].text;
        }
    }
    return *text ? FG_SUCCESS : FG_INVALID_VALUE;
}

API cuDeviceGetCount(int *count) {
    ENTER("cuDeviceGetCount")
    *count = fg_device_count();
    return FG_SUCCESS;
}

API cuDeviceGet(CUdevice *device, int ordinal) {
    ENTER("cuDeviceGet")
    *device = ordinal;
    return is_device(ordinal) ? FG_SUCCESS : FG_INVALID_DEVICE;
}

API cuDeviceGetName(char *name, int length, CUdevice device) {
    ENTER("cuDeviceGetName")
    if (!is_device(device)) {
        return FG_INVALID_DEVICE;
    }
    fg_device_name(device, name, (size_t) length);
    return FG_SUCCESS;
}

API cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
    ENTER("cuDeviceTotalMem")
    size_t ignored;
    if (!is_device(device)) {
        return FG_INVALID_DEVICE;
    }
    fg_memory(device, &ignored, bytes);
    return FG_SUCCESS;
}

API cuDeviceGetPCIBusId(char *text, int length, CUdevice device) {
    ENTER("cuDeviceGetPCIBusId")
    if (!is_device(device)) {
        return FG_INVALID_DEVICE;
    }
    fg_pci_bus_id(device, text, (size_t) length);
    return FG_SUCCESS;
}

static int uuid(const char *name, unsigned char *bytes, CUdevice device) {
    ENTER(name)
    memset(bytes, 0xF0, 16);
    bytes[15] = (unsigned char) device;
    return is_device(device) ? FG_SUCCESS : FG_INVALID_DEVICE;
}

API cuDeviceGetUuid(unsigned char *bytes, CUdevice device) {
    return uuid("cuDeviceGetUuid", bytes, device);
}

API cuDeviceGetUuid_v2(unsigned char *bytes, CUdevice device) {
    return uuid("cuDeviceGetUuid", bytes, device);
}

/* CUdevice_attribute: those with a value of their own here; the others are 0. */
API cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
    ENTER("cuDeviceGetAttribute")
    if (!is_device(device)) {
        return FG_INVALID_DEVICE;
    }
    int otherwise = 0;
    switch (attribute) {
    case 1: /* MAX_THREADS_PER_BLOCK */
        otherwise = 1024;
        break;
    case 10: /* WARP_SIZE */
        otherwise = 32;
        break;
    case 16: /* MULTIPROCESSOR_COUNT */
        otherwise = 2;
        break;
    case 19: /* CAN_MAP_HOST_MEMORY */
    case 31: /* CONCURRENT_KERNELS */
    case 41: /* UNIFIED_ADDRESSING */
    case 99: /* HOST_REGISTER_SUPPORTED */
    case 109: /* READ_ONLY_HOST_REGISTER_SUPPORTED */
        otherwise = 1;
        break;
    case 33: /* PCI_BUS_ID */
        otherwise = device + 1;
        break;
    case 40: /* ASYNC_ENGINE_COUNT */
        otherwise = 2;
        break;
    case 75: /* COMPUTE_CAPABILITY_MAJOR */
        otherwise = 9;
        break;
    case 134: /* HOST_NUMA_ID */
        otherwise = -1;
        break;
    default:
        break;
    }
    *value = fg_attribute(attribute, otherwise);
    return FG_SUCCESS;
}

API cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    ENTER("cuDevicePrimaryCtxRetain")
    if (!is_device(device)) {
        return FG_INVALID_DEVICE;
    }
    *context = &primaries[device];
    (*context)->magic = CONTEXT;
    (*context)->device = device;
    (*context)->primary = 1;
    if (__atomic_fetch_add(&(*context)->retained, 1, __ATOMIC_SEQ_CST) == 0) {
        fg_counted(FG_CONTEXTS, 1);
    }
    return FG_SUCCESS;
}

API cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    int injected = fg_enter("cuDevicePrimaryCtxRelease");
    if (!is_device(device)) {
        return FG_INVALID_DEVICE;
    }
    if (primaries[device].retained < 1) {
        return FG_INVALID_CONTEXT;
    }
    if (__atomic_sub_fetch(&primaries[device].retained, 1, __ATOMIC_SEQ_CST) == 0) {
        fg_counted(FG_CONTEXTS, -1);
    }
    return injected;
}

API cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active) {
    ENTER("cuDevicePrimaryCtxGetState")
    if (!is_device(device)) {
        return FG_INVALID_DEVICE;
    }
    *flags = primaries[device].flags;
    *active = primaries[device].retained > 0;
    return FG_SUCCESS;
}

API cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
    ENTER("cuDevicePrimaryCtxSetFlags")
    if (!is_device(device)) {
        return FG_INVALID_DEVICE;
    }
    primaries[device].flags = flags;
    return FG_SUCCESS;
}

API cuCtxPushCurrent_v2(CUcontext context) {
    ENTER("cuCtxPushCurrent")
    if (!context || !is_alive(context) || depth == DEEPEST) {
        return FG_INVALID_CONTEXT;
    }
    stack[depth++] = context;
    return FG_SUCCESS;
}

API cuCtxPopCurrent_v2(CUcontext *context) {
    int injected = fg_enter("cuCtxPopCurrent");
    if (!depth) {
        return FG_INVALID_CONTEXT;
    }
    depth--;
    if (context) {
        *context = stack[depth];
    }
    return injected;
}

API cuCtxGetCurrent(CUcontext *context) {
    ENTER("cuCtxGetCurrent")
    *context = current();
    return FG_SUCCESS;
}

API cuCtxSetCurrent(CUcontext context) {
    ENTER("cuCtxSetCurrent")
    if (context && !is_alive(context)) {
        return FG_INVALID_CONTEXT;
    }
    if (!context) {
        depth -= depth > 0;
    } else if (depth) {
        stack[depth - 1] = context;
    } else {
        stack[depth++] = context;
    }
    return FG_SUCCESS;
}

API cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device) {
    ENTER("cuCtxCreate")
    if (!is_device(device)) {
        return FG_INVALID_DEVICE;
    }
    *context = calloc(1, sizeof **context);
    (*context)->magic = CONTEXT;
    (*context)->device = device;
    (*context)->flags = flags;
    fg_counted(FG_CONTEXTS, 1);
    return cuCtxPushCurrent_v2(*context);
}

/* The record stays, so that a stale handle is recognised. */
API cuCtxDestroy_v2(CUcontext context) {
    int injected = fg_enter("cuCtxDestroy");
    if (!context || context->magic != CONTEXT || context->primary) {
        return FG_INVALID_CONTEXT;
    }
    depth -= current() == context;
    context->magic = 0;
    fg_counted(FG_CONTEXTS, -1);
    return injected;
}

API cuCtxGetDevice(CUdevice *device_of_context) {
    ENTER_CURRENT("cuCtxGetDevice")
    *device_of_context = device;
    return FG_SUCCESS;
}

API cuCtxGetFlags(unsigned *flags) {
    ENTER_CURRENT("cuCtxGetFlags")
    *flags = current()->flags;
    return FG_SUCCESS;
}

API cuCtxGetApiVersion(CUcontext context, unsigned *version) {
    ENTER("cuCtxGetApiVersion")
    (void) context;
    *version = VERSION;
    return FG_SUCCESS;
}

API cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    ENTER_CURRENT("cuCtxGetStreamPriorityRange")
    *least = 0;
    *greatest = 0;
    return FG_SUCCESS;
}

API cuCtxSynchronize(void) {
    ENTER_CURRENT("cuCtxSynchronize")
    return fg_device_synchronize(device);
}

API cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes) {
    ENTER_CURRENT("cuMemGetInfo")
    fg_memory(device, free_bytes, total_bytes);
    return FG_SUCCESS;
}

API cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
    ENTER_CURRENT("cuMemAlloc")
    return bytes ? fg_allocate(device, bytes, address) : FG_INVALID_VALUE;
}

API cuMemFree_v2(CUdeviceptr address) {
    int injected = fg_enter("cuMemFree");
    if (no_context()) {
        return no_context();
    }
    int status = address ? fg_free(address) : FG_SUCCESS;
    return injected ? injected : status;
}

static int allocate_host(const char *name, void **memory, size_t bytes) {
    ENTER_CURRENT(name)
    return bytes ? fg_allocate_pinned(bytes, memory) : FG_INVALID_VALUE;
}

API cuMemAllocHost_v2(void **memory, size_t bytes) {
    return allocate_host("cuMemAllocHost", memory, bytes);
}

API cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) {
    (void) flags;
    return allocate_host("cuMemHostAlloc", memory, bytes);
}

API cuMemFreeHost(void *memory) {
    int injected = fg_enter("cuMemFreeHost");
    if (no_context()) {
        return no_context();
    }
    int status = fg_free_pinned(memory);
    return injected ? injected : status;
}

API cuMemHostRegister_v2(void *memory, size_t bytes, unsigned flags) {
    enum { READ_ONLY = 8 };
    ENTER_CURRENT("cuMemHostRegister")
    return fg_register(memory, bytes, (flags & READ_ONLY) != 0);
}

API cuMemHostUnregister(void *memory) {
    int injected = fg_enter("cuMemHostUnregister");
    if (no_context()) {
        return no_context();
    }
    int status = fg_unregister(memory);
    return injected ? injected : status;
}

API cuMemHostGetDevicePointer_v2(CUdeviceptr *address, void *memory, unsigned flags) {
    enum fg_space space;
    ENTER_CURRENT("cuMemHostGetDevicePointer")
    if (flags || fg_describe((uint64_t) memory, &space, NULL, NULL, NULL) || space != FG_HOST_MEMORY) {
        return FG_INVALID_VALUE;
    }
    *address = (CUdeviceptr) memory;
    return FG_SUCCESS;
}

API cuMemHostGetFlags(unsigned *flags, void *memory) {
    enum fg_space space;
    ENTER_CURRENT("cuMemHostGetFlags")
    *flags = 3; /* PORTABLE | DEVICEMAP */
    return fg_describe((uint64_t) memory, &space, NULL, NULL, NULL) || space != FG_HOST_MEMORY ? FG_INVALID_VALUE
                                                                                             : FG_SUCCESS;
}

API cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *bytes, CUdeviceptr address) {
    enum fg_space space;
    ENTER_CURRENT("cuMemGetAddressRange")
    return fg_describe(address, &space, NULL, base, bytes) || space != FG_DEVICE_MEMORY ? FG_NOT_FOUND : FG_SUCCESS;
}

API cuPointerGetAttribute(void *value, int attribute, CUdeviceptr address) {
    enum { CONTEXT_OF = 1, MEMORY_TYPE = 2, DEVICE_POINTER = 3, HOST_POINTER = 4, IS_MANAGED = 8, ORDINAL = 9,
        RANGE_START = 11, RANGE_SIZE = 12 };
    enum { HOST = 1, DEVICE = 2 };
    enum fg_space space;
    int device;
    uint64_t base;
    size_t bytes;
    ENTER("cuPointerGetAttribute")
    if (fg_describe(address, &space, &device, &base, &bytes)) {
        return FG_INVALID_VALUE;
    }
    int on_device = space == FG_DEVICE_MEMORY;
    switch (attribute) {
    case CONTEXT_OF:
        *(CUcontext *) value = on_device ? &primaries[device] : NULL;
        return FG_SUCCESS;
    case MEMORY_TYPE:
        *(unsigned *) value = on_device ? DEVICE : HOST;
        return FG_SUCCESS;
    case DEVICE_POINTER:
        *(CUdeviceptr *) value = address;
        return FG_SUCCESS;
    case HOST_POINTER:
        *(uint64_t *) value = address;
        return on_device ? FG_INVALID_VALUE : FG_SUCCESS;
    case IS_MANAGED:
        *(unsigned *) value = 0;
        return FG_SUCCESS;
    case ORDINAL:
        *(int *) value = on_device ? device : 0;
        return FG_SUCCESS;
    case RANGE_START:
        *(CUdeviceptr *) value = base;
        return FG_SUCCESS;
    case RANGE_SIZE:
        *(size_t *) value = bytes;
        return FG_SUCCESS;
    default:
        return FG_NOT_SUPPORTED;
    }
}

/* Streams belong to a context; "legacy" (1) and "per thread" (2) count as the default one. */
static CUstream plain(CUstream stream) {
    return (uintptr_t) stream <= 2 ? NULL : stream;
}

#define ENTER_STREAM(name) \
    ENTER_CURRENT(name) \
    stream = plain(stream); \
    if (fg_stream_check(device, current(), stream)) { \
        return FG_INVALID_HANDLE; \
    }

static int copy(const char *name, uint64_t target, enum fg_space target_space, uint64_t source,
                enum fg_space source_space, size_t bytes, CUstream stream, int asynchronous) {
    ENTER_STREAM(name)
    return fg_copy(device, stream, target, target_space, source, source_space, bytes, asynchronous);
}

API cuMemcpyHtoDAsync_v2(CUdeviceptr target, const void *source, size_t bytes, CUstream stream) {
    return copy("cuMemcpyHtoDAsync", target, FG_DEVICE_MEMORY, (uint64_t) source, FG_HOST_MEMORY, bytes, stream, 1);
}

API cuMemcpyDtoHAsync_v2(void *target, CUdeviceptr source, size_t bytes, CUstream stream) {
    return copy("cuMemcpyDtoHAsync", (uint64_t) target, FG_HOST_MEMORY, source, FG_DEVICE_MEMORY, bytes, stream, 1);
}

API cuMemcpyDtoDAsync_v2(CUdeviceptr target, CUdeviceptr source, size_t bytes, CUstream stream) {
    return copy("cuMemcpyDtoDAsync", target, FG_DEVICE_MEMORY, source, FG_DEVICE_MEMORY, bytes, stream, 1);
}

API cuMemcpyAsync(CUdeviceptr target, CUdeviceptr source, size_t bytes, CUstream stream) {
    return copy("cuMemcpyAsync", target, FG_ANYWHERE, source, FG_ANYWHERE, bytes, stream, 1);
}

API cuMemcpyHtoD_v2(CUdeviceptr target, const void *source, size_t bytes) {
    return copy("cuMemcpyHtoD", target, FG_DEVICE_MEMORY, (uint64_t) source, FG_HOST_MEMORY, bytes, NULL, 0);
}

API cuMemcpyDtoH_v2(void *target, CUdeviceptr source, size_t bytes) {
    return copy("cuMemcpyDtoH", (uint64_t) target, FG_HOST_MEMORY, source, FG_DEVICE_MEMORY, bytes, NULL, 0);
}

API cuMemcpyDtoD_v2(CUdeviceptr target, CUdeviceptr source, size_t bytes) {
    return copy("cuMemcpyDtoD", target, FG_DEVICE_MEMORY, source, FG_DEVICE_MEMORY, bytes, NULL, 0);
}

API cuMemcpy(CUdeviceptr target, CUdeviceptr source, size_t bytes) {
    return copy("cuMemcpy", target, FG_ANYWHERE, source, FG_ANYWHERE, bytes, NULL, 0);
}

API cuMemsetD8_v2(CUdeviceptr target, unsigned char value, size_t bytes) {
    ENTER_CURRENT("cuMemsetD8")
    return fg_fill(device, NULL, target, value, bytes, 0);
}

API cuMemsetD8Async(CUdeviceptr target, unsigned char value, size_t bytes, CUstream stream) {
    ENTER_STREAM("cuMemsetD8Async")
    return fg_fill(device, stream, target, value, bytes, 1);
}

API cuStreamCreate(CUstream *stream, unsigned flags) {
    ENTER_CURRENT("cuStreamCreate")
    return fg_stream_create(device, current(), flags & 1, stream);
}

API cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority) {
    ENTER_CURRENT("cuStreamCreateWithPriority")
    (void) priority;
    return fg_stream_create(device, current(), flags & 1, stream);
}

API cuStreamDestroy_v2(CUstream stream) {
    int injected = fg_enter("cuStreamDestroy");
    if (no_context()) {
        return no_context();
    }
    int status = fg_stream_destroy(plain(stream));
    return injected ? injected : status;
}

API cuStreamQuery(CUstream stream) {
    ENTER_STREAM("cuStreamQuery")
    return fg_stream_query(device, stream);
}

API cuStreamSynchronize(CUstream stream) {
    ENTER_STREAM("cuStreamSynchronize")
    return fg_stream_synchronize(device, stream);
}

API cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags) {
    ENTER_STREAM("cuStreamWaitEvent")
    return flags ? FG_INVALID_VALUE : fg_stream_wait(device, stream, event);
}

API cuLaunchHostFunc(CUstream stream, void (*function)(void *), void *data) {
    ENTER_STREAM("cuLaunchHostFunc")
    return fg_host_function(device, stream, function, data);
}

API cuEventCreate(CUevent *event, unsigned flags) {
    ENTER_CURRENT("cuEventCreate")
    (void) flags;
    return fg_event_create(device, event);
}

API cuEventDestroy_v2(CUevent event) {
    int injected = fg_enter("cuEventDestroy");
    int status = fg_event_destroy(event);
    return injected ? injected : status;
}

API cuEventRecord(CUevent event, CUstream stream) {
    ENTER_STREAM("cuEventRecord")
    return fg_event_record(device, stream, event);
}

API cuEventQuery(CUevent event) {
    ENTER("cuEventQuery")
    return fg_event_query(event);
}

API cuEventSynchronize(CUevent event) {
    ENTER("cuEventSynchronize")
    return fg_event_synchronize(event);
}

API cuModuleLoadData(CUmodule *module, const void *image) {
    ENTER_CURRENT("cuModuleLoadData")
    return fg_module_load(image, module);
}

API cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, int *options, void **values) {
    ENTER_CURRENT("cuModuleLoadDataEx")
    (void) count;
    (void) options;
    (void) values;
    return fg_module_load(image, module);
}

API cuModuleUnload(CUmodule module) {
    int injected = fg_enter("cuModuleUnload");
    if (no_context()) {
        return no_context();
    }
    int status = fg_module_unload(module);
    return injected ? injected : status;
}

API cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    ENTER_CURRENT("cuModuleGetFunction")
    return fg_module_function(module, name, function);
}

API cuFuncGetAttribute(int *value, int attribute, CUfunction function) {
    ENTER("cuFuncGetAttribute")
    *value = attribute == 0 ? 1024 : 0; /* MAX_THREADS_PER_BLOCK */
    return function ? FG_SUCCESS : FG_INVALID_HANDLE;
}

API cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared, CUstream stream, void **parameters,
                   void **extra) {
    ENTER_STREAM("cuLaunchKernel")
    (void) shared;
    if (grid_y != 1 || grid_z != 1 || block_y != 1 || block_z != 1) {
        return FG_NOT_SUPPORTED;
    }
    return fg_launch(device, stream, function, grid_x, block_x, parameters, extra);
}
