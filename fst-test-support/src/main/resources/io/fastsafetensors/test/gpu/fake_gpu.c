/* The fake GPU's account book: devices, failures on demand, counters, memory. */
#define _GNU_SOURCE
#include "fake_gpu_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST_DEVICES = 16, MOST_FUNCTIONS = 160, MOST_FAILURES = 32, MOST_ATTRIBUTES = 32, PAGE = 4096 };
/* What drivers promise, and no more, so that nobody relies on more. */
enum { DEVICE_ALIGNMENT = 256 };
/* Smaller allocations are filled, so that nobody takes undefined contents for zeros. */
enum { FILLED = 1 << 20, FILLER = 0xCD };

pthread_mutex_t fg_lock = PTHREAD_MUTEX_INITIALIZER;

struct range {
    enum { DEVICE, PINNED, REGISTERED } kind;
    int device;
    uint64_t address;
    size_t bytes;
    char *storage;   /* what is read and written; for host memory the address itself */
    char *mapping;   /* what is unmapped in the end */
    char *reserved;  /* DEVICE: the range without access that the address lies in */
    size_t mapped;
    struct range *next;
};

static struct range *ranges;
static size_t memory_total = (size_t) 8 << 30;
static size_t host_total = (size_t) 4 << 30;
static int device_total = 4;
static size_t used[MOST_DEVICES];
static size_t pinned_bytes;
static long counters[FG_COUNTERS];
static struct { char name[48]; long calls; } functions[MOST_FUNCTIONS];
static struct { char name[48]; long left; int status; } failures[MOST_FAILURES];
static struct { int attribute, value; } attributes[MOST_ATTRIBUTES];
static int failure_count, attribute_count;

static long from_environment(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtol(text, NULL, 10) : otherwise;
}

static int add_failure(const char *name, long nth, int status) {
    if (failure_count == MOST_FAILURES || nth < 1 || strlen(name) >= sizeof failures[0].name) {
        return FG_INVALID_VALUE;
    }
    strcpy(failures[failure_count].name, name);
    failures[failure_count].left = nth;
    failures[failure_count++].status = status;
    return FG_SUCCESS;
}

/* FAKE_GPU_FAIL=function:nth:status,... ; FAKE_GPU_DEVICES, FAKE_GPU_MEMORY, FAKE_GPU_HOST_MEMORY (bytes),
 * FAKE_GPU_DELAY (microseconds). */
__attribute__((constructor)) static void configure(void) {
    device_total = (int) from_environment("FAKE_GPU_DEVICES", device_total);
    if (device_total > MOST_DEVICES) {
        device_total = MOST_DEVICES;
    }
    memory_total = (size_t) from_environment("FAKE_GPU_MEMORY", (long) memory_total);
    host_total = (size_t) from_environment("FAKE_GPU_HOST_MEMORY", (long) host_total);
    fake_gpu_delay(from_environment("FAKE_GPU_DELAY", 0));
    const char *text = getenv("FAKE_GPU_FAIL");
    for (char name[48]; text && *text;) {
        long nth;
        int status, length = 0;
        if (sscanf(text, "%47[^:]:%ld:%d%n", name, &nth, &status, &length) != 3 || add_failure(name, nth, status)) {
            fprintf(stderr, "FAKE_GPU_FAIL: expected function:nth:status, not %s\n", text);
            abort();
        }
        text += length;
        text += *text == ',';
    }
}

int fg_enter(const char *function) {
    int status = FG_SUCCESS;
    pthread_mutex_lock(&fg_lock);
    int i = 0;
    while (i < MOST_FUNCTIONS - 1 && functions[i].name[0] && strcmp(functions[i].name, function)) {
        i++;
    }
    strncpy(functions[i].name, function, sizeof functions[i].name - 1);
    functions[i].calls++;
    for (int f = 0; f < failure_count; f++) {
        int any = !strcmp(failures[f].name, "*") && function[0] != '@';
        if ((any || !strcmp(failures[f].name, function)) && --failures[f].left == 0) {
            status = failures[f].status;
        }
    }
    pthread_mutex_unlock(&fg_lock);
    return status;
}

