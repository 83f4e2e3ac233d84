/* A framework that takes tensors through DLPack and lends some. The declarations are those of the DLPack 1.1
   specification, written out so that the layouts of fst are compared with what a C compiler makes of them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef enum { kDLCPU = 1, kDLCUDA = 2, kDLOpenCL = 4, kDLROCM = 10 } DLDeviceType;

typedef struct {
    DLDeviceType device_type;
    int32_t device_id;
} DLDevice;

typedef struct {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
} DLDataType;

typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape;
    int64_t *strides;
    uint64_t byte_offset;
} DLTensor;

typedef struct DLManagedTensor {
    DLTensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
} DLManagedTensor;

typedef struct {
    uint32_t major;
    uint32_t minor;
} DLPackVersion;

typedef struct DLManagedTensorVersioned {
    DLPackVersion version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    DLTensor dl_tensor;
} DLManagedTensorVersioned;

_Static_assert(sizeof(DLTensor) == 48, "DLTensor");
_Static_assert(sizeof(DLManagedTensor) == 64, "DLManagedTensor");
_Static_assert(sizeof(DLManagedTensorVersioned) == 80, "DLManagedTensorVersioned");
_Static_assert(offsetof(DLTensor, ndim) == 16 && offsetof(DLTensor, byte_offset) == 40, "DLTensor's members");
_Static_assert(offsetof(DLManagedTensorVersioned, flags) == 24, "what must stay in every version");

static DLTensor *tensor(void *managed, int versioned) {
    return versioned ? &((DLManagedTensorVersioned *)managed)->dl_tensor : &((DLManagedTensor *)managed)->dl_tensor;
}

/* What the struct says, member by member; then the shape, then the strides. Returns how many words. */
int64_t peer_read(void *managed, int versioned, int64_t *out) {
    DLTensor *t = tensor(managed, versioned);
    DLManagedTensorVersioned *v = versioned ? managed : NULL;
    int64_t n = 0;
    out[n++] = v ? v->version.major : 0;
    out[n++] = v ? v->version.minor : 0;
    out[n++] = v ? (int64_t)v->flags : 0;
    out[n++] = (int64_t)t->data;
    out[n++] = t->device.device_type;
    out[n++] = t->device.device_id;
    out[n++] = t->dtype.code;
    out[n++] = t->dtype.bits;
    out[n++] = t->dtype.lanes;
    out[n++] = (int64_t)t->byte_offset;
    out[n++] = t->ndim;
    for (int32_t d = 0; d < t->ndim; d++) out[n++] = t->shape[d];
    for (int32_t d = 0; d < t->ndim; d++) out[n++] = t->strides ? t->strides[d] : 0;
    return n;
}

/* Copies the elements out. Returns how many bytes. */
int64_t peer_bytes(void *managed, int versioned, uint8_t *out) {
    DLTensor *t = tensor(managed, versioned);
    int64_t bits = (int64_t)t->dtype.bits * t->dtype.lanes;
    for (int32_t d = 0; d < t->ndim; d++) bits *= t->shape[d];
    if (bits) memcpy(out, (uint8_t *)t->data + t->byte_offset, (size_t)(bits / 8));
    return bits / 8;
}

void peer_delete(void *managed, int versioned) {
    if (versioned) {
        DLManagedTensorVersioned *v = managed;
        v->deleter(v);
    } else {
        DLManagedTensor *m = managed;
        m->deleter(m);
    }
}

/* Deletes while the caller holds `segment`, a piece of the tensor's own memory, for the length of this call. */
int64_t peer_delete_under(void *managed, int versioned, const uint8_t *segment) {
    peer_delete(managed, versioned);
    return segment[0];
}

/* Calls a deleter that was remembered: the struct is gone. */
void peer_delete_again(void (*deleter)(void *), void *managed) { deleter(managed); }

void *peer_deleter(void *managed, int versioned) {
    return versioned ? (void *)((DLManagedTensorVersioned *)managed)->deleter
                     : (void *)((DLManagedTensor *)managed)->deleter;
}

struct job {
    void *managed;
    int versioned;
};

static void *run(void *argument) {
    struct job *job = argument;
    peer_delete(job->managed, job->versioned);
    return NULL;
}

/* Deletes on a thread that Java has never seen. Returns 0, or what pthread_create says. */
int64_t peer_delete_on_thread(void *managed, int versioned) {
    struct job job = {managed, versioned};
    pthread_t thread;
    int status = pthread_create(&thread, NULL, run, &job);
    return status ? status : pthread_join(thread, NULL);
}

static atomic_long deleted;

int64_t peer_deleted(void) { return atomic_load(&deleted); }

struct lent {
    void *memory;
    int64_t *dims;
};

static void drop(struct lent *lent) {
    atomic_fetch_add(&deleted, 1);
    free(lent->memory);
    free(lent->dims);
    free(lent);
}

static void drop_legacy(DLManagedTensor *self) {
    drop(self->manager_ctx);
    free(self);
}

static void drop_versioned(DLManagedTensorVersioned *self) {
    drop(self->manager_ctx);
    free(self);
}

/* Lends a tensor. say: versioned, major, flags, device_type, device_id, code, bits, lanes, byte_offset,
   whether there are strides, whether there is a deleter, whether there are data, ndim, shape, strides.
   The elements are `count` bytes of `bytes`. */
void *peer_lend(const int64_t *say, const uint8_t *bytes, int64_t count) {
    int32_t ndim = (int32_t)say[12];
    size_t dims = ndim > 0 ? (size_t)ndim : 0;
    struct lent *lent = malloc(sizeof *lent);
    lent->memory = malloc((size_t)(say[8] + count + 1));
    memcpy((uint8_t *)lent->memory + say[8], bytes, (size_t)count);
    lent->dims = malloc((2 * dims + 1) * sizeof(int64_t));
    memcpy(lent->dims, say + 13, 2 * dims * sizeof(int64_t));
    DLTensor t = {
        .data = say[11] ? lent->memory : NULL,
        .device = {(DLDeviceType)say[3], (int32_t)say[4]},
        .ndim = ndim,
        .dtype = {(uint8_t)say[5], (uint8_t)say[6], (uint16_t)say[7]},
        .shape = lent->dims,
        .strides = say[9] ? lent->dims + dims : NULL,
        .byte_offset = (uint64_t)say[8],
    };
    if (say[0]) {
        DLManagedTensorVersioned *v = malloc(sizeof *v);
        *v = (DLManagedTensorVersioned){{(uint32_t)say[1], 0}, lent, say[10] ? drop_versioned : NULL,
                                        (uint64_t)say[2], t};
        return v;
    }
    DLManagedTensor *m = malloc(sizeof *m);
    *m = (DLManagedTensor){t, lent, say[10] ? drop_legacy : NULL};
    return m;
}
