/* The shared kernels as plain C functions. fst_kernels.h is fst_kernels.c, written next to this file before it is compiled. */
#include "fake_gpu.h"

#include <string.h>

#include "fst_kernels.h"

fg_kernel *fg_kernel_named(const char *name) {
    for (int i = 0; fst_kernel_table[i].name; i++) {
        if (!strcmp(fst_kernel_table[i].name, name)) {
            return (fg_kernel *) fst_kernel_table[i].function;
        }
    }
    return NULL;
}

size_t fg_kernel_launch_size(void) {
    return sizeof(struct fst_launch);
}