void fg_counted(enum fg_counter counter, int change) {
    __atomic_add_fetch(&counters[counter], change, __ATOMIC_SEQ_CST);
}

int fg_device_count(void) {
    return device_total;
}

void fg_pci_bus_id(int device, char *text, size_t length) {
    snprintf(text, length, "0000:%02x:00.0", device + 1);
}

void fg_device_name(int device, char *text, size_t length) {
    snprintf(text, length, "Fake GPU %d", device);
}

int fg_attribute(int attribute, int otherwise) {
    pthread_mutex_lock(&fg_lock);
    for (int i = 0; i < attribute_count; i++) {
        if (attributes[i].attribute == attribute) {
            otherwise = attributes[i].value;
        }
    }
    pthread_mutex_unlock(&fg_lock);
    return otherwise;
}

void fg_memory(int device, size_t *free_bytes, size_t *total_bytes) {
    pthread_mutex_lock(&fg_lock);
    *free_bytes = used[device] < memory_total ? memory_total - used[device] : 0;
    *total_bytes = memory_total;
    pthread_mutex_unlock(&fg_lock);
}

static char *map(size_t bytes, int protection) {
    void *memory = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void add_range(struct range *range, enum fg_counter counter) {
    range->next = ranges;
    ranges = range;
    counters[counter]++;
}

/* Takes the range that starts here out of the list; NULL if there is none. Call with the lock held. */
static struct range *take_range(uint64_t address, int kind) {
    for (struct range **link = &ranges; *link; link = &(*link)->next) {
        if ((*link)->address == address && (int) (*link)->kind == kind) {
            struct range *range = *link;
            *link = range->next;
            return range;
        }
    }
    return NULL;
}

int fg_allocate(int device, size_t bytes, uint64_t *address) {
    /* Ends as near to the page without access behind it as the alignment allows. */
    size_t lead = (PAGE - bytes % PAGE) % PAGE / DEVICE_ALIGNMENT * DEVICE_ALIGNMENT;
    size_t inner = (bytes + DEVICE_ALIGNMENT + PAGE - 1) / PAGE * PAGE;
    struct range *range = calloc(1, sizeof *range);
    pthread_mutex_lock(&fg_lock);
    int status = bytes > memory_total || used[device] > memory_total - bytes ? FG_OUT_OF_MEMORY : FG_SUCCESS;
    if (!status) {
        range->reserved = map(inner, PROT_NONE);
        range->mapping = map(inner + 2 * PAGE, PROT_NONE);
        if (!range->reserved || !range->mapping || mprotect(range->mapping + PAGE, inner, PROT_READ | PROT_WRITE)) {
            status = FG_OUT_OF_MEMORY;
        }
    }
    if (!status) {
        range->kind = DEVICE;
        range->device = device;
        range->bytes = bytes;
        range->mapped = inner;
        range->address = (uint64_t) range->reserved + DEVICE_ALIGNMENT;
        range->storage = range->mapping + PAGE + lead;
        if (bytes <= FILLED) {
            memset(range->storage, FILLER, bytes);
        }
        used[device] += bytes;
        add_range(range, FG_ALLOCATIONS);
        *address = range->address;
    }
    pthread_mutex_unlock(&fg_lock);
    if (status) {
        free(range);
    }
    return status;
}

int fg_free(uint64_t address) {
    enum fg_space space;
    int device;
    uint64_t base;
    if (fg_describe(address, &space, &device, &base, NULL) || space != FG_DEVICE_MEMORY || base != address) {
        return FG_INVALID_VALUE;
    }
    int status = fg_device_synchronize(device);
    pthread_mutex_lock(&fg_lock);
    struct range *range = take_range(address, DEVICE);
    if (range) {
        used[device] -= range->bytes;
        counters[FG_ALLOCATIONS]--;
    }
    pthread_mutex_unlock(&fg_lock);
    if (!range) {
        return FG_INVALID_VALUE;
    }
    munmap(range->reserved, range->mapped);
    munmap(range->mapping, range->mapped + 2 * PAGE);
    free(range);
    return status;
}

static int add_host_range(int kind, void *memory, size_t bytes, size_t mapped) {
    struct range *range = calloc(1, sizeof *range);
    range->kind = kind;
    range->device = -1;
    range->address = (uint64_t) memory;
    range->storage = memory;
    range->mapping = memory;
    range->bytes = bytes;
    range->mapped = mapped;
    add_range(range, kind == PINNED ? FG_PINNED : FG_REGISTRATIONS);
    pinned_bytes += bytes;
    return FG_SUCCESS;
}

int fg_allocate_pinned(size_t bytes, void **memory) {
    size_t mapped = (bytes + PAGE - 1) / PAGE * PAGE;
    int status = FG_OUT_OF_MEMORY;
    pthread_mutex_lock(&fg_lock);
    if (bytes <= host_total && pinned_bytes <= host_total - bytes) {
        *memory = map(mapped, PROT_READ | PROT_WRITE);
        if (*memory) {
            status = add_host_range(PINNED, *memory, bytes, mapped);
        }
    }
    pthread_mutex_unlock(&fg_lock);
    return status;
}

static void synchronize_all(void) {
    for (int device = 0; device < device_total; device++) {
        fg_device_synchronize(device);
    }
}

int fg_free_pinned(void *memory) {
    synchronize_all();
    pthread_mutex_lock(&fg_lock);
    struct range *range = take_range((uint64_t) memory, PINNED);
    if (range) {
        pinned_bytes -= range->bytes;
        counters[FG_PINNED]--;
    }
    pthread_mutex_unlock(&fg_lock);
    if (!range) {
        return FG_INVALID_VALUE;
    }
    munmap(range->mapping, range->mapped);
    free(range);
    return FG_SUCCESS;
}

/* Whether every page of the range is mapped with the access. */
static int is_mapped(uint64_t from, size_t bytes, char access) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned long begin, end;
    char rights[8];
    uint64_t at = from;
    while (maps && at < from + bytes && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &begin, &end, rights) == 3 && begin <= at && at < end) {
            if (!strchr(rights, access)) {
                break;
            }
            at = end;
        }
    }
    if (maps) {
        fclose(maps);
    }
    return at >= from + bytes;
}

