/* Preloaded: a system on which no HIP library is installed, whatever is. Absolute paths are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

void *dlopen(const char *name, int flags) {
    static void *(*real)(const char *, int);
    if (!real) {
        real = (void *(*)(const char *, int)) dlsym(RTLD_NEXT, "dlopen");
    }
    return real(name && !strncmp(name, "libamdhip64", strlen("libamdhip64")) ? "no such library" : name, flags);
}
