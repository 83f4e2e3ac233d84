/* hiprtc that compiles nothing: a "code object" says for which architecture it was asked. */
#include "fake_gpu.h"
#include "fake_hip_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS, OUT_OF_MEMORY, CREATION_FAILURE, INVALID_INPUT, INVALID_PROGRAM, INVALID_OPTION, COMPILATION };
enum { PROGRAM = 0x9406, LONGEST = 256 };

typedef int hiprtcResult;
typedef struct program {
    int magic;
    char code[LONGEST], log[LONGEST];
} *hiprtcProgram;

#define API FG_EXPORT hiprtcResult
#define ENTER(name) \
    int injected = fg_enter(name); \
    if (injected) { \
        return injected; \
    } \
    if (!program || program->magic != PROGRAM) { \
        return INVALID_PROGRAM; \
    }

FG_EXPORT const char *hiprtcGetErrorString(hiprtcResult result) {
    static const char *const names[] = {"HIPRTC_SUCCESS", "HIPRTC_ERROR_OUT_OF_MEMORY",
        "HIPRTC_ERROR_PROGRAM_CREATION_FAILURE", "HIPRTC_ERROR_INVALID_INPUT", "HIPRTC_ERROR_INVALID_PROGRAM",
        "HIPRTC_ERROR_INVALID_OPTION", "HIPRTC_ERROR_COMPILATION"};
    return result >= SUCCESS && result <= COMPILATION ? names[result] : "HIPRTC_ERROR_INTERNAL_ERROR";
}

API hiprtcVersion(int *major, int *minor) {
    *major = 9;
    *minor = 0;
    return fg_enter("hiprtcVersion");
}

API hiprtcCreateProgram(hiprtcProgram *created, const char *source, const char *name, int header_count,
                        const char *const *headers, const char *const *include_names) {
    int injected = fg_enter("hiprtcCreateProgram");
    if (injected) {
        return injected;
    }
    if (!source || !*source || header_count || headers || include_names || !name) {
        return INVALID_INPUT;
    }
    hiprtcProgram program = calloc(1, sizeof *program);
    program->magic = PROGRAM;
    *created = program;
    fg_counted(FG_PROGRAMS, 1);
    return SUCCESS;
}

API hiprtcDestroyProgram(hiprtcProgram *handle) {
    int injected = fg_enter("hiprtcDestroyProgram");
    if (!handle || !*handle || (*handle)->magic != PROGRAM) {
        return INVALID_PROGRAM;
    }
    (*handle)->magic = 0;
    free(*handle);
    *handle = NULL;
    fg_counted(FG_PROGRAMS, -1);
    return injected;
}

API hiprtcCompileProgram(hiprtcProgram program, int count, const char *const *options) {
    static const char arch[] = "--offload-arch=";
    if (program && program->magic == PROGRAM) {
        snprintf(program->log, sizeof program->log, "fst_kernels:1:1: error: told to fail\n");
    }
    ENTER("hiprtcCompileProgram")
    const char *asked = NULL;
    for (int i = 0; i < count; i++) {
        if (!strncmp(options[i], arch, strlen(arch))) {
            asked = options[i] + strlen(arch);
        }
    }
    if (!asked) {
        snprintf(program->log, sizeof program->log, "no architecture\n");
        return INVALID_OPTION;
    }
    program->log[0] = '\0';
    snprintf(program->code, sizeof program->code, "%s%s", FAKE_HIP_CODE, asked);
    fg_counted(FG_COMPILATIONS, 1);
    return SUCCESS;
}

API hiprtcGetProgramLogSize(hiprtcProgram program, size_t *size) {
    ENTER("hiprtcGetProgramLogSize")
    *size = strlen(program->log) + 1;
    return SUCCESS;
}

API hiprtcGetProgramLog(hiprtcProgram program, char *log) {
    ENTER("hiprtcGetProgramLog")
    strcpy(log, program->log);
    return SUCCESS;
}

API hiprtcGetCodeSize(hiprtcProgram program, size_t *size) {
    ENTER("hiprtcGetCodeSize")
    *size = program->code[0] ? strlen(program->code) + 1 : 0;
    return program->code[0] ? SUCCESS : INVALID_PROGRAM;
}

API hiprtcGetCode(hiprtcProgram program, char *code) {
    ENTER("hiprtcGetCode")
    strcpy(code, program->code);
    return program->code[0] ? SUCCESS : INVALID_PROGRAM;
}