int fg_register(void *memory, size_t bytes, int read_only) {
    uint64_t address = (uint64_t) memory;
    int status = FG_SUCCESS;
    if (!memory || !bytes || !is_mapped(address, bytes, read_only ? 'r' : 'w')) {
        return FG_INVALID_VALUE;
    }
    pthread_mutex_lock(&fg_lock);
    for (struct range *range = ranges; range; range = range->next) {
        if (range->kind != DEVICE && address < range->address + range->bytes && range->address < address + bytes) {
            status = FG_ALREADY_REGISTERED;
        }
    }
    if (!status) {
        status = add_host_range(REGISTERED, memory, bytes, 0);
    }
    pthread_mutex_unlock(&fg_lock);
    return status;
}

int fg_unregister(void *memory) {
    synchronize_all();
    pthread_mutex_lock(&fg_lock);
    struct range *range = take_range((uint64_t) memory, REGISTERED);
    if (range) {
        pinned_bytes -= range->bytes;
        counters[FG_REGISTRATIONS]--;
    }
    pthread_mutex_unlock(&fg_lock);
    free(range);
    return range ? FG_SUCCESS : FG_NOT_REGISTERED;
}

static struct range *find_range(uint64_t address, size_t bytes) {
    for (struct range *range = ranges; range; range = range->next) {
        if (address >= range->address && address - range->address <= range->bytes
                && bytes <= range->bytes - (address - range->address)) {
            return range;
        }
    }
    return NULL;
}

