/* The fake GPU's streams, events and kernels. A stream is a thread and a queue. */
#define _GNU_SOURCE
#include "fake_gpu_engine.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_DEVICES = 16, STACK = 256 << 10, STREAM = 0x57AEA, EVENT = 0xE7E27, MODULE = 0x30D, DEAD = 0xDEAD };

struct operation {
    enum { COPY, FILL, LAUNCH, HOST, RECORD, WAIT_EVENT, WAIT_STREAM } kind;
    char *target;
    const char *source;
    size_t bytes;
    int value;
    fg_kernel *kernel;
    uint64_t source_offset, target_offset;
    uint32_t groups, group_size;
    void *launch;
    void (*function)(void *);
    void *data;
    struct fg_event *event;
    struct fg_stream *stream;
    uint64_t sequence;
    struct operation *next;
};

/* Streams and events are never freed, so that a stale handle is recognised. */
struct fg_stream {
    int magic, device, non_blocking, stopping;
    void *owner;
    pthread_t thread;
    pthread_cond_t wake;
    struct operation *head, *tail;
    uint64_t submitted, done;
    struct fg_stream *next;
};

struct fg_event {
    int magic, device;
    uint64_t recorded, passed;
};

struct fg_module {
    int magic;
};

static pthread_cond_t progress = PTHREAD_COND_INITIALIZER;
static struct fg_stream *streams;
static struct fg_stream *defaults[MOST_DEVICES];
static int errors[MOST_DEVICES];
static long delay;
static int held;

static int is_work(const struct operation *operation) {
    return operation->kind <= HOST;
}

/* Whether the stream may run its first operation. Call with the lock held. */
static int may_run(const struct operation *operation) {
    switch (operation->kind) {
    case WAIT_EVENT:
        return operation->event->passed >= operation->sequence;
    case WAIT_STREAM:
        return operation->stream->done >= operation->sequence;
    default:
        return !held || !is_work(operation);
    }
}

static int run(struct operation *operation) {
    int status = FG_SUCCESS;
    if (operation->kind == HOST) {
        operation->function(operation->data);
        return status;
    }
    if (operation->kind == LAUNCH) {
        status = fg_enter("@kernel");
        if (!status) {
            operation->kernel(operation->source, operation->source_offset, operation->target,
                              operation->target_offset, operation->launch, operation->groups, operation->group_size);
        }
        return status;
    }
    status = fg_enter("@copy");
    if (!status && operation->kind == COPY) {
        memmove(operation->target, operation->source, operation->bytes);
    } else if (!status) {
        memset(operation->target, operation->value, operation->bytes);
    }
    return status;
}

static void *work(void *argument) {
    struct fg_stream *stream = argument;
    pthread_mutex_lock(&fg_lock);
    for (;;) {
        while (!stream->head && !stream->stopping) {
            pthread_cond_wait(&stream->wake, &fg_lock);
        }
        struct operation *operation = stream->head;
        if (!operation) {
            break;
        }
        while (!may_run(operation)) {
            pthread_cond_wait(&progress, &fg_lock);
        }
        if (is_work(operation) && (!errors[stream->device] || operation->kind == HOST)) {
            long pause = delay;
            pthread_mutex_unlock(&fg_lock);
            if (pause) {
                usleep((useconds_t) pause);
            }
            int status = run(operation);
            pthread_mutex_lock(&fg_lock);
            if (status && !errors[stream->device]) {
                errors[stream->device] = status;
            }
        } else if (operation->kind == RECORD && operation->event->passed < operation->sequence) {
            operation->event->passed = operation->sequence;
        }
        stream->head = operation->next;
        if (!stream->head) {
            stream->tail = NULL;
        }
        stream->done++;
        pthread_cond_broadcast(&progress);
        free(operation->launch);
        free(operation);
    }
    pthread_mutex_unlock(&fg_lock);
    return NULL;
}

static int start(struct fg_stream *stream) {
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&stream->thread, &attributes, work, stream);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed ? FG_OUT_OF_MEMORY : FG_SUCCESS;
}

static int create(int device, void *owner, int non_blocking, struct fg_stream **created) {
    struct fg_stream *stream = calloc(1, sizeof *stream);
    stream->magic = STREAM;
    stream->device = device;
    stream->owner = owner;
    stream->non_blocking = non_blocking;
    pthread_cond_init(&stream->wake, NULL);
    if (start(stream)) {
        free(stream);
        return FG_OUT_OF_MEMORY;
    }
    *created = stream;
    return FG_SUCCESS;
}

