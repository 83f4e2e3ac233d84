/*
 * NCCL over the fake GPU, for ranks that are threads of one process: communicators that do not block, and work on
 * streams that really moves bytes and waits for the other ranks, as kernels do. RCCL has the same functions.
 */
#define _GNU_SOURCE
#include "fake_gpu_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API FG_EXPORT int

enum { SUCCESS = 0, UNHANDLED_DEVICE_ERROR = 1, INVALID_ARGUMENT = 4, INVALID_USAGE = 5, IN_PROGRESS = 7 };
enum { MOST_RANKS = 16, MOST_PIECES = 64, CONFIG_MAGIC = (int) 0xcafebeef, VERSION = 22803 };
/* How often a communicator says that it is still busy after a call. */
enum { BUSY_ANSWERS = 2 };

typedef struct { char internal[128]; } unique_id;

struct config {
    size_t size;
    unsigned magic, version;
    int blocking, cga_cluster_size, min_ctas, max_ctas;
    const char *net_name;
    int split_share;
};

/* What all ranks of one id share. Never freed, like communicators: work in a stream may look at them late. */
struct clique {
    long id;
    int ranks, here;
    struct meeting *meetings;
    struct parcel *parcels;
    struct clique *next;
};

struct comm {
    struct clique *clique;
    int rank, device, busy, aborted, freed, error;
    long collectives;
};

/* One collective. */
struct meeting {
    long number;
    int came, done, broken;
    char *source[MOST_RANKS];
    struct meeting *next;
};

/* One message of one rank to another. */
struct parcel {
    int from, to, taken;
    const char *source;
    size_t bytes;
    struct parcel *next;
};

struct piece {
    int peer, is_send;
    char *memory;
    size_t bytes;
};