int fg_describe(uint64_t address, enum fg_space *space, int *device, uint64_t *base, size_t *bytes) {
    pthread_mutex_lock(&fg_lock);
    struct range *range = find_range(address, 1);
    if (!range) {
        range = find_range(address, 0);
    }
    if (range && space) {
        *space = range->kind == DEVICE ? FG_DEVICE_MEMORY : FG_HOST_MEMORY;
    }
    if (range && device) {
        *device = range->device;
    }
    if (range && base) {
        *base = range->address;
    }
    if (range && bytes) {
        *bytes = range->bytes;
    }
    pthread_mutex_unlock(&fg_lock);
    return range ? FG_SUCCESS : FG_INVALID_VALUE;
}

int fg_resolve(uint64_t address, size_t bytes, enum fg_space space, struct fg_place *place) {
    pthread_mutex_lock(&fg_lock);
    struct range *range = find_range(address, bytes);
    int on_device = range && range->kind == DEVICE;
    int status = FG_SUCCESS;
    if (!address || (space == FG_DEVICE_MEMORY && !on_device) || (space == FG_HOST_MEMORY && on_device)) {
        status = FG_INVALID_VALUE;
    } else {
        place->memory = range ? range->storage + (address - range->address) : (char *) address;
        place->pageable = !range;
    }
    pthread_mutex_unlock(&fg_lock);
    return status;
}

int fake_gpu_fail(const char *function, long nth, int status) {
    pthread_mutex_lock(&fg_lock);
    int result = add_failure(function, nth, status);
    pthread_mutex_unlock(&fg_lock);
    return result;
}

void fake_gpu_reset(void) {
    fake_gpu_hold(0);
    fake_gpu_delay(0);
    synchronize_all();
    fg_forget_errors();
    pthread_mutex_lock(&fg_lock);
    failure_count = 0;
    attribute_count = 0;
    memset(functions, 0, sizeof functions);
    pthread_mutex_unlock(&fg_lock);
}

long fake_gpu_calls(const char *function) {
    long calls = 0;
    pthread_mutex_lock(&fg_lock);
    for (int i = 0; i < MOST_FUNCTIONS; i++) {
        if (!strcmp(function, "*") ? functions[i].name[0] != '@' : !strcmp(functions[i].name, function)) {
            calls += functions[i].calls;
        }
    }
    pthread_mutex_unlock(&fg_lock);
    return calls;
}

static long allocated(void) {
    size_t bytes = 0;
    for (int device = 0; device < MOST_DEVICES; device++) {
        bytes += used[device];
    }
    return (long) bytes;
}

long fake_gpu_count(const char *what) {
    static const char *const names[FG_COUNTERS] = {"allocations", "pinned", "registrations", "streams", "events",
        "contexts", "modules", "programs", "communicators",
        "pageableCopies", "launches", "compilations"};
    long count = -1;
    pthread_mutex_lock(&fg_lock);
    if (!strcmp(what, "allocatedBytes")) {
        count = allocated();
    } else if (!strcmp(what, "pinnedBytes")) {
        count = (long) pinned_bytes;
    } else if (!strcmp(what, "all")) {
        count = 0;
        for (int i = 0; i <= FG_COMMUNICATORS; i++) {
            count += counters[i];
        }
    }
    for (int i = 0; i < FG_COUNTERS; i++) {
        if (!strcmp(what, names[i])) {
            count = counters[i];
        }
    }
    pthread_mutex_unlock(&fg_lock);
    return count;
}

void fake_gpu_memory(long bytes) {
    pthread_mutex_lock(&fg_lock);
    memory_total = (size_t) bytes;
    pthread_mutex_unlock(&fg_lock);
}

void fake_gpu_attribute(int attribute, int value) {
    pthread_mutex_lock(&fg_lock);
    if (attribute_count < MOST_ATTRIBUTES) {
        attributes[attribute_count].attribute = attribute;
        attributes[attribute_count++].value = value;
    }
    pthread_mutex_unlock(&fg_lock);
}