int fg_stream_create(int device, void *owner, int non_blocking, struct fg_stream **stream) {
    int status = create(device, owner, non_blocking, stream);
    if (!status) {
        pthread_mutex_lock(&fg_lock);
        (*stream)->next = streams;
        streams = *stream;
        pthread_mutex_unlock(&fg_lock);
        fg_counted(FG_STREAMS, 1);
    }
    return status;
}

/* The stream behind a handle, NULL if it is none. */
static struct fg_stream *real(int device, struct fg_stream *stream) {
    if (stream) {
        return stream->magic == STREAM ? stream : NULL;
    }
    pthread_mutex_lock(&fg_lock);
    if (!defaults[device] && create(device, NULL, 0, &defaults[device])) {
        defaults[device] = NULL;
    }
    stream = defaults[device];
    pthread_mutex_unlock(&fg_lock);
    return stream;
}

int fg_stream_check(int device, void *owner, struct fg_stream *stream) {
    return !stream || (stream->magic == STREAM && stream->device == device && stream->owner == owner)
        ? FG_SUCCESS : FG_INVALID_HANDLE;
}

int fg_stream_device(struct fg_stream *stream, int otherwise) {
    return stream && stream->magic == STREAM ? stream->device : otherwise;
}

static void append(struct fg_stream *stream, struct operation *operation) {
    if (stream->tail) {
        stream->tail->next = operation;
    } else {
        stream->head = operation;
    }
    stream->tail = operation;
    stream->submitted++;
    pthread_cond_signal(&stream->wake);
}

static void append_wait(struct fg_stream *stream, struct fg_stream *other) {
    if (other && other != stream && other->done < other->submitted) {
        struct operation *wait = calloc(1, sizeof *wait);
        wait->kind = WAIT_STREAM;
        wait->stream = other;
        wait->sequence = other->submitted;
        append(stream, wait);
    }
}

/* Queues an operation; the default stream and blocking ones keep in step. Returns its number in the stream. */
static uint64_t submit(struct fg_stream *stream, struct operation *operation) {
    pthread_mutex_lock(&fg_lock);
    if (stream == defaults[stream->device]) {
        for (struct fg_stream *other = streams; other; other = other->next) {
            if (other->magic == STREAM && other->device == stream->device && !other->non_blocking) {
                append_wait(stream, other);
            }
        }
    } else if (!stream->non_blocking) {
        append_wait(stream, defaults[stream->device]);
    }
    append(stream, operation);
    uint64_t number = stream->submitted;
    pthread_mutex_unlock(&fg_lock);
    return number;
}

static int wait_done(struct fg_stream *stream, uint64_t number) {
    pthread_mutex_lock(&fg_lock);
    while (stream->done < number) {
        pthread_cond_wait(&progress, &fg_lock);
    }
    int status = errors[stream->device];
    pthread_mutex_unlock(&fg_lock);
    return status;
}

static int submit_and(int asynchronous, struct fg_stream *stream, struct operation *operation) {
    uint64_t number = submit(stream, operation);
    return asynchronous ? FG_SUCCESS : wait_done(stream, number);
}

static int failed(int device) {
    pthread_mutex_lock(&fg_lock);
    int status = errors[device];
    pthread_mutex_unlock(&fg_lock);
    return status;
}

int fg_stream_query(int device, struct fg_stream *handle) {
    struct fg_stream *stream = real(device, handle);
    if (!stream) {
        return FG_INVALID_HANDLE;
    }
    pthread_mutex_lock(&fg_lock);
    int status = errors[stream->device] ? errors[stream->device]
                                        : stream->done < stream->submitted ? FG_NOT_READY : FG_SUCCESS;
    pthread_mutex_unlock(&fg_lock);
    return status;
}

int fg_stream_synchronize(int device, struct fg_stream *handle) {
    struct fg_stream *stream = real(device, handle);
    if (!stream) {
        return FG_INVALID_HANDLE;
    }
    pthread_mutex_lock(&fg_lock);
    uint64_t number = stream->submitted;
    pthread_mutex_unlock(&fg_lock);
    return wait_done(stream, number);
}

int fg_stream_destroy(struct fg_stream *stream) {
    if (!stream || stream->magic != STREAM) {
        return FG_INVALID_HANDLE;
    }
    int status = fg_stream_synchronize(stream->device, stream);
    pthread_mutex_lock(&fg_lock);
    stream->magic = DEAD;
    stream->stopping = 1;
    pthread_cond_signal(&stream->wake);
    for (struct fg_stream **link = &streams; *link; link = &(*link)->next) {
        if (*link == stream) {
            *link = stream->next;
            break;
        }
    }
    pthread_mutex_unlock(&fg_lock);
    pthread_join(stream->thread, NULL);
    fg_counted(FG_STREAMS, -1);
    return status;
}