/* What one stream does for one rank. */
struct work {
    struct comm *comm;
    struct fg_stream *stream;
    enum { BROADCAST, ALL_GATHER, PIECES } kind;
    long number;
    int root, pieces;
    char *source, *target;
    size_t bytes;
    struct piece piece[MOST_PIECES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct clique *cliques;
static long last_id;
static _Thread_local int group_depth;
static _Thread_local struct work *grouped;

#if FAKE_HIP_MAJOR
FG_EXPORT int hipGetDevice(int *device);
static int current_device(void) {
    int device = -1;
    return hipGetDevice(&device) ? -1 : device;
}
#else
FG_EXPORT int cuCtxGetDevice(int *device);
static int current_device(void) {
    int device = -1;
    return cuCtxGetDevice(&device) ? -1 : device;
}
#endif

API ncclGetVersion(int *version) {
    int injected = fg_enter("ncclGetVersion");
    *version = VERSION;
    return injected;
}

FG_EXPORT const char *ncclGetErrorString(int result) {
    switch (result) {
    case SUCCESS: return "no error";
    case UNHANDLED_DEVICE_ERROR: return "unhandled device error";
    case INVALID_ARGUMENT: return "invalid argument";
    case INVALID_USAGE: return "invalid usage";
    case IN_PROGRESS: return "operation in progress";
    default: return "a scripted failure";
    }
}

FG_EXPORT const char *ncclGetLastError(struct comm *comm) {
    return comm ? "said by the fake" : "";
}

API ncclGetUniqueId(unique_id *id) {
    int injected = fg_enter("ncclGetUniqueId");
    memset(id, 0x2A, sizeof *id);
    /* One address, one id, whoever asks: NCCL's own rendezvous. */
    const char *address = getenv("NCCL_COMM_ID");
    pthread_mutex_lock(&lock);
    long number = ++last_id;
    for (const char *c = address; c && *c; c++) {
        number = (c == address ? 1L << 40 : number * 31) + *c;
    }
    memcpy(id, &number, sizeof number);
    pthread_mutex_unlock(&lock);
    return injected;
}

static struct clique *clique_of(long id, int ranks) {
    struct clique *clique = cliques;
    /* One address serves one group after another. */
    while (clique && (clique->id != id || clique->here == clique->ranks)) {
        clique = clique->next;
    }
    if (!clique) {
        clique = calloc(1, sizeof *clique);
        clique->id = id;
        clique->ranks = ranks;
        clique->next = cliques;
        cliques = clique;
    }
    return clique;
}

API ncclCommInitRankConfig(struct comm **made, int ranks, unique_id id, int rank, const struct config *config) {
    int injected = fg_enter("ncclCommInitRankConfig");
    int device = current_device();
    if (injected) {
        return injected;
    }
    for (size_t i = sizeof(long); i < sizeof id; i++) {
        if (id.internal[i] != 0x2A) {
            return INVALID_ARGUMENT;
        }
    }
    if (device < 0 || rank < 0 || rank >= ranks || ranks > MOST_RANKS || config->size != sizeof *config
            || (int) config->magic != CONFIG_MAGIC || config->version != 21800 || config->blocking != 0
            || config->cga_cluster_size != (int) 0x80000000 || config->min_ctas != (int) 0x80000000
            || config->max_ctas != (int) 0x80000000 || config->net_name || config->split_share != (int) 0x80000000) {
        return INVALID_ARGUMENT;
    }
    long number;
    memcpy(&number, &id, sizeof number);
    struct comm *comm = calloc(1, sizeof *comm);
    comm->rank = rank;
    comm->device = device;
    pthread_mutex_lock(&lock);
    comm->clique = clique_of(number, ranks);
    comm->clique->here++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    fg_counted(FG_COMMUNICATORS, 1);
    *made = comm;
    return IN_PROGRESS;
}

/* Every function of a communicator wants its device to be current. */
static int check(struct comm *comm, const char *function) {
    int injected = fg_enter(function);
    if (injected) {
        return injected;
    }
    if (!comm || comm->freed) {
        return INVALID_ARGUMENT;
    }
    return current_device() == comm->device ? SUCCESS : INVALID_USAGE;
}

API ncclCommGetAsyncError(struct comm *comm, int *error) {
    int injected = fg_enter("ncclCommGetAsyncError");
    *error = SUCCESS;
    if (injected) {
        return injected;
    }
    pthread_mutex_lock(&lock);
    int busy = comm->clique->here < comm->clique->ranks || comm->busy-- > 0;
    *error = comm->error ? comm->error : busy ? IN_PROGRESS : SUCCESS;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

API ncclCommFinalize(struct comm *comm) {
    int status = check(comm, "ncclCommFinalize");
    if (!status) {
        comm->busy = BUSY_ANSWERS;
    }
    return status ? status : IN_PROGRESS;
}

static int release(struct comm *comm, const char *function, int abort) {
    int status = check(comm, function);
    if (comm && !comm->freed) {
        pthread_mutex_lock(&lock);
        comm->freed = 1;
        comm->aborted = abort;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        fg_counted(FG_COMMUNICATORS, -1);
    }
    return status;
}

API ncclCommDestroy(struct comm *comm) {
    return release(comm, "ncclCommDestroy", 0);
}

API ncclCommAbort(struct comm *comm) {
    return release(comm, "ncclCommAbort", 1);
}

static struct meeting *meeting_of(struct clique *clique, long number) {
    struct meeting *meeting = clique->meetings;
    while (meeting && meeting->number != number) {
        meeting = meeting->next;
    }
    if (!meeting) {
        meeting = calloc(1, sizeof *meeting);
        meeting->number = number;
        meeting->next = clique->meetings;
        clique->meetings = meeting;
    }
    return meeting;
}

/*
 * Nobody goes on before everybody has copied. Who is aborted before that takes its memory along, so that nobody may look at
 * it from then on: the others wait until they are aborted too, as kernels do whose peer is gone.
 */
static void run_collective(struct work *work) {
    struct comm *comm = work->comm;
    int ranks = comm->clique->ranks;
    struct meeting *meeting = meeting_of(comm->clique, work->number);
    meeting->source[comm->rank] = work->source;
    meeting->came++;
    pthread_cond_broadcast(&changed);
    while ((meeting->came < ranks || meeting->broken) && !comm->aborted) {
        pthread_cond_wait(&changed, &lock);
    }
    if (!comm->aborted) {
        for (int rank = 0; rank < ranks; rank++) {
            char *target = work->target + (work->kind == ALL_GATHER ? rank * work->bytes : 0);
            if ((work->kind == ALL_GATHER || rank == work->root) && target != meeting->source[rank]) {
                memcpy(target, meeting->source[rank], work->bytes);
            }
        }
        meeting->done++;
        pthread_cond_broadcast(&changed);
        while (meeting->done < ranks && !comm->aborted) {
            pthread_cond_wait(&changed, &lock);
        }
    }
    meeting->broken |= meeting->done < ranks;
}

static struct parcel *parcel_for(struct clique *clique, int from, int to) {
    struct parcel *oldest = NULL;
    for (struct parcel *parcel = clique->parcels; parcel; parcel = parcel->next) {
        if (parcel->from == from && parcel->to == to && !parcel->taken) {
            oldest = parcel;
        }
    }
    return oldest;
}

static void run_pieces(struct work *work) {
    struct comm *comm = work->comm;
    struct parcel *sent[MOST_PIECES];
    int sends = 0;
    for (int i = 0; i < work->pieces; i++) {
        if (work->piece[i].is_send) {
            struct parcel *parcel = calloc(1, sizeof *parcel);
            parcel->from = comm->rank;
            parcel->to = work->piece[i].peer;
            parcel->source = work->piece[i].memory;
            parcel->bytes = work->piece[i].bytes;
            parcel->next = comm->clique->parcels;
            comm->clique->parcels = parcel;
            sent[sends++] = parcel;
        }
    }
    pthread_cond_broadcast(&changed);
    for (int i = 0; i < work->pieces; i++) {
        struct piece *piece = &work->piece[i];
        struct parcel *parcel = NULL;
        while (!piece->is_send && !(parcel = parcel_for(comm->clique, piece->peer, comm->rank)) && !comm->aborted) {
            pthread_cond_wait(&changed, &lock);
        }
        if (parcel) {
            memcpy(piece->memory, parcel->source, parcel->bytes < piece->bytes ? parcel->bytes : piece->bytes);
            parcel->taken = 1;
            pthread_cond_broadcast(&changed);
        }
    }
    for (int i = 0; i < sends; i++) {
        while (!sent[i]->taken && !comm->aborted) {
            pthread_cond_wait(&changed, &lock);
        }
        /* What was not fetched goes with its sender's memory. */
        sent[i]->taken = 1;
    }
}

/* On the stream's thread. */
static void run(void *data) {
    struct work *work = data;
    pthread_mutex_lock(&lock);
    if (work->kind == PIECES) {
        run_pieces(work);
    } else {
        run_collective(work);
    }
    pthread_mutex_unlock(&lock);
    free(work);
}

static int submit(struct work *work) {
    struct comm *comm = work->comm;
    comm->busy = BUSY_ANSWERS;
    if (fg_host_function(comm->device, work->stream, run, work)) {
        free(work);
        return UNHANDLED_DEVICE_ERROR;
    }
    return IN_PROGRESS;
}

static char *memory_at(uint64_t address, size_t bytes) {
    struct fg_place place;
    return fg_resolve(address, bytes, FG_DEVICE_MEMORY, &place) ? NULL : place.memory;
}

static int collective(const char *function, int kind, uint64_t source, uint64_t target, size_t bytes, size_t target_bytes,
                      int type, int root, struct comm *comm, struct fg_stream *stream) {
    int status = check(comm, function);
    if (status) {
        return status;
    }
    char *from = memory_at(source, bytes), *to = memory_at(target, target_bytes);
    if (!from || !to || type != 0 || root >= comm->clique->ranks) {
        return INVALID_ARGUMENT;
    }
    struct work *work = calloc(1, sizeof *work);
    work->comm = comm;
    work->stream = stream;
    work->kind = kind;
    work->number = comm->collectives++;
    work->root = root;
    work->source = from;
    work->target = to;
    work->bytes = bytes;
    return submit(work);
}

API ncclBroadcast(uint64_t source, uint64_t target, size_t bytes, int type, int root, struct comm *comm,
                  struct fg_stream *stream) {
    return collective("ncclBroadcast", BROADCAST, source, target, bytes, bytes, type, root, comm, stream);
}

API ncclAllGather(uint64_t source, uint64_t target, size_t bytes, int type, struct comm *comm,
                  struct fg_stream *stream) {
    return collective("ncclAllGather", ALL_GATHER, source, target, bytes, bytes * comm->clique->ranks, type, 0, comm,
                      stream);
}

static int transfer(const char *function, int is_send, uint64_t address, size_t bytes, int type, int peer,
                    struct comm *comm, struct fg_stream *stream) {
    int status = check(comm, function);
    if (status) {
        return status;
    }
    char *memory = memory_at(address, bytes);
    if (!memory || type != 0 || peer < 0 || peer >= comm->clique->ranks || peer == comm->rank) {
        return INVALID_ARGUMENT;
    }
    struct work *work = grouped ? grouped : calloc(1, sizeof *work);
    work->comm = comm;
    work->stream = stream;
    work->kind = PIECES;
    work->piece[work->pieces++] = (struct piece) {peer, is_send, memory, bytes};
    if (group_depth) {
        grouped = work;
        return SUCCESS;
    }
    return submit(work);
}

API ncclSend(uint64_t address, size_t bytes, int type, int peer, struct comm *comm, struct fg_stream *stream) {
    return transfer("ncclSend", 1, address, bytes, type, peer, comm, stream);
}

API ncclRecv(uint64_t address, size_t bytes, int type, int peer, struct comm *comm, struct fg_stream *stream) {
    return transfer("ncclRecv", 0, address, bytes, type, peer, comm, stream);
}

API ncclGroupStart(void) {
    int injected = fg_enter("ncclGroupStart");
    group_depth += !injected;
    return injected;
}

API ncclGroupEnd(void) {
    int injected = fg_enter("ncclGroupEnd");
    struct work *work = grouped;
    if (!group_depth || --group_depth) {
        return injected;
    }
    grouped = NULL;
    if (injected) {
        free(work);
        return injected;
    }
    return work ? submit(work) : SUCCESS;
}