int fg_device_synchronize(int device) {
    pthread_mutex_lock(&fg_lock);
    for (int busy = 1; busy;) {
        busy = defaults[device] && defaults[device]->done < defaults[device]->submitted;
        for (struct fg_stream *stream = streams; stream; stream = stream->next) {
            busy |= stream->device == device && stream->done < stream->submitted;
        }
        if (busy) {
            pthread_cond_wait(&progress, &fg_lock);
        }
    }
    int status = errors[device];
    pthread_mutex_unlock(&fg_lock);
    return status;
}

int fg_copy(int device, struct fg_stream *handle, uint64_t target, enum fg_space target_space, uint64_t source,
            enum fg_space source_space, size_t bytes, int asynchronous) {
    struct fg_stream *stream = real(device, handle);
    struct fg_place to, from;
    if (!stream) {
        return FG_INVALID_HANDLE;
    }
    if (failed(stream->device)) {
        return failed(stream->device);
    }
    if (!bytes) {
        return FG_SUCCESS;
    }
    if (fg_resolve(target, bytes, target_space, &to) || fg_resolve(source, bytes, source_space, &from)) {
        return FG_INVALID_VALUE;
    }
    if (asynchronous && (to.pageable || from.pageable)) {
        fg_counted(FG_PAGEABLE_COPIES, 1);
        asynchronous = 0;
    }
    struct operation *operation = calloc(1, sizeof *operation);
    operation->kind = COPY;
    operation->target = to.memory;
    operation->source = from.memory;
    operation->bytes = bytes;
    return submit_and(asynchronous, stream, operation);
}

int fg_fill(int device, struct fg_stream *handle, uint64_t target, int value, size_t bytes, int asynchronous) {
    struct fg_stream *stream = real(device, handle);
    struct fg_place to;
    if (!stream) {
        return FG_INVALID_HANDLE;
    }
    if (!bytes) {
        return FG_SUCCESS;
    }
    if (fg_resolve(target, bytes, FG_DEVICE_MEMORY, &to)) {
        return FG_INVALID_VALUE;
    }
    struct operation *operation = calloc(1, sizeof *operation);
    operation->kind = FILL;
    operation->target = to.memory;
    operation->value = value;
    operation->bytes = bytes;
    return submit_and(asynchronous, stream, operation);
}

int fg_host_function(int device, struct fg_stream *handle, void (*function)(void *), void *data) {
    struct fg_stream *stream = real(device, handle);
    if (!stream || !function) {
        return FG_INVALID_VALUE;
    }
    struct operation *operation = calloc(1, sizeof *operation);
    operation->kind = HOST;
    operation->function = function;
    operation->data = data;
    return submit_and(1, stream, operation);
}

int fg_event_create(int device, struct fg_event **event) {
    *event = calloc(1, sizeof **event);
    (*event)->magic = EVENT;
    (*event)->device = device;
    fg_counted(FG_EVENTS, 1);
    return FG_SUCCESS;
}

int fg_event_destroy(struct fg_event *event) {
    if (!event || event->magic != EVENT) {
        return FG_INVALID_HANDLE;
    }
    event->magic = DEAD;
    fg_counted(FG_EVENTS, -1);
    return FG_SUCCESS;
}

int fg_event_record(int device, struct fg_stream *handle, struct fg_event *event) {
    struct fg_stream *stream = real(device, handle);
    if (!stream || !event || event->magic != EVENT || event->device != stream->device) {
        return FG_INVALID_HANDLE;
    }
    struct operation *operation = calloc(1, sizeof *operation);
    operation->kind = RECORD;
    operation->event = event;
    pthread_mutex_lock(&fg_lock);
    operation->sequence = ++event->recorded;
    pthread_mutex_unlock(&fg_lock);
    submit(stream, operation);
    return failed(stream->device);
}

int fg_event_query(struct fg_event *event) {
    if (!event || event->magic != EVENT) {
        return FG_INVALID_HANDLE;
    }
    pthread_mutex_lock(&fg_lock);
    int status = errors[event->device] ? errors[event->device]
                                       : event->passed < event->recorded ? FG_NOT_READY : FG_SUCCESS;
    pthread_mutex_unlock(&fg_lock);
    return status;
}

int fg_event_synchronize(struct fg_event *event) {
    if (!event || event->magic != EVENT) {
        return FG_INVALID_HANDLE;
    }
    pthread_mutex_lock(&fg_lock);
    uint64_t sequence = event->recorded;
    while (event->passed < sequence) {
        pthread_cond_wait(&progress, &fg_lock);
    }
    int status = errors[event->device];
    pthread_mutex_unlock(&fg_lock);
    return status;
}

int fg_stream_wait(int device, struct fg_stream *handle, struct fg_event *event) {
    struct fg_stream *stream = real(device, handle);
    if (!stream || !event || event->magic != EVENT) {
        return FG_INVALID_HANDLE;
    }
    struct operation *operation = calloc(1, sizeof *operation);
    operation->kind = WAIT_EVENT;
    operation->event = event;
    pthread_mutex_lock(&fg_lock);
    operation->sequence = event->recorded;
    pthread_mutex_unlock(&fg_lock);
    submit(stream, operation);
    return FG_SUCCESS;
}

int fg_module_load(const void *image, struct fg_module **module) {
    if (!image) {
        return FG_INVALID_VALUE;
    }
    if (!*(const char *) image) {
        return FG_INVALID_IMAGE;
    }
    *module = calloc(1, sizeof **module);
    (*module)->magic = MODULE;
    fg_counted(FG_MODULES, 1);
    return FG_SUCCESS;
}

int fg_module_unload(struct fg_module *module) {
    if (!module || module->magic != MODULE) {
        return FG_INVALID_HANDLE;
    }
    module->magic = DEAD;
    fg_counted(FG_MODULES, -1);
    return FG_SUCCESS;
}

int fg_module_function(struct fg_module *module, const char *name, struct fg_function **function) {
    if (!module || module->magic != MODULE) {
        return FG_INVALID_HANDLE;
    }
    *function = (struct fg_function *) fg_kernel_named(name);
    return *function ? FG_SUCCESS : FG_NOT_FOUND;
}

/* The five arguments of a shared kernel, from either form in which drivers take them. */
static int arguments(void **parameters, void **extra, struct operation *operation, uint64_t *source,
                     uint64_t *target) {
    enum { END, BUFFER, SIZE };
    size_t launch_size = fg_kernel_launch_size();
    char *packed = NULL;
    const void *launch;
    if (parameters) {
        *source = *(uint64_t *) parameters[0];
        operation->source_offset = *(uint64_t *) parameters[1];
        *target = *(uint64_t *) parameters[2];
        operation->target_offset = *(uint64_t *) parameters[3];
        launch = parameters[4];
    } else {
        size_t size = 0;
        for (; extra && extra[0] && (uintptr_t) extra[0] <= SIZE; extra += 2) {
            if ((uintptr_t) extra[0] == BUFFER) {
                packed = extra[1];
            } else {
                size = *(size_t *) extra[1];
            }
        }
        if (!packed || size < 4 * sizeof(uint64_t) + launch_size) {
            return FG_INVALID_VALUE;
        }
        uint64_t words[4];
        memcpy(words, packed, sizeof words);
        *source = words[0];
        operation->source_offset = words[1];
        *target = words[2];
        operation->target_offset = words[3];
        launch = packed + sizeof words;
    }
    operation->launch = malloc(launch_size);
    memcpy(operation->launch, launch, launch_size);
    return FG_SUCCESS;
}

int fg_launch(int device, struct fg_stream *handle, struct fg_function *function, uint32_t groups,
              uint32_t group_size, void **parameters, void **extra) {
    struct fg_stream *stream = real(device, handle);
    struct fg_place to, from;
    uint64_t source, target;
    if (!stream || !function) {
        return FG_INVALID_HANDLE;
    }
    if (failed(stream->device)) {
        return failed(stream->device);
    }
    if (!groups || !group_size || group_size > 1024) {
        return FG_INVALID_VALUE;
    }
    struct operation *operation = calloc(1, sizeof *operation);
    operation->kind = LAUNCH;
    if (arguments(parameters, extra, operation, &source, &target)) {
        free(operation);
        return FG_INVALID_VALUE;
    }
    if (fg_resolve(source, 1, FG_ANYWHERE, &from) || fg_resolve(target, 1, FG_ANYWHERE, &to) || from.pageable
            || to.pageable) {
        free(operation->launch);
        free(operation);
        return FG_ILLEGAL_ADDRESS;
    }
    operation->kernel = (fg_kernel *) function;
    operation->source = from.memory;
    operation->target = to.memory;
    operation->groups = groups;
    operation->group_size = group_size;
    fg_counted(FG_LAUNCHES, 1);
    return submit_and(1, stream, operation);
}

void fg_forget_errors(void) {
    pthread_mutex_lock(&fg_lock);
    memset(errors, 0, sizeof errors);
    pthread_mutex_unlock(&fg_lock);
}

void fake_gpu_delay(long microseconds) {
    pthread_mutex_lock(&fg_lock);
    delay = microseconds;
    pthread_mutex_unlock(&fg_lock);
}

void fake_gpu_hold(int hold) {
    pthread_mutex_lock(&fg_lock);
    held = hold;
    pthread_cond_broadcast(&progress);
    pthread_mutex_unlock(&fg_lock);
}
