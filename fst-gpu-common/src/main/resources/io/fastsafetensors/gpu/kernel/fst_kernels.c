/*
 * The device kernels of fst: conversion between element types, strided gather, and de-quantisation.
 *
 * One text for four languages, chosen by the compiler's predefined macros: CUDA C++ (nvcc, nvrtc), HIP (hipcc, hiprtc),
 * OpenCL C 1.2 and C11. It needs no option and no extension. All arithmetic is on integers, but for fst_sum and
 * fst_normal_product, whose results IEEE 754 says to the bit; so every device gives the same bits. The devices are little-endian.
 *
 * How a backend uses it. Compile the text, once per device; io.fastsafetensors.gpu.kernel.KernelPlan says which
 * functions to launch for a request and gives the values of the arguments. Every function has the same five:
 *
 *     source        pointer to the source's buffer (OpenCL: the cl_mem), aligned to 128 bytes or more
 *     sourceOffset  bytes from there to the source's first byte
 *     target        pointer to the target's buffer, aligned likewise; does not overlap the source
 *     targetOffset  bytes from there to the target's first byte
 *     launch        struct fst_launch, by value: the bytes of KernelCall.parameters()
 *
 * The launch is one-dimensional, KernelCall.groups() groups (blocks) of KernelCall.groupSize() work items (threads).
 * Every function loops until the work is done, so another geometry gives the same bytes; groups times group size stays
 * below 2^28. Some functions have up to 16 KiB of local (shared) memory and barriers.
 *
 * In C a function runs all work items of the launch before it returns; two more arguments are the geometry, and launch
 * is passed by pointer. fst_kernel_table lists the functions by name and ends with a NULL.
 */

#if defined(__OPENCL_VERSION__) || defined(__OPENCL_C_VERSION__)
#define FST_OPENCL
#define FST_GLOBAL __global
#define FST_RESTRICT restrict
#define FST_LOCAL __local
#define FST_INLINE static inline
#define FST_NO_INLINE static
#define FST_UNROLL _Pragma("unroll")
#define FST_KEEP_LOOP _Pragma("unroll 1")
#define FST_UNROLL_4 _Pragma("unroll 4")
typedef uchar fst_u8;
typedef ushort fst_u16;
typedef uint fst_u32;
typedef int fst_i32;
typedef ulong fst_u64;
#elif defined(__CUDACC__) || defined(__HIPCC__) || defined(__HIPCC_RTC__)
#define FST_GLOBAL
#define FST_RESTRICT __restrict__
#define FST_LOCAL
#define FST_INLINE static __device__ __forceinline__
/* A static function gets a name that is another in each compilation. */
#define FST_NO_INLINE extern "C" __device__ __noinline__
#define FST_UNROLL _Pragma("unroll")
#define FST_KEEP_LOOP _Pragma("unroll 1")
#define FST_UNROLL_4 _Pragma("unroll 4")
typedef unsigned char fst_u8;
typedef unsigned short fst_u16;
typedef unsigned int fst_u32;
typedef int fst_i32;
typedef unsigned long long fst_u64;
#if defined(__CUDACC__) && !defined(__HIP__)
#define FST_CUDA
/* The structure is read where the driver puts it, not copied to each thread's stack. */
#define FST_BY_VALUE __grid_constant__ const
#else
#define FST_BY_VALUE const
#endif
#else
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#define FST_C
#define FST_GLOBAL
#define FST_RESTRICT restrict
#define FST_INLINE static inline
#define FST_UNROLL
#define FST_KEEP_LOOP
#define FST_UNROLL_4
#define FST_LOCAL
#define FST_NO_INLINE static
typedef uint8_t fst_u8;
typedef uint16_t fst_u16;
typedef uint32_t fst_u32;
typedef int32_t fst_i32;
typedef uint64_t fst_u64;
#endif

/* What is compiled: 0 all functions, 1 those but fst_table, fst_narrow and fst_wide, 2 only these. */
#if !defined(FST_PART)
#define FST_PART 0
#endif

/* What an element's bits mean. */
#define FST_BOOL 0
#define FST_UNSIGNED 1
#define FST_SIGNED 2
/* Infinities, and NaN with payloads. */
#define FST_IEEE 3
/* One NaN of each sign, at all ones; no infinity. */
#define FST_ONE_NAN_A_SIGN 4
/* One NaN, where negative zero would be; no infinity. */
#define FST_NAN_FOR_NEGATIVE_ZERO 5
#define FST_NUMBERS_ONLY 6
/* Powers of two without sign; all ones is NaN. */
#define FST_SCALE 7

struct fst_format {
    fst_u32 kind;
    fst_u32 bits;
    fst_u32 mantissa_bits;
    fst_u32 bias;
};

/*
 * What a call does. The Java class io.fastsafetensors.gpu.kernel.Launch writes it;
 * the fields are ordered so that there are no holes.
 *
 * Functions on units (fst_copy and fst_A_to_B): a unit is as many elements as 16 bytes of the wider side hold. Element
 * head is the first of unit 0. The source may be rows: a row has dims[0] units and dims[1] elements, and strides[0]
 * bytes of the source are skipped after it; multipliers of zero mean that there is but one row.
 *
 * Others: item i of the target is found in the source by the index of i in each dimension, times that one's stride.
 */
struct fst_launch {
    /* Bytes between neighbours, two's complement; innermost dimension first. */
    fst_u64 strides[8];
    fst_u32 dims[8];
    /* i / dims[d] is the upper half of i * multipliers[d], shifted right by shifts[d]. */
    fst_u32 multipliers[8];
    fst_u32 shifts[8];
    /* How many dimensions; 0 if the source is contiguous. */
    fst_u32 rank;
    /* Elements, or items of a gather without conversion. */
    fst_u32 count;
    /* fst_convert: elements that one work item converts. */
    fst_u32 chunk;
    /* Whether every unit of the source is aligned to its own size. If not, the four bytes after each may be read. */
    fst_u32 aligned;
    fst_u32 head;
    /* How many units. */
    fst_u32 end;
    /* The first element after the units. */
    fst_u32 tail;
    /* How many elements are in no unit: those before head, and those from tail on; fst_pick: whether it reverses. */
    fst_u32 edges;
    struct fst_format from;
    struct fst_format to;
};

/* Where a work item stands in the launch. */
struct fst_item {
    fst_u32 group;
    fst_u32 groups;
    fst_u32 member;
    fst_u32 size;
};

/* Defines function NAME, which runs NAME_item for every work item. */
#if defined(FST_C)
#define FST_KERNEL(name)                                                                                               \
    void name(const void *source, fst_u64 source_offset, void *target, fst_u64 target_offset,                          \
              const struct fst_launch *launch, fst_u32 groups, fst_u32 group_size)                                     \
    {                                                                                                                  \
        struct fst_item item = {0, groups, 0, group_size};                                                             \
        for (item.group = 0; item.group < groups; item.group++) {                                                      \
            for (item.member = 0; item.member < group_size; item.member++) {                                           \
                name##_item((const fst_u8 *)source, source_offset, (fst_u8 *)target, target_offset, launch, item);     \
            }                                                                                                          \
        }                                                                                                              \
    }
#elif defined(FST_OPENCL)
#define FST_KERNEL(name)                                                                                               \
    __kernel void name(__global const fst_u8 *restrict source, fst_u64 source_offset,                                  \
                       __global fst_u8 *restrict target, fst_u64 target_offset, struct fst_launch launch)              \
    {                                                                                                                  \
        struct fst_item item;                                                                                          \
        item.group = (fst_u32)get_group_id(0);                                                                         \
        item.groups = (fst_u32)get_num_groups(0);                                                                      \
        item.member = (fst_u32)get_local_id(0);                                                                        \
        item.size = (fst_u32)get_local_size(0);                                                                        \
        name##_item(source, source_offset, target, target_offset, &launch, item);                                      \
    }
#else
#define FST_KERNEL(name)                                                                                               \
    extern "C" __global__ void name(const fst_u8 *__restrict__ source, fst_u64 source_offset,                          \
                                    fst_u8 *__restrict__ target, fst_u64 target_offset,                                \
                                    FST_BY_VALUE struct fst_launch launch)                                             \
    {                                                                                                                  \
        struct fst_item item = {blockIdx.x, gridDim.x, threadIdx.x, blockDim.x};                                       \
        name##_item(source, source_offset, target, target_offset, &launch, item);                                      \
    }
#endif

/* The parameters of every NAME_item. */
#define FST_ARGUMENTS                                                                                                  \
    const FST_GLOBAL fst_u8 *FST_RESTRICT source, fst_u64 source_offset, FST_GLOBAL fst_u8 *FST_RESTRICT target,       \
        fst_u64 target_offset, const struct fst_launch *launch, struct fst_item item

/* Local memory of a group. */
union fst_table {
    fst_u8 bytes[256];
    fst_u16 halves[256];
    fst_u32 words[256];
    fst_u64 longs[256];
};

union fst_tile {
    fst_u8 bytes[16384];
    fst_u16 halves[8192];
    fst_u32 words[4096];
    fst_u64 longs[2048];
};

/*
 * Defines function NAME, whose groups go through rounds of two stages: in each of NAME_rounds rounds every work item of a
 * group runs NAME_first, and when all have, NAME_second. The rounds are dealt out to the groups.
 */
#define FST_STAGE_ARGUMENTS(memory)                                                                                    \
    FST_ARGUMENTS, FST_LOCAL union memory *shared, fst_u32 round
#if defined(FST_C)
#define FST_STAGED_KERNEL(name, memory)                                                                                \
    void name(const void *source, fst_u64 source_offset, void *target, fst_u64 target_offset,                          \
              const struct fst_launch *launch, fst_u32 groups, fst_u32 group_size)                                     \
    {                                                                                                                  \
        union memory shared;                                                                                            \
        struct fst_item item = {0, groups, 0, group_size};                                                             \
        fst_u32 rounds = name##_rounds(launch, groups);                                                                \
        for (item.group = 0; item.group < groups; item.group++) {                                                      \
            for (fst_u32 round = item.group; round < rounds; round += groups) {                                        \
                for (item.member = 0; item.member < group_size; item.member++) {                                       \
                    name##_first((const fst_u8 *)source, source_offset, (fst_u8 *)target, target_offset, launch, item, \
                                 &shared, round);                                                                       \
                }                                                                                                      \
                for (item.member = 0; item.member < group_size; item.member++) {                                       \
                    name##_second((const fst_u8 *)source, source_offset, (fst_u8 *)target, target_offset, launch,      \
                                  item, &shared, round);                                                                \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
#elif defined(FST_OPENCL)
#define FST_STAGED_KERNEL(name, memory)                                                                                \
    __kernel void name(__global const fst_u8 *restrict source, fst_u64 source_offset,                                  \
                       __global fst_u8 *restrict target, fst_u64 target_offset, struct fst_launch launch)              \
    {                                                                                                                  \
        __local union memory shared;                                                                                    \
        struct fst_item item;                                                                                          \
        item.group = (fst_u32)get_group_id(0);                                                                         \
        item.groups = (fst_u32)get_num_groups(0);                                                                      \
        item.member = (fst_u32)get_local_id(0);                                                                        \
        item.size = (fst_u32)get_local_size(0);                                                                        \
        fst_u32 rounds = name##_rounds(&launch, item.groups);                                                          \
        for (fst_u32 round = item.group; round < rounds; round += item.groups) {                                       \
            name##_first(source, source_offset, target, target_offset, &launch, item, &shared, round);                  \
            barrier(CLK_LOCAL_MEM_FENCE);                                                                              \
            name##_second(source, source_offset, target, target_offset, &launch, item, &shared, round);                 \
            barrier(CLK_LOCAL_MEM_FENCE);                                                                              \
        }                                                                                                              \
    }
#else
#define FST_STAGED_KERNEL(name, memory)                                                                                \
    extern "C" __global__ void name(const fst_u8 *__restrict__ source, fst_u64 source_offset,                          \
                                    fst_u8 *__restrict__ target, fst_u64 target_offset,                                \
                                    FST_BY_VALUE struct fst_launch launch)                                             \
    {                                                                                                                  \
        __shared__ union memory shared;                                                                                 \
        struct fst_item item = {blockIdx.x, gridDim.x, threadIdx.x, blockDim.x};                                       \
        fst_u32 rounds = name##_rounds(&launch, item.groups);                                                          \
        for (fst_u32 round = item.group; round < rounds; round += item.groups) {                                       \
            name##_first(source, source_offset, target, target_offset, &launch, item, &shared, round);                  \
            __syncthreads();                                                                                           \
            name##_second(source, source_offset, target, target_offset, &launch, item, &shared, round);                 \
            __syncthreads();                                                                                           \
        }                                                                                                              \
    }
#endif

/*
 * Units or items that a work item has in flight. With as many work items as fit, two of 16 bytes keep the memory of a
 * large GPU busy while they convert, and more would only make longer code; what only moves bytes takes more.
 */
#define FST_CONVERTING 2
#define FST_MOVING 4

/* ---- arithmetic that the languages spell differently ---- */

FST_INLINE fst_u32 fst_min(fst_u32 a, fst_u32 b)
{
    return a < b ? a : b;
}

FST_INLINE fst_i32 fst_smaller(fst_i32 a, fst_i32 b)
{
    return a < b ? a : b;
}

FST_INLINE fst_i32 fst_larger(fst_i32 a, fst_i32 b)
{
    return a > b ? a : b;
}

/* The sum of two F32 as bits: rounded to nearest, ties to even, as every language here does unless told otherwise. */
FST_INLINE fst_u32 fst_sum(fst_u32 a, fst_u32 b)
{
#if defined(FST_C)
    float x;
    float y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    x += y;
    memcpy(&a, &x, sizeof x);
    return a;
#elif defined(FST_OPENCL)
    return as_uint(as_float(a) + as_float(b));
#else
    return __float_as_uint(__uint_as_float(a) + __uint_as_float(b));
#endif
}

/* 32 for 0. */
FST_INLINE fst_u32 fst_leading_zeros(fst_u32 x)
{
#if defined(FST_C)
    return x == 0 ? 32 : (fst_u32)__builtin_clz(x);
#elif defined(FST_OPENCL)
    return clz(x);
#else
    return (fst_u32)__clz((int)x);
#endif
}

FST_INLINE fst_u32 fst_upper_product(fst_u32 a, fst_u32 b)
{
#if defined(FST_C)
    return (fst_u32)((fst_u64)a * b >> 32);
#elif defined(FST_OPENCL)
    return mul_hi(a, b);
#else
    return __umulhi(a, b);
#endif
}

/* n / dims[d], for n below 2^31. */
FST_INLINE fst_u32 fst_divide(fst_u32 n, const struct fst_launch *launch, fst_u32 d)
{
    return fst_upper_product(n, launch->multipliers[d]) >> launch->shifts[d];
}

/* n / dims[d], also by 1. */
FST_INLINE fst_u32 fst_quotient(fst_u32 n, const struct fst_launch *launch, fst_u32 d)
{
    return launch->dims[d] == 1 ? n : fst_divide(n, launch, d);
}

/* All ones if a > b, else 0; both below 2^31. Unlike a comparison it never becomes a branch. */
FST_INLINE fst_u32 fst_above(fst_u32 a, fst_u32 b)
{
    return (fst_u32)((fst_i32)(b - a) >> 31);
}

/* Bytes 1 and 3 of a, then those of b. */
FST_INLINE fst_u32 fst_odd_bytes(fst_u32 a, fst_u32 b)
{
#if defined(FST_CUDA)
    return __byte_perm(a, b, 0x7531);
#else
    return (a >> 8 & 0xFF) | (a >> 16 & 0xFF00) | (b << 8 & 0xFF0000) | (b & 0xFF000000u);
#endif
}

/* Bytes 0 and 1 as the upper bytes of two halves, above zeros. */
FST_INLINE fst_u32 fst_spread_low(fst_u32 x)
{
#if defined(FST_CUDA)
    return __byte_perm(x, 0, 0x1404);
#else
    return (x << 8 & 0xFF00) | (x << 16 & 0xFF000000u);
#endif
}

/* Bytes 2 and 3 likewise. */
FST_INLINE fst_u32 fst_spread_high(fst_u32 x)
{
#if defined(FST_CUDA)
    return __byte_perm(x, 0, 0x3424);
#else
    return (x >> 8 & 0xFF00) | (x & 0xFF000000u);
#endif
}

/* ---- memory ---- */

/* fst_load_N and fst_store_N move N bytes, aligned to N, as 32-bit words (the last one zero-extended). */
#if defined(FST_C)
#define FST_ACCESS(bytes, words)                                                                                       \
    FST_INLINE void fst_load_##bytes(const fst_u8 *p, fst_u32 *w)                                                      \
    {                                                                                                                  \
        w[0] = 0;                                                                                                      \
        memcpy(w, p, bytes);                                                                                           \
    }                                                                                                                  \
    FST_INLINE void fst_store_##bytes(fst_u8 *p, const fst_u32 *w)                                                     \
    {                                                                                                                  \
        memcpy(p, w, bytes);                                                                                           \
    }
FST_ACCESS(1, 1)
FST_ACCESS(2, 1)
FST_ACCESS(4, 1)
FST_ACCESS(8, 2)
FST_ACCESS(16, 4)
#else
#define FST_ACCESS(bytes, type)                                                                                        \
    FST_INLINE void fst_load_##bytes(const FST_GLOBAL fst_u8 *p, fst_u32 *w)                                           \
    {                                                                                                                  \
        w[0] = *(const FST_GLOBAL type *)p;                                                                            \
    }                                                                                                                  \
    FST_INLINE void fst_store_##bytes(FST_GLOBAL fst_u8 *p, const fst_u32 *w)                                          \
    {                                                                                                                  \
        *(FST_GLOBAL type *)p = (type)w[0];                                                                            \
    }
FST_ACCESS(1, fst_u8)
FST_ACCESS(2, fst_u16)
FST_ACCESS(4, fst_u32)
FST_INLINE void fst_load_8(const FST_GLOBAL fst_u8 *p, fst_u32 *w)
{
    uint2 v = *(const FST_GLOBAL uint2 *)p;
    w[0] = v.x;
    w[1] = v.y;
}
FST_INLINE void fst_store_8(FST_GLOBAL fst_u8 *p, const fst_u32 *w)
{
    uint2 v;
    v.x = w[0];
    v.y = w[1];
    *(FST_GLOBAL uint2 *)p = v;
}
FST_INLINE void fst_load_16(const FST_GLOBAL fst_u8 *p, fst_u32 *w)
{
    uint4 v = *(const FST_GLOBAL uint4 *)p;
    w[0] = v.x;
    w[1] = v.y;
    w[2] = v.z;
    w[3] = v.w;
}
FST_INLINE void fst_store_16(FST_GLOBAL fst_u8 *p, const fst_u32 *w)
{
    uint4 v;
    v.x = w[0];
    v.y = w[1];
    v.z = w[2];
    v.w = w[3];
    *(FST_GLOBAL uint4 *)p = v;
}
#endif

/* Words that begin at any byte: aligned ones, shifted. Reads up to four bytes more. */
FST_INLINE void fst_load_shifted(const FST_GLOBAL fst_u8 *source, fst_u64 at, fst_u32 words, fst_u32 *w)
{
    const FST_GLOBAL fst_u8 *p = source + (at - (at & 3));
    fst_u32 shift = 8 * (fst_u32)(at & 3);
    fst_u32 low;
    fst_load_4(p, &low);
    FST_UNROLL
    for (fst_u32 k = 0; k < words; k++) {
        fst_u32 high;
        fst_load_4(p + 4 + 4 * k, &high);
        w[k] = (fst_u32)(((fst_u64)high << 32 | low) >> shift);
        low = high;
    }
}

/* An integer of up to eight bytes, at any address. */
FST_INLINE fst_u64 fst_read(const FST_GLOBAL fst_u8 *p, fst_u32 bytes)
{
    fst_u64 value = 0;
    for (fst_u32 k = 0; k < bytes; k++) {
        value |= (fst_u64)p[k] << 8 * k;
    }
    return value;
}

FST_INLINE void fst_write(FST_GLOBAL fst_u8 *p, fst_u32 bytes, fst_u64 value)
{
    for (fst_u32 k = 0; k < bytes; k++) {
        p[k] = (fst_u8)(value >> 8 * k);
    }
}

/*
 * ---- one element of a common pair ----
 *
 * fst_A_to_B_code takes an element without its sign, those of 16 bits in the upper half of the word, so that BF16 is
 * F32 already; and gives the result without its sign. Most of a NaN first becomes what infinity does, and then gets its
 * mantissa.
 */

#define FST_F32_INFINITY 0x7F800000u
/* In the upper half of a word. */
#define FST_F16_INFINITY 0x7C000000u

/*
 * x / 2^shift, rounded to nearest, ties to even. The last bit that stays may be taken after the addition: where that
 * has changed it, the rest is too small for it to matter.
 */
FST_INLINE fst_u32 fst_round(fst_u32 x, fst_u32 shift)
{
    fst_u32 y = x + ((1u << (shift - 1)) - 1);
    return (y + (y << (31 - shift) >> 31)) >> shift;
}

/*
 * The magnitude of an F32 -> the code of a narrower float.
 *
 * A float's bits, less those of the smallest exponent, are the target's but for rounding as long as the target is
 * normal. Below, the target's numbers lie as far apart as F32's do from some power of two on: added to that, x is
 * rounded to one of them, and the sum's last bits count them.
 *
 * normal: the F32 exponent code of the target's smallest normal number. shift: the mantissa bits that F32 has more.
 * largest: the bits of what all that is larger becomes.
 */
FST_INLINE fst_u32 fst_narrow(fst_u32 magnitude, fst_u32 normal, fst_u32 shift, fst_u32 largest)
{
    fst_u32 x = fst_min(magnitude, largest);
    fst_u32 power = (normal + shift) << 23;
    fst_u32 subnormal = fst_sum(x, power) - power;
    return x < normal << 23 ? subnormal : fst_round(x - ((normal - 1) << 23), shift);
}

FST_INLINE fst_u32 fst_e4m3_of(fst_u32 magnitude)
{
    return fst_narrow(magnitude, 121, 20, 0x43E00000u);
}

FST_INLINE fst_u32 fst_e5m2_of(fst_u32 magnitude)
{
    return fst_narrow(magnitude, 113, 21, 0x47800000u);
}

FST_INLINE fst_u32 fst_f32_to_bf16_code(fst_u32 x)
{
    fst_u32 nan = fst_above(x, FST_F32_INFINITY);
    return (fst_round(x, 16) & ~nan) | ((x >> 16 | 0x40) & nan);
}

FST_INLINE fst_u32 fst_f32_to_f16_code(fst_u32 x)
{
    fst_i32 exponent = fst_larger((fst_i32)(x >> 23), 101);
    fst_i32 normal = fst_larger(exponent, 113);
    fst_u32 significand = (x & 0x7FFFFF) | 0x800000;
    fst_u32 shift = (fst_u32)(13 + normal - exponent);
    fst_u32 rounded = (significand + ((1u << (shift - 1)) - 1) + (significand >> shift & 1)) >> shift;
    /* The significand's top bit adds 1 to the exponent code. */
    fst_u32 code = fst_min(((fst_u32)(normal - 113) << 10) + rounded, 0x7C00);
    return code | ((x >> 13 | 0x200) & 0x3FF & fst_above(x, FST_F32_INFINITY));
}

/* The one NaN of F8_E4M3 comes after the largest number. */
FST_INLINE fst_u32 fst_f32_to_f8_e4m3_code(fst_u32 x)
{
    return fst_e4m3_of(x) - fst_above(x, FST_F32_INFINITY);
}

FST_INLINE fst_u32 fst_f32_to_f8_e5m2_code(fst_u32 x)
{
    return fst_e5m2_of(x) | ((x >> 21 | 2) & 3 & fst_above(x, FST_F32_INFINITY));
}

FST_INLINE fst_u32 fst_bf16_to_f32_code(fst_u32 x)
{
    return x | (fst_above(x, FST_F32_INFINITY) & 0x400000);
}

FST_INLINE fst_u32 fst_bf16_to_f16_code(fst_u32 x)
{
    fst_u32 code = fst_narrow(x, 113, 13, 0x47800000u);
    return code | ((x >> 13 | 0x200) & 0x3FF & fst_above(x, FST_F32_INFINITY));
}

FST_INLINE fst_u32 fst_bf16_to_f8_e4m3_code(fst_u32 x)
{
    return fst_e4m3_of(x) - fst_above(x, FST_F32_INFINITY);
}

FST_INLINE fst_u32 fst_bf16_to_f8_e5m2_code(fst_u32 x)
{
    return fst_e5m2_of(x) | ((x >> 21 | 2) & 3 & fst_above(x, FST_F32_INFINITY));
}

/* How far an F16's mantissa is to be shifted until its top bit is where the exponent begins; 0 if it is normal. */
FST_INLINE fst_u32 fst_f16_normalising_shift(fst_u32 x)
{
    return (fst_u32)fst_larger((fst_i32)fst_leading_zeros(x) - 5, 0);
}

FST_INLINE fst_u32 fst_f16_to_f32_code(fst_u32 x)
{
    fst_u32 shift = fst_f16_normalising_shift(x);
    /* A subnormal's top bit adds 1 to the exponent code; infinity's and NaN's is the largest. */
    fst_u32 exponent = 112 - shift + (fst_above(x, FST_F16_INFINITY - 1) & 112);
    fst_u32 code = (x << shift >> 3) + (exponent << 23);
    return (code & fst_above(x, 0)) | (fst_above(x, FST_F16_INFINITY) & 0x400000);
}

FST_INLINE fst_u32 fst_f16_to_bf16_code(fst_u32 x)
{
    fst_u32 shift = fst_f16_normalising_shift(x);
    fst_u32 nan = fst_above(x, FST_F16_INFINITY);
    fst_u32 y = (x << shift) + (0x3FFFF & ~nan);
    fst_u32 rounded = (y + (y >> 19 & 1)) >> 19;
    /* As above; the sum is 1 in the top bit for infinity and NaN. */
    fst_u32 code = rounded + (112 - shift) * 128 + ((x + 0x04000000) >> 31) * (112 * 128);
    /* Any x but 0 is larger than all codes. */
    return fst_min(code, x) | (nan & 0x40);
}

FST_INLINE fst_u32 fst_f16_to_f8_e4m3_code(fst_u32 x)
{
    /* Not right for subnormals, which all become 0, and infinity, which becomes the largest number; and so they do. */
    return fst_e4m3_of((x >> 3) + (112u << 23)) - fst_above(x, FST_F16_INFINITY);
}

/* F8_E5M2 is the upper byte of F16. Two elements at once, with their signs; the results are in bytes 1 and 3. */
FST_INLINE fst_u32 fst_f16_to_f8_e5m2_two(fst_u32 x)
{
    fst_u32 magnitude = x & 0x7FFF7FFFu;
    /* The upper bit of each half that is a NaN, which is not rounded, and becomes a quiet one. */
    fst_u32 nan = (magnitude + 0x03FF03FFu) & 0x80008000u;
    fst_u32 rounding = (0x007F007Fu + (x >> 8 & 0x00010001u)) & ~(nan - (nan >> 15));
    return (magnitude + rounding) | (x & 0x80008000u) | nan >> 6;
}

/* Likewise back: two elements in the upper bytes of two halves. */
FST_INLINE fst_u32 fst_f8_e5m2_to_f16_two(fst_u32 x)
{
    fst_u32 nan = ((x & 0x7F007F00u) + 0x03000300u) & 0x80008000u;
    return x | nan >> 6;
}

/*
 * The magnitude of an F8_E4M3 -> the upper bits of a wider float, down to the last mantissa bit that an F8 has. The
 * codes of normal numbers are on a straight line, x + one; so are those of the subnormal ones between two powers of
 * two, on lines that rise by 2, by 4, and from 0 at once. The lowest line is the right one. A last line is above the
 * others at NaN only.
 *
 * one: what the exponent codes differ by, times 8. nan: the upper bits of the quiet NaN.
 */
FST_INLINE fst_u32 fst_wider_e4m3(fst_u32 x, fst_i32 one, fst_i32 nan)
{
    fst_i32 y = (fst_i32)x;
    fst_i32 bend = fst_smaller(fst_smaller(y - 8, 3 * y - 16), 0);
    fst_i32 number = fst_smaller(y + bend + one, y * (one - 16));
    return (fst_u32)fst_larger(number, (y - 0x7F) * (nan - one - 0x7E) + nan);
}

FST_INLINE fst_u32 fst_f8_e4m3_to_f32_code(fst_u32 x)
{
    return fst_wider_e4m3(x, 0x3C0, 0x7FC) << 20;
}

FST_INLINE fst_u32 fst_f8_e4m3_to_bf16_code(fst_u32 x)
{
    return fst_wider_e4m3(x, 0x3C0, 0x7FC) << 4;
}

FST_INLINE fst_u32 fst_f8_e4m3_to_f16_code(fst_u32 x)
{
    return fst_wider_e4m3(x, 0x40, 0xFC) << 7;
}

/* As above, of F8_E5M2 to F32 and BF16. Infinity and NaN have the largest exponent code of both. */
FST_INLINE fst_u32 fst_wider_e5m2(fst_u32 x)
{
    fst_i32 y = (fst_i32)x;
    fst_i32 number = fst_smaller(y + fst_smaller(y - 4, 0) + 0x1C0, y * 0x1BC);
    return ((fst_u32)number + (fst_above(x, 0x7B) & 0x1C0)) | (fst_above(x, 0x7C) & 2);
}

FST_INLINE fst_u32 fst_f8_e5m2_to_f32_code(fst_u32 x)
{
    return fst_wider_e5m2(x) << 21;
}

FST_INLINE fst_u32 fst_f8_e5m2_to_bf16_code(fst_u32 x)
{
    return fst_wider_e5m2(x) << 5;
}

/*
 * F64 -> a narrower IEEE float. rebias: what the exponent codes differ by. mantissa, exponents: the target's mantissa
 * bits and largest exponent code.
 */
FST_INLINE fst_u32 fst_narrow_f64(fst_u32 low, fst_u32 high, fst_i32 rebias, fst_u32 mantissa, fst_u32 exponents)
{
    fst_u32 infinity = exponents << mantissa;
    /* The upper 31 bits of the significand; the lowest is set if anything follows. */
    fst_u32 significand = 0x40000000 | (high << 10 & 0x3FFFFC00) | low >> 22 | (low << 10 != 0 ? 1 : 0);
    fst_i32 exponent = (fst_i32)(high >> 20) - rebias;
    fst_u32 below = (fst_u32)fst_larger(1 - exponent, 0);
    below = fst_min(below, 30);
    fst_u32 lost = significand & ((1u << below) - 1);
    fst_u32 rounded = fst_round(significand >> below | (lost != 0 ? 1 : 0), 30 - mantissa);
    fst_u32 code = fst_min((fst_u32)fst_larger(exponent, 1), exponents) - 1;
    /* A NaN is above infinity by its upper word, or by its lower one. */
    fst_u32 nan = fst_above(high | (low != 0 ? 1 : 0), 0x7FF00000);
    fst_u32 payload = ((high << 3 | low >> 29) & 0x7FFFFF) >> (23 - mantissa);
    return fst_min((code << mantissa) + rounded, infinity) | ((payload | 1u << (mantissa - 1)) & nan);
}

FST_INLINE fst_u32 fst_f64_to_f32_code(fst_u32 low, fst_u32 high)
{
    return fst_narrow_f64(low, high, 896, 23, 0xFF);
}

FST_INLINE fst_u32 fst_f64_to_bf16_code(fst_u32 low, fst_u32 high)
{
    return fst_narrow_f64(low, high, 896, 7, 0xFF);
}

FST_INLINE fst_u32 fst_f64_to_f16_code(fst_u32 low, fst_u32 high)
{
    return fst_narrow_f64(low, high, 1008, 10, 0x1F);
}

/*
 * fst_A_to_B_one takes an element's low and high word, and fst_A_to_B_unit the words of a unit; both mind the signs.
 * FST_ELEMENTS_S_T defines them from fst_A_to_B_code, for elements of S and T bytes.
 */
#define FST_ONE(name, source_bits, target_bits, place)                                                                 \
    FST_INLINE fst_u32 fst_##name##_one(fst_u32 low, fst_u32 high)                                                     \
    {                                                                                                                  \
        (void)high;                                                                                                    \
        fst_u32 code = fst_##name##_code((low & ((1u << (source_bits - 1)) - 1)) << place);                            \
        return low >> (source_bits - 1) << (target_bits - 1) | code;                                                   \
    }

#define FST_ELEMENTS_8(name, target_bytes)                                                                             \
    FST_INLINE fst_u32 fst_##name##_one(fst_u32 low, fst_u32 high)                                                     \
    {                                                                                                                  \
        fst_u32 code = fst_##name##_code(low, high & 0x7FFFFFFF);                                                      \
        return high >> 31 << (8 * target_bytes - 1) | code;                                                            \
    }
#define FST_ELEMENTS_8_4(name)                                                                                         \
    FST_ELEMENTS_8(name, 4)                                                                                            \
    FST_INLINE void fst_##name##_unit(const fst_u32 *in, fst_u32 *out)                                                 \
    {                                                                                                                  \
        out[0] = fst_##name##_one(in[0], in[1]);                                                                       \
        out[1] = fst_##name##_one(in[2], in[3]);                                                                       \
    }
#define FST_ELEMENTS_8_2(name)                                                                                         \
    FST_ELEMENTS_8(name, 2)                                                                                            \
    FST_INLINE void fst_##name##_unit(const fst_u32 *in, fst_u32 *out)                                                 \
    {                                                                                                                  \
        out[0] = fst_##name##_one(in[0], in[1]) | fst_##name##_one(in[2], in[3]) << 16;                                \
    }

#define FST_ELEMENTS_4_2(name)                                                                                         \
    FST_ONE(name, 32, 16, 0)                                                                                           \
    FST_INLINE void fst_##name##_unit(const fst_u32 *in, fst_u32 *out)                                                 \
    {                                                                                                                  \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < 2; k++) {                                                                              \
            fst_u32 a = in[2 * k];                                                                                     \
            fst_u32 b = in[2 * k + 1];                                                                                 \
            fst_u32 codes = fst_##name##_code(a & 0x7FFFFFFF) | fst_##name##_code(b & 0x7FFFFFFF) << 16;               \
            out[k] = codes | (a >> 16 & 0x8000) | (b & 0x80000000u);                                                   \
        }                                                                                                              \
    }
#define FST_ELEMENTS_4_1(name)                                                                                         \
    FST_ONE(name, 32, 8, 0)                                                                                            \
    FST_INLINE void fst_##name##_unit(const fst_u32 *in, fst_u32 *out)                                                 \
    {                                                                                                                  \
        out[0] = 0;                                                                                                    \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < 4; k++) {                                                                              \
            out[0] |= (in[k] >> 24 & 0x80) << 8 * k | fst_##name##_code(in[k] & 0x7FFFFFFF) << 8 * k;                  \
        }                                                                                                              \
    }

#define FST_ELEMENTS_2_4(name)                                                                                         \
    FST_ONE(name, 16, 32, 16)                                                                                          \
    FST_INLINE void fst_##name##_unit(const fst_u32 *in, fst_u32 *out)                                                 \
    {                                                                                                                  \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < 2; k++) {                                                                              \
            out[2 * k] = fst_##name##_code(in[k] << 16 & 0x7FFF0000) | (in[k] << 16 & 0x80000000u);                    \
            out[2 * k + 1] = fst_##name##_code(in[k] & 0x7FFF0000) | (in[k] & 0x80000000u);                            \
        }                                                                                                              \
    }
#define FST_ELEMENTS_2_2(name)                                                                                         \
    FST_ONE(name, 16, 16, 16)                                                                                          \
    FST_INLINE void fst_##name##_unit(const fst_u32 *in, fst_u32 *out)                                                 \
    {                                                                                                                  \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < 4; k++) {                                                                              \
            fst_u32 low = fst_##name##_code(in[k] << 16 & 0x7FFF0000);                                                 \
            fst_u32 codes = low | fst_##name##_code(in[k] & 0x7FFF0000) << 16;                                         \
            out[k] = codes | (in[k] & 0x80008000u);                                                                    \
        }                                                                                                              \
    }
#define FST_ELEMENTS_2_1(name)                                                                                         \
    FST_ONE(name, 16, 8, 16)                                                                                           \
    FST_INLINE void fst_##name##_unit(const fst_u32 *in, fst_u32 *out)                                                 \
    {                                                                                                                  \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < 2; k++) {                                                                              \
            fst_u32 a = in[2 * k];                                                                                     \
            fst_u32 b = in[2 * k + 1];                                                                                 \
            fst_u32 codes = fst_##name##_code(a << 16 & 0x7FFF0000) | fst_##name##_code(a & 0x7FFF0000) << 8           \
                            | fst_##name##_code(b << 16 & 0x7FFF0000) << 16                                            \
                            | fst_##name##_code(b & 0x7FFF0000) << 24;                                                 \
            out[k] = codes | (fst_odd_bytes(a, b) & 0x80808080u);                                                      \
        }                                                                                                              \
    }

#define FST_ELEMENTS_1_4(name)                                                                                         \
    FST_ONE(name, 8, 32, 0)                                                                                            \
    FST_INLINE void fst_##name##_unit(const fst_u32 *in, fst_u32 *out)                                                 \
    {                                                                                                                  \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < 4; k++) {                                                                              \
            fst_u32 sign = in[0] << (24 - 8 * k) & 0x80000000u;                                                        \
            out[k] = fst_##name##_code(in[0] >> 8 * k & 0x7F) | sign;                                                  \
        }                                                                                                              \
    }
#define FST_ELEMENTS_1_2(name)                                                                                         \
    FST_ONE(name, 8, 16, 0)                                                                                            \
    FST_INLINE void fst_##name##_unit(const fst_u32 *in, fst_u32 *out)                                                 \
    {                                                                                                                  \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < 2; k++) {                                                                              \
            fst_u32 x = in[k];                                                                                         \
            fst_u32 low = fst_##name##_code(x & 0x7F) | fst_##name##_code(x >> 8 & 0x7F) << 16;                        \
            fst_u32 high = fst_##name##_code(x >> 16 & 0x7F) | fst_##name##_code(x >> 24 & 0x7F) << 16;                \
            out[2 * k] = low | (fst_spread_low(x) & 0x80008000u);                                                      \
            out[2 * k + 1] = high | (fst_spread_high(x) & 0x80008000u);                                                \
        }                                                                                                              \
    }

FST_INLINE fst_u32 fst_f16_to_f8_e5m2_one(fst_u32 low, fst_u32 high)
{
    (void)high;
    return fst_f16_to_f8_e5m2_two(low) >> 8 & 0xFF;
}

FST_INLINE void fst_f16_to_f8_e5m2_unit(const fst_u32 *in, fst_u32 *out)
{
    FST_UNROLL
    for (fst_u32 k = 0; k < 2; k++) {
        fst_u32 a = fst_f16_to_f8_e5m2_two(in[2 * k]);
        fst_u32 b = fst_f16_to_f8_e5m2_two(in[2 * k + 1]);
        out[k] = fst_odd_bytes(a, b);
    }
}

FST_INLINE fst_u32 fst_f8_e5m2_to_f16_one(fst_u32 low, fst_u32 high)
{
    (void)high;
    return fst_f8_e5m2_to_f16_two(low << 8);
}

FST_INLINE void fst_f8_e5m2_to_f16_unit(const fst_u32 *in, fst_u32 *out)
{
    FST_UNROLL
    for (fst_u32 k = 0; k < 2; k++) {
        out[2 * k] = fst_f8_e5m2_to_f16_two(fst_spread_low(in[k]));
        out[2 * k + 1] = fst_f8_e5m2_to_f16_two(fst_spread_high(in[k]));
    }
}

FST_INLINE fst_u32 fst_copy_one(fst_u32 low, fst_u32 high)
{
    (void)high;
    return low;
}

FST_INLINE void fst_copy_unit(const fst_u32 *in, fst_u32 *out)
{
    FST_UNROLL
    for (fst_u32 k = 0; k < 4; k++) {
        out[k] = in[k];
    }
}

/* ---- functions on units ---- */

/* The source's place of a unit or an element: rows[d] of them in a row, and a gap after each row. */
FST_INLINE fst_u64 fst_place(fst_u32 index, fst_u32 bytes, const struct fst_launch *launch, fst_u32 d)
{
    return (fst_u64)index * bytes + fst_divide(index, launch, d) * launch->strides[0];
}

/*
 * Defines the function fst_NAME from fst_NAME_unit and fst_NAME_one.
 *
 * source_unit, target_unit: bytes of a unit. All units that a work item has in flight are loaded before the first is
 * converted; past the end the last one is loaded again, and not stored.
 */
#define FST_ON_UNITS(name, source_bytes, target_bytes, source_unit, target_unit, in_flight)                            \
    FST_INLINE void fst_##name##_item(FST_ARGUMENTS)                                                                   \
    {                                                                                                                  \
        fst_u64 first = source_offset + (fst_u64)launch->head * source_bytes;                                          \
        fst_u64 land = target_offset + (fst_u64)launch->head * target_bytes;                                           \
        fst_u32 end = launch->end;                                                                                     \
        fst_u32 step = item.groups * item.size * in_flight;                                                            \
        for (fst_u32 u = item.group * item.size * in_flight + item.member; u < end; u += step) {                       \
            fst_u32 in[in_flight][source_unit / 4];                                                                    \
            if (launch->aligned) {                                                                                     \
                FST_UNROLL                                                                                             \
                for (fst_u32 k = 0; k < in_flight; k++) {                                                              \
                    fst_u32 v = fst_min(u + k * item.size, end - 1);                                                   \
                    fst_load_##source_unit(source + (first + fst_place(v, source_unit, launch, 0)), in[k]);            \
                }                                                                                                      \
            } else {                                                                                                   \
                FST_UNROLL                                                                                             \
                for (fst_u32 k = 0; k < in_flight; k++) {                                                              \
                    fst_u32 v = fst_min(u + k * item.size, end - 1);                                                   \
                    fst_load_shifted(source, first + fst_place(v, source_unit, launch, 0), source_unit / 4, in[k]);    \
                }                                                                                                      \
            }                                                                                                          \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < in_flight; k++) {                                                                  \
                fst_u32 v = u + k * item.size;                                                                         \
                if (v < end) {                                                                                         \
                    fst_u32 out[target_unit / 4];                                                                      \
                    fst_##name##_unit(in[k], out);                                                                     \
                    fst_store_##target_unit(target + (land + (fst_u64)v * target_unit), out);                          \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        step = item.groups * item.size;                                                                                \
        for (fst_u32 i = item.group * item.size + item.member; i < launch->edges; i += step) {                         \
            fst_u32 e = i < launch->head ? i : i - launch->head + launch->tail;                                        \
            fst_u64 x = fst_read(source + (source_offset + fst_place(e, source_bytes, launch, 1)), source_bytes);      \
            fst_u32 y = fst_##name##_one((fst_u32)x, (fst_u32)(x >> 32));                                              \
            fst_write(target + (target_offset + (fst_u64)e * target_bytes), target_bytes, y);                          \
        }                                                                                                              \
    }                                                                                                                  \
    FST_KERNEL(fst_##name)

#define FST_CONVERSION(name, source_bytes, target_bytes, source_unit, target_unit)                                     \
    FST_ELEMENTS_##source_bytes##_##target_bytes(name)                                                                 \
    FST_ON_UNITS(name, source_bytes, target_bytes, source_unit, target_unit, FST_CONVERTING)

#if FST_PART != 2
FST_CONVERSION(f64_to_f32, 8, 4, 16, 8)
FST_CONVERSION(f64_to_f16, 8, 2, 16, 4)
FST_CONVERSION(f64_to_bf16, 8, 2, 16, 4)
FST_CONVERSION(f32_to_f16, 4, 2, 16, 8)
FST_CONVERSION(f32_to_bf16, 4, 2, 16, 8)
FST_CONVERSION(f32_to_f8_e4m3, 4, 1, 16, 4)
FST_CONVERSION(f32_to_f8_e5m2, 4, 1, 16, 4)
FST_CONVERSION(f16_to_f32, 2, 4, 8, 16)
FST_CONVERSION(f16_to_bf16, 2, 2, 16, 16)
FST_CONVERSION(f16_to_f8_e4m3, 2, 1, 16, 8)
FST_ON_UNITS(f16_to_f8_e5m2, 2, 1, 16, 8, FST_CONVERTING)
FST_CONVERSION(bf16_to_f32, 2, 4, 8, 16)
FST_CONVERSION(bf16_to_f16, 2, 2, 16, 16)
FST_CONVERSION(bf16_to_f8_e4m3, 2, 1, 16, 8)
FST_CONVERSION(bf16_to_f8_e5m2, 2, 1, 16, 8)
FST_CONVERSION(f8_e4m3_to_f32, 1, 4, 4, 16)
FST_CONVERSION(f8_e4m3_to_f16, 1, 2, 8, 16)
FST_CONVERSION(f8_e4m3_to_bf16, 1, 2, 8, 16)
FST_CONVERSION(f8_e5m2_to_f32, 1, 4, 4, 16)
FST_ON_UNITS(f8_e5m2_to_f16, 1, 2, 8, 16, FST_CONVERTING)
FST_CONVERSION(f8_e5m2_to_bf16, 1, 2, 8, 16)

FST_ON_UNITS(copy, 1, 1, 16, 16, FST_MOVING)
#endif

/* ---- gather without conversion: fst_gather_N, items of N bytes, aligned to N ---- */

#define FST_GATHER(bytes, words)                                                                                       \
    FST_INLINE void fst_gather_##bytes##_item(FST_ARGUMENTS)                                                           \
    {                                                                                                                  \
        fst_u32 count = launch->count;                                                                                 \
        fst_u32 last = launch->rank - 1;                                                                               \
        fst_u32 step = item.groups * item.size * FST_MOVING;                                                           \
        for (fst_u32 i = item.group * item.size * FST_MOVING + item.member; i < count; i += step) {                    \
            fst_u32 rest[FST_MOVING];                                                                                  \
            fst_u64 at[FST_MOVING];                                                                                    \
            fst_u32 value[FST_MOVING][words];                                                                          \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < FST_MOVING; k++) {                                                                 \
                rest[k] = fst_min(i + k * item.size, count - 1);                                                       \
                at[k] = source_offset;                                                                                 \
            }                                                                                                          \
            FST_KEEP_LOOP                                                                                              \
            for (fst_u32 d = 0; d < last; d++) {                                                                       \
                FST_UNROLL                                                                                             \
                for (fst_u32 k = 0; k < FST_MOVING; k++) {                                                             \
                    fst_u32 quotient = fst_divide(rest[k], launch, d);                                                 \
                    at[k] += (rest[k] - quotient * launch->dims[d]) * launch->strides[d];                              \
                    rest[k] = quotient;                                                                                \
                }                                                                                                      \
            }                                                                                                          \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < FST_MOVING; k++) {                                                                 \
                fst_load_##bytes(source + (at[k] + rest[k] * launch->strides[last]), value[k]);                        \
            }                                                                                                          \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < FST_MOVING; k++) {                                                                 \
                fst_u32 j = i + k * item.size;                                                                         \
                if (j < count) {                                                                                       \
                    fst_store_##bytes(target + (target_offset + (fst_u64)j * bytes), value[k]);                        \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    FST_KERNEL(fst_gather_##bytes)

#if FST_PART != 2
FST_GATHER(1, 1)
FST_GATHER(2, 1)
FST_GATHER(4, 1)
FST_GATHER(8, 2)
FST_GATHER(16, 4)
#endif

/* ---- every other conversion, of a contiguous source or a strided one ---- */

#define FST_FINITE 0
#define FST_INFINITE 1
#define FST_NAN 2

/* What an element means: the number magnitude * 2^exponent, or a NaN whose payload is the upper bits of magnitude. */
struct fst_number {
    fst_u64 magnitude;
    fst_i32 exponent;
    fst_u32 negative;
    fst_u32 what;
};

FST_INLINE fst_u64 fst_ones(fst_u32 bits)
{
    return ~(fst_u64)0 >> (64 - bits);
}

/* Bits of x before its first one; x is not 0. */
FST_INLINE fst_u32 fst_leading_zeros_64(fst_u64 x)
{
    fst_u32 high = (fst_u32)(x >> 32);
    return high != 0 ? fst_leading_zeros(high) : 32 + fst_leading_zeros((fst_u32)x);
}

/* x / 2^shift, rounded to nearest, ties to even; shift is at least 1. */
FST_INLINE fst_u64 fst_round_64(fst_u64 x, fst_u32 shift)
{
    if (shift > 64) {
        return 0;
    }
    fst_u64 quotient = shift == 64 ? 0 : x >> shift;
    fst_u64 rest = x << (64 - shift);
    fst_u64 middle = (fst_u64)1 << 63;
    return quotient + (rest > middle || (rest == middle && (quotient & 1)) ? 1 : 0);
}

FST_INLINE struct fst_number fst_decode_float(fst_u64 raw, struct fst_format format)
{
    fst_u64 sign = (fst_u64)1 << (format.bits - 1);
    fst_u64 code = raw & (sign - 1);
    fst_u64 exponents = fst_ones(format.bits - 1) >> format.mantissa_bits;
    fst_u64 exponent = code >> format.mantissa_bits;
    fst_u64 mantissa = code & (((fst_u64)1 << format.mantissa_bits) - 1);
    struct fst_number number;
    number.negative = (raw & sign) != 0;
    number.what = FST_FINITE;
    number.magnitude = exponent == 0 ? mantissa : mantissa | (fst_u64)1 << format.mantissa_bits;
    number.exponent = (fst_i32)(exponent == 0 ? 1 : exponent) - (fst_i32)(format.bias + format.mantissa_bits);
    if (format.kind == FST_IEEE && exponent == exponents) {
        number.what = mantissa == 0 ? FST_INFINITE : FST_NAN;
        number.magnitude = mantissa << (64 - format.mantissa_bits);
    } else if (format.kind == FST_ONE_NAN_A_SIGN && code == sign - 1) {
        number.what = FST_NAN;
        number.magnitude = 0;
    } else if (format.kind == FST_NAN_FOR_NEGATIVE_ZERO && raw == sign) {
        number.what = FST_NAN;
        number.magnitude = 0;
        number.negative = 0;
    }
    return number;
}

FST_INLINE struct fst_number fst_decode(fst_u64 raw, struct fst_format format)
{
    struct fst_number number;
    number.magnitude = raw;
    number.exponent = 0;
    number.negative = 0;
    number.what = FST_FINITE;
    switch (format.kind) {
    case FST_BOOL:
        number.magnitude = raw != 0;
        return number;
    case FST_UNSIGNED:
        return number;
    case FST_SIGNED:
        number.negative = raw >> (format.bits - 1) != 0;
        number.magnitude = number.negative ? (0 - raw) & fst_ones(format.bits) : raw;
        return number;
    case FST_SCALE:
        number.what = raw == 0xFF ? FST_NAN : FST_FINITE;
        number.magnitude = raw == 0xFF ? 0 : 1;
        number.exponent = (fst_i32)raw - (fst_i32)format.bias;
        return number;
    default:
        return fst_decode_float(raw, format);
    }
}

FST_INLINE fst_u64 fst_encode_float(struct fst_number number, struct fst_format format)
{
    fst_u64 sign_bit = (fst_u64)1 << (format.bits - 1);
    fst_u64 ones = sign_bit - 1;
    fst_u64 infinity = ones >> format.mantissa_bits << format.mantissa_bits;
    fst_u64 sign = number.negative ? sign_bit : 0;
    if (number.what == FST_NAN) {
        switch (format.kind) {
        case FST_IEEE:
            return sign | infinity | (fst_u64)1 << (format.mantissa_bits - 1)
                   | number.magnitude >> (64 - format.mantissa_bits);
        case FST_ONE_NAN_A_SIGN:
            return sign | ones;
        case FST_NAN_FOR_NEGATIVE_ZERO:
            return sign_bit;
        default:
            return 0;
        }
    }
    fst_u64 largest = format.kind == FST_IEEE ? infinity : format.kind == FST_ONE_NAN_A_SIGN ? ones - 1 : ones;
    fst_u64 code = 0;
    if (number.what == FST_INFINITE) {
        code = largest;
    } else if (number.magnitude != 0) {
        fst_u32 zeros = fst_leading_zeros_64(number.magnitude);
        fst_i32 exponent = 63 - (fst_i32)zeros + number.exponent + (fst_i32)format.bias;
        fst_i32 normal = fst_larger(exponent, 1);
        fst_u64 rounded = fst_round_64(number.magnitude << zeros,
                                       63 - format.mantissa_bits + (fst_u32)(normal - exponent));
        /* The significand's top bit adds 1 to the exponent code, and so does a carry out of rounding. */
        code = ((fst_u64)(normal - 1) << format.mantissa_bits) + rounded;
        code = code < largest ? code : largest;
    }
    return code == 0 && format.kind == FST_NAN_FOR_NEGATIVE_ZERO ? 0 : sign | code;
}

/* The magnitude, rounded to an integer; all ones if it is larger than that. */
FST_INLINE fst_u64 fst_whole(struct fst_number number)
{
    if (number.what == FST_INFINITE) {
        return ~(fst_u64)0;
    }
    if (number.magnitude == 0) {
        return 0;
    }
    if (number.exponent < 0) {
        return fst_round_64(number.magnitude, (fst_u32)-number.exponent);
    }
    return (fst_u32)number.exponent <= fst_leading_zeros_64(number.magnitude) ? number.magnitude << number.exponent
                                                                              : ~(fst_u64)0;
}

FST_INLINE fst_u64 fst_encode_integer(struct fst_number number, struct fst_format format)
{
    if (number.what == FST_NAN || (format.kind == FST_UNSIGNED && number.negative)) {
        return 0;
    }
    fst_u64 most = format.kind == FST_UNSIGNED ? fst_ones(format.bits) : fst_ones(format.bits - 1) + number.negative;
    fst_u64 whole = fst_whole(number);
    whole = whole < most ? whole : most;
    return (number.negative ? 0 - whole : whole) & fst_ones(format.bits);
}

FST_INLINE fst_u64 fst_encode_scale(struct fst_number number, struct fst_format format)
{
    if (number.what != FST_FINITE) {
        return 0xFF;
    }
    if (number.magnitude == 0) {
        return 0;
    }
    fst_u32 zeros = fst_leading_zeros_64(number.magnitude);
    fst_i32 code = 63 - (fst_i32)zeros + number.exponent + (fst_i32)format.bias;
    fst_u64 fraction = number.magnitude << zeros << 1;
    fst_u64 middle = (fst_u64)1 << 63;
    code += fraction > middle || (fraction == middle && (code & 1)) ? 1 : 0;
    return (fst_u64)(code < 0 ? 0 : code > 0xFE ? 0xFE : code);
}

FST_INLINE fst_u64 fst_encode(struct fst_number number, struct fst_format format)
{
    switch (format.kind) {
    case FST_BOOL:
        return number.what != FST_FINITE || number.magnitude != 0;
    case FST_UNSIGNED:
    case FST_SIGNED:
        return fst_encode_integer(number, format);
    case FST_SCALE:
        return fst_encode_scale(number, format);
    default:
        return fst_encode_float(number, format);
    }
}

/* The place of an element whose index in each dimension is that of item i. */
FST_INLINE fst_u64 fst_strided(fst_u32 i, const struct fst_launch *launch)
{
    fst_u64 at = 0;
    fst_u32 rest = i;
    FST_KEEP_LOOP
    for (fst_u32 d = 0; d + 1 < launch->rank; d++) {
        fst_u32 quotient = fst_divide(rest, launch, d);
        at += (rest - quotient * launch->dims[d]) * launch->strides[d];
        rest = quotient;
    }
    return at + rest * launch->strides[launch->rank - 1];
}

/*
 * A work item converts chunk elements: 1, or 8 where one side has elements smaller than a byte. Eight of those fill
 * bytes, and so does what is left at the end.
 */
FST_INLINE void fst_convert_item(FST_ARGUMENTS)
{
    struct fst_format from = launch->from;
    struct fst_format to = launch->to;
    fst_u32 step = item.groups * item.size * launch->chunk;
    for (fst_u32 i = (item.group * item.size + item.member) * launch->chunk; i < launch->count; i += step) {
        fst_u32 many = fst_min(launch->chunk, launch->count - i);
        fst_u64 in = source_offset + (launch->rank == 0 ? (fst_u64)i * from.bits / 8 : fst_strided(i, launch));
        fst_u64 out = target_offset + (fst_u64)i * to.bits / 8;
        fst_u64 unpack = from.bits < 8 ? fst_read(source + in, many * from.bits / 8) : 0;
        fst_u64 pack = 0;
        FST_KEEP_LOOP
        for (fst_u32 k = 0; k < many; k++) {
            fst_u64 raw = from.bits < 8 ? unpack >> k * from.bits & fst_ones(from.bits)
                                        : fst_read(source + (in + k * (from.bits / 8)), from.bits / 8);
            fst_u64 converted = fst_encode(fst_decode(raw, from), to);
            if (to.bits < 8) {
                pack |= converted << k * to.bits;
            } else {
                fst_write(target + (out + k * (to.bits / 8)), to.bits / 8, converted);
            }
        }
        if (to.bits < 8) {
            fst_write(target + out, many * to.bits / 8, pack);
        }
    }
}
#if FST_PART != 2
FST_KERNEL(fst_convert)
#endif

/*
 * ---- all other pairs, in units ----
 *
 * fst_table_S_T, fst_narrow_S_T and fst_wide_S_T convert any element of S bits to any of T bits. They have no edges:
 * every unit is whole and aligned on both sides, and fst_convert makes the elements around them. What the two formats
 * are is the same for the whole launch, so branches on them do not diverge.
 */

/* Moves what is no power of two, aligned to the largest one in it. */
FST_INLINE void fst_load_3(const FST_GLOBAL fst_u8 *p, fst_u32 *w)
{
    w[0] = (fst_u32)p[0] | (fst_u32)p[1] << 8 | (fst_u32)p[2] << 16;
}

FST_INLINE void fst_load_6(const FST_GLOBAL fst_u8 *p, fst_u32 *w)
{
    fst_u32 middle;
    fst_load_2(p, w);
    fst_load_2(p + 2, &middle);
    fst_load_2(p + 4, w + 1);
    w[0] |= middle << 16;
}

FST_INLINE void fst_load_12(const FST_GLOBAL fst_u8 *p, fst_u32 *w)
{
    fst_load_4(p, w);
    fst_load_4(p + 4, w + 1);
    fst_load_4(p + 8, w + 2);
}

FST_INLINE void fst_load_32(const FST_GLOBAL fst_u8 *p, fst_u32 *w)
{
    fst_load_16(p, w);
    fst_load_16(p + 16, w + 4);
}

FST_INLINE void fst_store_3(FST_GLOBAL fst_u8 *p, const fst_u32 *w)
{
    p[0] = (fst_u8)w[0];
    p[1] = (fst_u8)(w[0] >> 8);
    p[2] = (fst_u8)(w[0] >> 16);
}

FST_INLINE void fst_store_6(FST_GLOBAL fst_u8 *p, const fst_u32 *w)
{
    fst_u32 middle = w[0] >> 16;
    fst_store_2(p, w);
    fst_store_2(p + 2, &middle);
    fst_store_2(p + 4, w + 1);
}

FST_INLINE void fst_store_12(FST_GLOBAL fst_u8 *p, const fst_u32 *w)
{
    fst_store_4(p, w);
    fst_store_4(p + 4, w + 1);
    fst_store_4(p + 8, w + 2);
}

/* Element k of `bits` bits, at most 32. */
FST_INLINE fst_u32 fst_take(const fst_u32 *in, fst_u32 k, fst_u32 bits)
{
    fst_u32 at = k * bits;
    fst_u32 x = in[at / 32] >> at % 32;
    if (at % 32 + bits > 32) {
        x |= in[at / 32 + 1] << (32 - at % 32);
    }
    return x & (0xFFFFFFFFu >> (32 - bits));
}

/* Sets element k; what is there must be zero. */
FST_INLINE void fst_put(fst_u32 *out, fst_u32 k, fst_u32 bits, fst_u32 x)
{
    fst_u32 at = k * bits;
    out[at / 32] |= x << at % 32;
    if (at % 32 + bits > 32) {
        out[at / 32 + 1] |= x >> (32 - at % 32);
    }
}

/* Defines fst_NAME_item, which converts units of `elements` elements with fst_NAME_unit. */
#define FST_ON_WHOLE_UNITS(name, elements, source_unit, target_unit, in_flight)                                        \
    FST_INLINE void fst_##name##_units(FST_ARGUMENTS, const FST_LOCAL union fst_table *table)                          \
    {                                                                                                                  \
        fst_u32 end = launch->end;                                                                                     \
        fst_u32 step = item.groups * item.size * in_flight;                                                            \
        for (fst_u32 u = item.group * item.size * in_flight + item.member; u < end; u += step) {                       \
            fst_u32 in[in_flight][(source_unit + 3) / 4];                                                              \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < in_flight; k++) {                                                                  \
                fst_u32 v = fst_min(u + k * item.size, end - 1);                                                       \
                fst_load_##source_unit(source + (source_offset + fst_place(v, source_unit, launch, 0)), in[k]);        \
            }                                                                                                          \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < in_flight; k++) {                                                                  \
                fst_u32 v = u + k * item.size;                                                                         \
                if (v < end) {                                                                                         \
                    fst_u32 out[(target_unit + 3) / 4];                                                                \
                    FST_UNROLL                                                                                         \
                    for (fst_u32 w = 0; w < (target_unit + 3) / 4; w++) {                                              \
                        out[w] = 0;                                                                                    \
                    }                                                                                                  \
                    fst_##name##_unit(in[k], out, launch, table);                                                      \
                    fst_store_##target_unit(target + (target_offset + (fst_u64)v * target_unit), out);                 \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
#define FST_UNIT_ARGUMENTS                                                                                             \
    const fst_u32 *in, fst_u32 *out, const struct fst_launch *launch, const FST_LOCAL union fst_table *table

/* ---- elements of up to 8 bits: a table of all results ---- */

/* One body for all functions that make tables: it runs once for each of their entries. */
FST_NO_INLINE fst_u64 fst_converted(fst_u32 raw, const struct fst_launch *launch)
{
    struct fst_format from = launch->from;
    struct fst_format to = launch->to;
    return fst_encode(fst_decode(raw, from), to);
}

#define FST_TABLE_FIELD_4 bytes
#define FST_TABLE_FIELD_6 bytes
#define FST_TABLE_FIELD_8 bytes
#define FST_TABLE_FIELD_16 halves
#define FST_TABLE_FIELD_32 words
#define FST_TABLE_TYPE_4 fst_u8
#define FST_TABLE_TYPE_6 fst_u8
#define FST_TABLE_TYPE_8 fst_u8
#define FST_TABLE_TYPE_16 fst_u16
#define FST_TABLE_TYPE_32 fst_u32

#define FST_FILL(from_bits, to_bits, field, type)                                                                      \
    FST_INLINE void fst_table_##from_bits##_##to_bits##_first(FST_STAGE_ARGUMENTS(fst_table))                          \
    {                                                                                                                  \
        (void)source;                                                                                                  \
        (void)source_offset;                                                                                           \
        (void)target;                                                                                                  \
        (void)target_offset;                                                                                           \
        (void)round;                                                                                                   \
        for (fst_u32 i = item.member; i < 1u << from_bits; i += item.size) {                                           \
            shared->field[i] = (type)fst_converted(i, launch);                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    FST_INLINE void fst_table_##from_bits##_##to_bits##_second(FST_STAGE_ARGUMENTS(fst_table))                         \
    {                                                                                                                  \
        (void)round;                                                                                                   \
        fst_table_##from_bits##_##to_bits##_units(source, source_offset, target, target_offset, launch, item, shared);  \
    }                                                                                                                  \
    FST_INLINE fst_u32 fst_table_##from_bits##_##to_bits##_rounds(const struct fst_launch *launch, fst_u32 groups)     \
    {                                                                                                                  \
        (void)launch;                                                                                                  \
        return groups;                                                                                                 \
    }                                                                                                                  \
    FST_STAGED_KERNEL(fst_table_##from_bits##_##to_bits, fst_table)

#define FST_TABLE(from_bits, to_bits, elements, source_unit, target_unit)                                              \
    FST_INLINE void fst_table_##from_bits##_##to_bits##_unit(FST_UNIT_ARGUMENTS)                                       \
    {                                                                                                                  \
        (void)launch;                                                                                                  \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < elements; k++) {                                                                       \
            fst_put(out, k, to_bits, table->FST_TABLE_FIELD_##to_bits[fst_take(in, k, from_bits)]);                    \
        }                                                                                                              \
    }                                                                                                                  \
    FST_ON_WHOLE_UNITS(table_##from_bits##_##to_bits, elements, source_unit, target_unit, FST_CONVERTING)              \
    FST_FILL(from_bits, to_bits, FST_TABLE_FIELD_##to_bits, FST_TABLE_TYPE_##to_bits)

#define FST_TABLE_64(from_bits, elements, source_unit, target_unit)                                                    \
    FST_INLINE void fst_table_##from_bits##_64_unit(FST_UNIT_ARGUMENTS)                                                \
    {                                                                                                                  \
        (void)launch;                                                                                                  \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < elements; k++) {                                                                       \
            fst_u64 x = table->longs[fst_take(in, k, from_bits)];                                                      \
            out[2 * k] = (fst_u32)x;                                                                                   \
            out[2 * k + 1] = (fst_u32)(x >> 32);                                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    FST_ON_WHOLE_UNITS(table_##from_bits##_64, elements, source_unit, target_unit, FST_MOVING)                         \
    FST_FILL(from_bits, 64, longs, fst_u64)

/* A unit is 32 bytes of the target: two work items make 16 each, so that neighbours write to neighbouring memory. */
FST_INLINE void fst_table_6_64_units(FST_ARGUMENTS, const FST_LOCAL union fst_table *table)
{
    fst_u32 end = 2 * launch->end;
    fst_u32 step = item.groups * item.size * FST_MOVING;
    for (fst_u32 u = item.group * item.size * FST_MOVING + item.member; u < end; u += step) {
        fst_u32 in[FST_MOVING];
        FST_UNROLL
        for (fst_u32 k = 0; k < FST_MOVING; k++) {
            fst_u32 v = fst_min(u + k * item.size, end - 1);
            fst_load_3(source + (source_offset + fst_place(v / 2, 3, launch, 0)), &in[k]);
        }
        FST_UNROLL
        for (fst_u32 k = 0; k < FST_MOVING; k++) {
            fst_u32 v = u + k * item.size;
            if (v < end) {
                fst_u32 codes = in[k] >> (v % 2 * 12);
                fst_u64 first = table->longs[codes & 0x3F];
                fst_u64 second = table->longs[codes >> 6 & 0x3F];
                fst_u32 out[4];
                out[0] = (fst_u32)first;
                out[1] = (fst_u32)(first >> 32);
                out[2] = (fst_u32)second;
                out[3] = (fst_u32)(second >> 32);
                fst_store_16(target + (target_offset + (fst_u64)v * 16), out);
            }
        }
    }
}

#if FST_PART != 1
FST_TABLE(4, 6, 16, 8, 12)
FST_TABLE(4, 8, 16, 8, 16)
FST_TABLE(4, 16, 8, 4, 16)
FST_TABLE(4, 32, 4, 2, 16)
FST_TABLE_64(4, 2, 1, 16)
FST_TABLE(6, 4, 16, 12, 8)
FST_TABLE(6, 6, 16, 12, 12)
FST_TABLE(6, 8, 16, 12, 16)
FST_TABLE(6, 16, 8, 6, 16)
FST_TABLE(6, 32, 4, 3, 16)
FST_FILL(6, 64, longs, fst_u64)
FST_TABLE(8, 4, 16, 16, 8)
FST_TABLE(8, 6, 16, 16, 12)
FST_TABLE(8, 8, 16, 16, 16)
FST_TABLE(8, 16, 8, 8, 16)
FST_TABLE(8, 32, 4, 4, 16)
FST_TABLE_64(8, 2, 2, 16)
#endif

/*
 * ---- wider elements to ones of up to 16 bits: through F32 ----
 *
 * The F32 is rounded to odd: cut, and its last bit set if anything was lost. It has more than two bits beyond any target's,
 * so that rounding it gives what rounding the element does. What is too large for F32 becomes its largest number,
 * what is too small its smallest; a NaN is quiet and keeps the upper bits of its payload.
 */

#define FST_F32_LARGEST 0x7F7FFFFFu
/* 2^23, from where on the last bit of an F32 counts ones. */
#define FST_F32_ONES 0x4B000000u

FST_INLINE fst_u32 fst_odd_of_u64(fst_u64 x)
{
    fst_u32 zeros = fst_min(fst_leading_zeros_64(x), 63);
    fst_u64 top = x << zeros;
    fst_u32 high = (fst_u32)(top >> 32);
    fst_u32 lost = (high & 0xFF) | (fst_u32)top;
    fst_u32 code = ((190 - zeros) << 23 | (high >> 8 & 0x7FFFFF)) | (lost != 0 ? 1 : 0);
    return x == 0 ? 0 : code;
}

FST_INLINE fst_u32 fst_odd_of_u32(fst_u32 x)
{
    fst_u32 zeros = fst_min(fst_leading_zeros(x), 31);
    fst_u32 top = x << zeros;
    fst_u32 code = ((158 - zeros) << 23 | (top >> 8 & 0x7FFFFF)) | ((top & 0xFF) != 0 ? 1 : 0);
    return x == 0 ? 0 : code;
}

/* Of up to 16 bits. */
FST_INLINE fst_u32 fst_f32_of_small(fst_u32 x)
{
    return fst_sum(x | FST_F32_ONES, FST_F32_ONES | 0x80000000u);
}

/* Of an F16 in the upper half of the word. A subnormal one is the smallest normal number's fraction, less that number. */
FST_INLINE fst_u32 fst_f32_of_f16(fst_u32 x)
{
    fst_u32 code = x >> 3;
    fst_u32 subnormal = fst_sum(code + (113u << 23), 0x80000000u | 113u << 23);
    fst_u32 normal = code + (x >= FST_F16_INFINITY ? 224u << 23 : 112u << 23);
    return x < 0x04000000 ? subnormal : normal;
}

FST_INLINE fst_u32 fst_odd_of_f64(fst_u32 low, fst_u32 high)
{
    fst_u32 magnitude = high & 0x7FFFFFFF;
    fst_i32 exponent = (fst_i32)(magnitude >> 20) - 896;
    fst_u32 mantissa = (high << 3 | low >> 29) & 0x7FFFFF;
    fst_u32 lost = low << 3;
    /* From here on a number that is too small counts as 1.m times the smallest power: all of it is lost anyway. */
    fst_u32 shift = (fst_u32)fst_larger(1 - exponent, 0);
    shift = fst_min(shift, 31);
    fst_u32 significand = mantissa | 0x800000;
    lost |= significand & ((1u << shift) - 1);
    fst_u32 number = exponent >= 1 ? (fst_u32)exponent << 23 | mantissa : significand >> shift;
    number |= lost != 0 ? 1 : 0;
    number = exponent >= 255 ? FST_F32_LARGEST : number;
    fst_u32 nan = FST_F32_INFINITY | 0x400000 | mantissa;
    fst_u32 special = (magnitude & 0xFFFFF) == 0 && low == 0 ? FST_F32_INFINITY : nan;
    number = magnitude >= 0x7FF00000u ? special : number;
    return (magnitude | low) == 0 ? 0 : number;
}

#define FST_EACH(elements, expression)                                                                                 \
    FST_UNROLL                                                                                                         \
    for (fst_u32 k = 0; k < elements; k++) {                                                                           \
        x[k] = (expression);                                                                                           \
    }

#define FST_ODD_16(elements)                                                                                           \
    switch (launch->from.kind) {                                                                                       \
    case FST_UNSIGNED:                                                                                                 \
        FST_EACH(elements, fst_f32_of_small(fst_take(in, k, 16)))                                                      \
        break;                                                                                                         \
    case FST_SIGNED:                                                                                                   \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < elements; k++) {                                                                       \
            fst_u32 raw = fst_take(in, k, 16);                                                                         \
            fst_u32 negative = raw >> 15;                                                                              \
            x[k] = fst_f32_of_small(negative != 0 ? 0x10000 - raw : raw) | negative << 31;                             \
        }                                                                                                              \
        break;                                                                                                         \
    default:                                                                                                           \
        if (launch->from.mantissa_bits == 7) {                                                                         \
            FST_EACH(elements, fst_take(in, k, 16) << 16)                                                              \
        } else {                                                                                                       \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < elements; k++) {                                                                   \
                fst_u32 raw = fst_take(in, k, 16) << 16;                                                               \
                x[k] = fst_f32_of_f16(raw & 0x7FFF0000) | (raw & 0x80000000u);                                         \
            }                                                                                                          \
        }                                                                                                              \
        break;                                                                                                         \
    }

#define FST_ODD_32(elements)                                                                                           \
    switch (launch->from.kind) {                                                                                       \
    case FST_UNSIGNED:                                                                                                 \
        FST_EACH(elements, fst_odd_of_u32(in[k]))                                                                      \
        break;                                                                                                         \
    case FST_SIGNED:                                                                                                   \
        FST_EACH(elements, fst_odd_of_u32(in[k] >> 31 != 0 ? 0 - in[k] : in[k]) | (in[k] & 0x80000000u))               \
        break;                                                                                                         \
    default:                                                                                                           \
        FST_EACH(elements, in[k])                                                                                      \
        break;                                                                                                         \
    }

#define FST_ODD_64(elements)                                                                                           \
    switch (launch->from.kind) {                                                                                       \
    case FST_UNSIGNED:                                                                                                 \
        FST_EACH(elements, fst_odd_of_u64((fst_u64)in[2 * k + 1] << 32 | in[2 * k]))                                   \
        break;                                                                                                         \
    case FST_SIGNED:                                                                                                   \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < elements; k++) {                                                                       \
            fst_u64 raw = (fst_u64)in[2 * k + 1] << 32 | in[2 * k];                                                    \
            x[k] = fst_odd_of_u64(raw >> 63 != 0 ? 0 - raw : raw) | (in[2 * k + 1] & 0x80000000u);                     \
        }                                                                                                              \
        break;                                                                                                         \
    default:                                                                                                           \
        FST_EACH(elements, fst_odd_of_f64(in[2 * k], in[2 * k + 1]) | (in[2 * k + 1] & 0x80000000u))                   \
        break;                                                                                                         \
    }

FST_INLINE fst_u32 fst_odd_to_integer(fst_u32 x, struct fst_format to)
{
    fst_u32 magnitude = x & 0x7FFFFFFF;
    fst_u32 negative = x >> 31;
    fst_u32 is_signed = to.kind == FST_SIGNED ? 1 : 0;
    fst_u32 most = ((1u << (to.bits - is_signed)) - 1 + (negative & is_signed)) & ~(0 - (negative & ~is_signed));
    /* 2^17 is more than any result; up to there the sum is rounded to a whole number. */
    fst_u32 whole = fst_sum(fst_min(magnitude, 0x48000000u), FST_F32_ONES) - FST_F32_ONES;
    fst_u32 result = fst_min(whole, most) & ~fst_above(magnitude, FST_F32_INFINITY);
    return (negative != 0 ? 0 - result : result) & ((1u << to.bits) - 1);
}

FST_INLINE fst_u32 fst_odd_to_scale(fst_u32 x)
{
    fst_u32 magnitude = x & 0x7FFFFFFF;
    fst_u32 code = fst_min(fst_round(magnitude, 23), 0xFE);
    /* Below the smallest normal F32 there is one power more, whose code is 0. */
    code = magnitude < 0x800000u ? (magnitude > 0x600000u ? 1 : 0) : code;
    return magnitude >= FST_F32_INFINITY ? 0xFF : code;
}

/*
 * To a float with smaller exponents than F32's. Next to a power of two `shift` above its own, an F32 is rounded to what
 * the target has; the sum's last bits count that from zero on.
 */
FST_INLINE fst_u32 fst_rounded_code(fst_u32 magnitude, struct fst_format to, fst_u32 largest)
{
    fst_u32 shift = 23 - to.mantissa_bits;
    fst_u32 normal = (128 - to.bias) << 23;
    fst_u32 x = fst_min(magnitude, largest);
    fst_u32 exponent = x & 0x7F800000;
    exponent = exponent < normal ? normal : exponent;
    fst_u32 power = exponent + (shift << 23);
    return fst_sum(x, power) - power + ((exponent - normal) >> shift);
}

/* The F32 of a code without sign that is a normal number, or infinity. */
FST_INLINE fst_u32 fst_f32_of_code(fst_u32 code, struct fst_format format)
{
    return (code << (23 - format.mantissa_bits)) + ((127 - format.bias) << 23);
}

FST_INLINE fst_u32 fst_odd_to_number(fst_u32 x, struct fst_format to)
{
    fst_u32 magnitude = x & 0x7FFFFFFF;
    fst_u32 sign_bit = 1u << (to.bits - 1);
    fst_u32 code = fst_rounded_code(magnitude, to, fst_f32_of_code(sign_bit - 1, to));
    return magnitude > FST_F32_INFINITY ? 0 : code | (x >> (32 - to.bits) & sign_bit);
}

FST_INLINE fst_u32 fst_odd_to_float(fst_u32 x, struct fst_format to)
{
    fst_u32 magnitude = x & 0x7FFFFFFF;
    fst_u32 sign_bit = 1u << (to.bits - 1);
    fst_u32 ones = sign_bit - 1;
    fst_u32 infinity = ones >> to.mantissa_bits << to.mantissa_bits;
    fst_u32 last = to.kind == FST_IEEE ? infinity : to.kind == FST_ONE_NAN_A_SIGN ? ones - 1 : ones;
    fst_u32 nan = to.kind == FST_IEEE ? infinity | 1u << (to.mantissa_bits - 1)
                                      : to.kind == FST_ONE_NAN_A_SIGN ? ones : sign_bit;
    fst_u32 payload = to.kind == FST_IEEE ? (1u << to.mantissa_bits) - 1 : 0;
    /* Codes below this have no sign. */
    fst_u32 least = to.kind == FST_NAN_FOR_NEGATIVE_ZERO ? 1 : 0;
    fst_u32 code = fst_rounded_code(magnitude, to, fst_f32_of_code(last, to));
    code = magnitude > FST_F32_INFINITY ? nan | (magnitude >> (23 - to.mantissa_bits) & payload) : code;
    return code < least ? 0 : code | (x >> (32 - to.bits) & sign_bit);
}

FST_INLINE fst_u32 fst_odd_to_bf16(fst_u32 x)
{
    return fst_f32_to_bf16_code(x & 0x7FFFFFFF) | (x >> 16 & 0x8000);
}

#define FST_EACH_PUT(elements, bits, expression)                                                                       \
    FST_UNROLL                                                                                                         \
    for (fst_u32 k = 0; k < elements; k++) {                                                                           \
        fst_put(out, k, bits, (expression));                                                                           \
    }

#define FST_NARROWED_4(elements) FST_EACH_PUT(elements, 4, fst_odd_to_number(x[k], launch->to))
#define FST_NARROWED_6(elements) FST_EACH_PUT(elements, 6, fst_odd_to_number(x[k], launch->to))
#define FST_NARROWED_8(elements)                                                                                       \
    switch (launch->to.kind) {                                                                                         \
    case FST_BOOL:                                                                                                     \
        FST_EACH_PUT(elements, 8, (x[k] & 0x7FFFFFFF) != 0 ? 1 : 0)                                                    \
        break;                                                                                                         \
    case FST_UNSIGNED:                                                                                                 \
    case FST_SIGNED:                                                                                                   \
        FST_EACH_PUT(elements, 8, fst_odd_to_integer(x[k], launch->to))                                                \
        break;                                                                                                         \
    case FST_SCALE:                                                                                                    \
        FST_EACH_PUT(elements, 8, fst_odd_to_scale(x[k]))                                                              \
        break;                                                                                                         \
    default:                                                                                                           \
        FST_EACH_PUT(elements, 8, fst_odd_to_float(x[k], launch->to))                                                  \
        break;                                                                                                         \
    }
#define FST_NARROWED_16(elements)                                                                                      \
    switch (launch->to.kind) {                                                                                         \
    case FST_UNSIGNED:                                                                                                 \
    case FST_SIGNED:                                                                                                   \
        FST_EACH_PUT(elements, 16, fst_odd_to_integer(x[k], launch->to))                                               \
        break;                                                                                                         \
    default:                                                                                                           \
        if (launch->to.mantissa_bits == 7) {                                                                           \
            FST_EACH_PUT(elements, 16, fst_odd_to_bf16(x[k]))                                                          \
        } else {                                                                                                       \
            FST_EACH_PUT(elements, 16, fst_odd_to_float(x[k], launch->to))                                             \
        }                                                                                                              \
        break;                                                                                                         \
    }

#define FST_UNITS_KERNEL(name)                                                                                         \
    FST_INLINE void fst_##name##_item(FST_ARGUMENTS)                                                                   \
    {                                                                                                                  \
        fst_##name##_units(source, source_offset, target, target_offset, launch, item, 0);                             \
    }                                                                                                                  \
    FST_KERNEL(fst_##name)

/* Integers of up to 32 bits to ones of up to 16. */
FST_INLINE fst_u32 fst_clamp_integer(fst_u32 raw, const struct fst_launch *launch)
{
    fst_u32 is_signed = launch->to.kind == FST_SIGNED ? 1 : 0;
    fst_u32 most = (1u << (launch->to.bits - is_signed)) - 1;
    fst_u32 mask = (1u << launch->to.bits) - 1;
    if (launch->from.kind == FST_UNSIGNED) {
        return fst_min(raw, most);
    }
    fst_u32 up = 32 - launch->from.bits;
    fst_i32 value = (fst_i32)(raw << up) >> up;
    fst_i32 least = is_signed != 0 ? -(fst_i32)most - 1 : 0;
    return (fst_u32)fst_larger(fst_smaller(value, (fst_i32)most), least) & mask;
}

FST_INLINE fst_u32 fst_is_integer(fst_u32 kind)
{
    return kind == FST_UNSIGNED || kind == FST_SIGNED;
}

#define FST_NARROW(from_bits, to_bits, elements, source_unit, target_unit)                                             \
    FST_INLINE void fst_narrow_##from_bits##_##to_bits##_unit(FST_UNIT_ARGUMENTS)                                      \
    {                                                                                                                  \
        (void)table;                                                                                                   \
        if (from_bits <= 32 && to_bits >= 8 && fst_is_integer(launch->from.kind) && fst_is_integer(launch->to.kind)) { \
            FST_EACH_PUT(elements, to_bits, fst_clamp_integer(fst_take(in, k, from_bits), launch))                     \
            return;                                                                                                    \
        }                                                                                                              \
        fst_u32 x[elements];                                                                                           \
        FST_ODD_##from_bits(elements)                                                                                  \
        FST_NARROWED_##to_bits(elements)                                                                               \
    }                                                                                                                  \
    FST_ON_WHOLE_UNITS(narrow_##from_bits##_##to_bits, elements, source_unit, target_unit, FST_CONVERTING)             \
    FST_UNITS_KERNEL(narrow_##from_bits##_##to_bits)

#if FST_PART != 1
FST_NARROW(16, 4, 8, 16, 4)
FST_NARROW(16, 6, 8, 16, 6)
FST_NARROW(16, 8, 8, 16, 8)
FST_NARROW(16, 16, 8, 16, 16)
FST_NARROW(32, 4, 4, 16, 2)
FST_NARROW(32, 6, 4, 16, 3)
FST_NARROW(32, 8, 4, 16, 4)
FST_NARROW(32, 16, 4, 16, 8)
FST_NARROW(64, 4, 2, 16, 1)
FST_NARROW(64, 6, 4, 32, 3)
FST_NARROW(64, 8, 2, 16, 2)
FST_NARROW(64, 16, 2, 16, 4)
#endif

/* ---- wider elements to wide ones: through F32, or through fst_number with the formats as constants ---- */

FST_INLINE struct fst_format fst_format_of(fst_u32 kind, fst_u32 bits, fst_u32 mantissa_bits, fst_u32 bias)
{
    struct fst_format format;
    format.kind = kind;
    format.bits = bits;
    format.mantissa_bits = mantissa_bits;
    format.bias = bias;
    return format;
}

#define FST_EACH_NUMBER(elements, raw, kind, bits, mantissa_bits, bias)                                                \
    FST_UNROLL                                                                                                         \
    for (fst_u32 k = 0; k < elements; k++) {                                                                           \
        x[k] = fst_decode(raw, fst_format_of(kind, bits, mantissa_bits, bias));                                        \
    }
#define FST_NUMBERS(elements, raw, bits, mantissa_bits, bias)                                                          \
    switch (launch->from.kind) {                                                                                       \
    case FST_UNSIGNED:                                                                                                 \
        FST_EACH_NUMBER(elements, raw, FST_UNSIGNED, bits, 0, 0)                                                       \
        break;                                                                                                         \
    case FST_SIGNED:                                                                                                   \
        FST_EACH_NUMBER(elements, raw, FST_SIGNED, bits, 0, 0)                                                         \
        break;                                                                                                         \
    default:                                                                                                           \
        FST_EACH_NUMBER(elements, raw, FST_IEEE, bits, mantissa_bits, bias)                                            \
        break;                                                                                                         \
    }
#define FST_NUMBERS_32(elements) FST_NUMBERS(elements, in[k], 32, 23, 127)
#define FST_NUMBERS_64(elements) FST_NUMBERS(elements, (fst_u64)in[2 * k + 1] << 32 | in[2 * k], 64, 52, 1023)

#define FST_EACH_WIDENED(elements, to_bits, kind, mantissa_bits, bias)                                                 \
    FST_UNROLL                                                                                                         \
    for (fst_u32 k = 0; k < elements; k++) {                                                                           \
        fst_u64 y = fst_encode(x[k], fst_format_of(kind, to_bits, mantissa_bits, bias));                               \
        out[to_bits / 32 * k] = (fst_u32)y;                                                                            \
        if (to_bits == 64) {                                                                                           \
            out[to_bits / 32 * k + to_bits / 64] = (fst_u32)(y >> 32);                                                 \
        }                                                                                                              \
    }
#define FST_WIDENED(elements, to_bits, mantissa_bits, bias)                                                            \
    switch (launch->to.kind) {                                                                                         \
    case FST_UNSIGNED:                                                                                                 \
        FST_EACH_WIDENED(elements, to_bits, FST_UNSIGNED, 0, 0)                                                        \
        break;                                                                                                         \
    case FST_SIGNED:                                                                                                   \
        FST_EACH_WIDENED(elements, to_bits, FST_SIGNED, 0, 0)                                                          \
        break;                                                                                                         \
    default:                                                                                                           \
        FST_EACH_WIDENED(elements, to_bits, FST_IEEE, mantissa_bits, bias)                                             \
        break;                                                                                                         \
    }
#define FST_WIDENED_32(elements) FST_WIDENED(elements, 32, 23, 127)
#define FST_WIDENED_64(elements) FST_WIDENED(elements, 64, 52, 1023)

#define FST_WIDE(from_bits, to_bits, elements, source_unit, target_unit)                                               \
    FST_INLINE void fst_wide_##from_bits##_##to_bits##_unit(FST_UNIT_ARGUMENTS)                                        \
    {                                                                                                                  \
        (void)table;                                                                                                   \
        struct fst_number x[elements];                                                                                 \
        FST_NUMBERS_##from_bits(elements)                                                                              \
        FST_WIDENED_##to_bits(elements)                                                                                \
    }                                                                                                                  \
    FST_ON_WHOLE_UNITS(wide_##from_bits##_##to_bits, elements, source_unit, target_unit, FST_CONVERTING)               \
    FST_UNITS_KERNEL(wide_##from_bits##_##to_bits)

/* An F32 to an integer of 32 or 64 bits. */
FST_INLINE fst_u64 fst_f32_to_integer(fst_u32 x, fst_u32 is_signed, fst_u32 bits)
{
    fst_u32 magnitude = x & 0x7FFFFFFF;
    fst_u32 negative = x >> 31;
    fst_u32 up = (magnitude >> 23) - 150;
    fst_u64 large = (fst_u64)((magnitude & 0x7FFFFF) | 0x800000) << (up & 63);
    fst_u64 whole = magnitude < FST_F32_ONES ? fst_sum(magnitude, FST_F32_ONES) - FST_F32_ONES : large;
    whole = magnitude >= (bits == 64 ? 0x5F800000u : 0x4F800000u) ? ~(fst_u64)0 : whole;
    fst_u64 most = fst_ones(bits - is_signed) + (negative & is_signed);
    whole = whole < most ? whole : most;
    whole = magnitude > FST_F32_INFINITY || (negative & ~is_signed) != 0 ? 0 : whole;
    return negative != 0 ? 0 - whole : whole;
}

FST_INLINE fst_u64 fst_f32_to_f64(fst_u32 x)
{
    fst_u32 magnitude = x & 0x7FFFFFFF;
    /* A subnormal's top bit is shifted to where the exponent begins. */
    fst_u32 shift = (fst_u32)fst_larger((fst_i32)fst_leading_zeros(magnitude) - 8, 0);
    fst_u32 exponent = magnitude >= FST_F32_INFINITY ? 1792 : 896 - shift;
    fst_u32 mantissa = magnitude << shift;
    fst_u64 code = ((fst_u64)mantissa << 29) + ((fst_u64)exponent << 52);
    code |= magnitude > FST_F32_INFINITY ? (fst_u64)1 << 51 : 0;
    code = magnitude == 0 ? 0 : code;
    return code | (fst_u64)(x >> 31) << 63;
}

/* The magnitude of an integer, rounded to F32. */
FST_INLINE fst_u32 fst_f32_of_u32(fst_u32 x)
{
    fst_u32 zeros = fst_min(fst_leading_zeros(x), 31);
    fst_u32 top = x << zeros;
    /* The significand's top bit adds 1 to the exponent code. */
    fst_u32 code = ((157 - zeros) << 23) + fst_round(top >> 1 | (top & 1), 7);
    return x == 0 ? 0 : code;
}

#define FST_EACH_OUT_32(elements, expression)                                                                          \
    FST_UNROLL                                                                                                         \
    for (fst_u32 k = 0; k < elements; k++) {                                                                           \
        out[k] = (fst_u32)(expression);                                                                                \
    }
#define FST_EACH_OUT_64(elements, expression)                                                                          \
    FST_UNROLL                                                                                                         \
    for (fst_u32 k = 0; k < elements; k++) {                                                                           \
        fst_u64 y = (expression);                                                                                      \
        out[2 * k] = (fst_u32)y;                                                                                       \
        out[2 * k + 1] = (fst_u32)(y >> 32);                                                                           \
    }
#define FST_QUIET(x) ((x) | (fst_above((x) & 0x7FFFFFFF, FST_F32_INFINITY) & 0x400000))

/* Every element of 16 bits is an F32. */
FST_INLINE void fst_wide_16_32_unit(FST_UNIT_ARGUMENTS)
{
    (void)table;
    fst_u32 x[4];
    FST_ODD_16(4)
    if (fst_is_integer(launch->to.kind)) {
        fst_u32 is_signed = launch->to.kind == FST_SIGNED ? 1 : 0;
        FST_EACH_OUT_32(4, fst_f32_to_integer(x[k], is_signed, 32))
    } else {
        FST_EACH_OUT_32(4, FST_QUIET(x[k]))
    }
}

FST_INLINE void fst_wide_16_64_unit(FST_UNIT_ARGUMENTS)
{
    (void)table;
    fst_u32 x[2];
    FST_ODD_16(2)
    if (fst_is_integer(launch->to.kind)) {
        fst_u32 is_signed = launch->to.kind == FST_SIGNED ? 1 : 0;
        FST_EACH_OUT_64(2, fst_f32_to_integer(x[k], is_signed, 64))
    } else {
        FST_EACH_OUT_64(2, fst_f32_to_f64(x[k]))
    }
}

FST_INLINE void fst_wide_32_32_unit(FST_UNIT_ARGUMENTS)
{
    (void)table;
    if (fst_is_integer(launch->to.kind)) {
        fst_u32 is_signed = launch->to.kind == FST_SIGNED ? 1 : 0;
        if (launch->from.kind == FST_UNSIGNED) {
            FST_EACH_OUT_32(4, fst_min(in[k], 0xFFFFFFFFu >> is_signed))
        } else if (launch->from.kind == FST_SIGNED) {
            FST_EACH_OUT_32(4, is_signed != 0 || in[k] >> 31 == 0 ? in[k] : 0)
        } else {
            FST_EACH_OUT_32(4, fst_f32_to_integer(in[k], is_signed, 32))
        }
    } else if (launch->from.kind == FST_UNSIGNED) {
        FST_EACH_OUT_32(4, fst_f32_of_u32(in[k]))
    } else if (launch->from.kind == FST_SIGNED) {
        FST_EACH_OUT_32(4, fst_f32_of_u32(in[k] >> 31 != 0 ? 0 - in[k] : in[k]) | (in[k] & 0x80000000u))
    } else {
        FST_EACH_OUT_32(4, FST_QUIET(in[k]))
    }
}

#define FST_WIDE_UNITS(from_bits, to_bits, elements, source_unit, target_unit)                                         \
    FST_ON_WHOLE_UNITS(wide_##from_bits##_##to_bits, elements, source_unit, target_unit, FST_CONVERTING)               \
    FST_UNITS_KERNEL(wide_##from_bits##_##to_bits)

#if FST_PART != 1
FST_WIDE_UNITS(16, 32, 4, 8, 16)
FST_WIDE_UNITS(16, 64, 2, 4, 16)
FST_WIDE_UNITS(32, 32, 4, 16, 16)
FST_WIDE(32, 64, 2, 8, 16)
FST_WIDE(64, 32, 2, 16, 8)
FST_WIDE(64, 64, 2, 16, 16)
#endif

/*
 * ---- gather of items that lie transposed: fst_transpose_N, items of N bytes, aligned to N ----
 *
 * dims[0], the target's innermost dimension, has any stride in the source, strides[0]; dims[1] is contiguous there, and
 * strides[1] bytes apart in the target. Up to three dimensions lie around: dims, strides and, three places on, strides in
 * the target. dims[5] and dims[6] say how many tiles lie along the two. A group moves a square tile at a time through
 * local memory, so that both sides are read and written along their rows; in words of four bytes where items are
 * smaller and everything is aligned to those.
 *
 * A row of a tile has 32 columns or more, and column c of row r stands at c ^ r: any 32 of a row, and of a column, lie
 * in different banks.
 */
FST_INLINE fst_u32 fst_tiles(const struct fst_launch *launch)
{
    return launch->count;
}

/* The first item of a tile along both dimensions, and its place on both sides. */
struct fst_tile_place {
    fst_u32 row;
    fst_u32 column;
    fst_u64 source;
    fst_u64 target;
};

FST_INLINE struct fst_tile_place fst_tile_at(fst_u32 round, const struct fst_launch *launch, fst_u32 side)
{
    struct fst_tile_place place;
    /* Along the contiguous dimension first: neighbouring groups read neighbouring memory. */
    fst_u32 across = fst_quotient(round, launch, 6);
    place.column = (round - across * launch->dims[6]) * side;
    fst_u32 rest = fst_quotient(across, launch, 5);
    place.row = (across - rest * launch->dims[5]) * side;
    place.source = 0;
    place.target = 0;
    FST_KEEP_LOOP
    for (fst_u32 d = 2; d < launch->rank; d++) {
        fst_u32 quotient = fst_quotient(rest, launch, d);
        fst_u32 index = rest - quotient * launch->dims[d];
        place.source += index * launch->strides[d];
        place.target += index * launch->strides[d + 3];
        rest = quotient;
    }
    return place;
}

/* side: rows and columns of a tile. pack: items that one word has. */
#define FST_TRANSPOSE_STAGES(name, bytes, side, pack, field, type, words, suffix, batch)                               \
    FST_INLINE void name##_load##suffix(FST_STAGE_ARGUMENTS(fst_tile))                                                 \
    {                                                                                                                  \
        (void)target;                                                                                                  \
        (void)target_offset;                                                                                           \
        struct fst_tile_place place = fst_tile_at(round, launch, side);                                                \
        fst_u64 first = source_offset + place.source + (fst_u64)place.row * launch->strides[0]                         \
                        + (fst_u64)place.column * bytes;                                                               \
        fst_u32 rows = fst_min(launch->dims[0] - place.row, side);                                                     \
        fst_u32 columns = fst_min(launch->dims[1] - place.column, side) / pack;                                        \
        for (fst_u32 i = item.member; i < side * (side / pack); i += batch * item.size) {                              \
            fst_u32 w[batch][words];                                                                                   \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < batch; k++) {                                                                      \
                fst_u32 j = fst_min(i + k * item.size, side * (side / pack) - 1);                                      \
                fst_u32 row = fst_min(j / (side / pack), rows - 1);                                                    \
                fst_u32 column = fst_min(j % (side / pack), columns - 1);                                              \
                fst_load_##type(source + (first + row * launch->strides[0] + (fst_u64)column * (bytes * pack)), w[k]); \
            }                                                                                                          \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < batch; k++) {                                                                      \
                fst_u32 j = i + k * item.size;                                                                         \
                fst_u32 row = j / (side / pack);                                                                       \
                fst_u32 column = j % (side / pack);                                                                    \
                if (j < side * (side / pack)) {                                                                        \
                    FST_TILE_PUT_##field(row * (side / pack) + (column ^ (row / pack % 32)), w[k])                     \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
#define FST_TILE_PUT_bytes(at, w) shared->bytes[at] = (fst_u8)w[0];
#define FST_TILE_PUT_halves(at, w) shared->halves[at] = (fst_u16)w[0];
#define FST_TILE_PUT_words(at, w) shared->words[at] = w[0];
#define FST_TILE_PUT_longs(at, w) shared->longs[at] = (fst_u64)w[1] << 32 | w[0];
#define FST_TILE_PUT_pairs(at, w)                                                                                      \
    {                                                                                                                  \
        shared->longs[2 * (at)] = (fst_u64)w[1] << 32 | w[0];                                                           \
        shared->longs[2 * (at) + 1] = (fst_u64)w[3] << 32 | w[2];                                                       \
    }
#define FST_TILE_TAKE_bytes(at, w) w[0] = shared->bytes[at];
#define FST_TILE_TAKE_halves(at, w) w[0] = shared->halves[at];
#define FST_TILE_TAKE_words(at, w) w[0] = shared->words[at];
#define FST_TILE_TAKE_longs(at, w)                                                                                     \
    w[0] = (fst_u32)shared->longs[at];                                                                                  \
    w[1] = (fst_u32)(shared->longs[at] >> 32);
#define FST_TILE_TAKE_pairs(at, w)                                                                                     \
    w[0] = (fst_u32)shared->longs[2 * (at)];                                                                            \
    w[1] = (fst_u32)(shared->longs[2 * (at)] >> 32);                                                                    \
    w[2] = (fst_u32)shared->longs[2 * (at) + 1];                                                                        \
    w[3] = (fst_u32)(shared->longs[2 * (at) + 1] >> 32);

/* Item by item. */
#define FST_TRANSPOSE_ITEMS(name, bytes, side, field, words, suffix)                                                   \
    FST_TRANSPOSE_STAGES(name, bytes, side, 1, field, bytes, words, suffix, 4)                                            \
    FST_INLINE void name##_save##suffix(FST_STAGE_ARGUMENTS(fst_tile))                                                 \
    {                                                                                                                  \
        (void)source;                                                                                                  \
        (void)source_offset;                                                                                           \
        struct fst_tile_place place = fst_tile_at(round, launch, side);                                                \
        fst_u64 first = target_offset + place.target + (fst_u64)place.column * launch->strides[1]                      \
                        + (fst_u64)place.row * bytes;                                                                  \
        fst_u32 rows = fst_min(launch->dims[0] - place.row, side);                                                     \
        fst_u32 columns = fst_min(launch->dims[1] - place.column, side);                                               \
        FST_UNROLL_4                                                                                                   \
        for (fst_u32 i = item.member; i < side * side; i += item.size) {                                               \
            fst_u32 column = i / side;                                                                                 \
            fst_u32 row = i % side;                                                                                    \
            if (row < rows && column < columns) {                                                                      \
                fst_u32 w[words];                                                                                      \
                FST_TILE_TAKE_##field(row * side + (column ^ (row % 32)), w)                                           \
                fst_store_##bytes(target + (first + column * launch->strides[1] + (fst_u64)row * bytes), w);           \
            }                                                                                                          \
        }                                                                                                              \
    }

/* In words of `pack` items; the rows of a tile are a multiple of that on both sides. */
#define FST_TRANSPOSE_WORDS(name, bytes, side, pack, field)                                                            \
    FST_TRANSPOSE_STAGES(name, bytes, side, pack, words, 4, 1, _words, 8)                                                 \
    FST_INLINE void name##_save_words(FST_STAGE_ARGUMENTS(fst_tile))                                                   \
    {                                                                                                                  \
        (void)source;                                                                                                  \
        (void)source_offset;                                                                                           \
        struct fst_tile_place place = fst_tile_at(round, launch, side);                                                \
        fst_u64 first = target_offset + place.target + (fst_u64)place.column * launch->strides[1]                      \
                        + (fst_u64)place.row * bytes;                                                                  \
        fst_u32 rows = fst_min(launch->dims[0] - place.row, side) / pack;                                              \
        fst_u32 columns = fst_min(launch->dims[1] - place.column, side);                                               \
        for (fst_u32 i = item.member; i < (side / pack) * (side / pack); i += item.size) {                             \
            fst_u32 column = i / (side / pack);                                                                        \
            fst_u32 row = i % (side / pack);                                                                           \
            if (row < rows && column * pack < columns) {                                                               \
                fst_u32 w[pack];                                                                                       \
                FST_UNROLL                                                                                             \
                for (fst_u32 k = 0; k < pack; k++) {                                                                   \
                    w[k] = shared->words[(row * pack + k) * (side / pack) + (column ^ (row % 32))];                    \
                }                                                                                                      \
                FST_UNROLL                                                                                             \
                for (fst_u32 c = 0; c < pack; c++) {                                                                   \
                    fst_u32 out = 0;                                                                                   \
                    FST_UNROLL                                                                                         \
                    for (fst_u32 k = 0; k < pack; k++) {                                                               \
                        out |= (w[k] >> 8 * bytes * c & ((1u << 8 * bytes) - 1)) << 8 * bytes * k;                     \
                    }                                                                                                  \
                    fst_store_4(target + (first + (column * pack + c) * launch->strides[1] + (fst_u64)row * 4), &out); \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#define FST_TRANSPOSE_ROUNDS(name)                                                                                     \
    FST_INLINE fst_u32 name##_rounds(const struct fst_launch *launch, fst_u32 groups)                                  \
    {                                                                                                                  \
        (void)groups;                                                                                                  \
        return fst_tiles(launch);                                                                                      \
    }
#define FST_STAGE_CALL(name) name(source, source_offset, target, target_offset, launch, item, shared, round)

#define FST_TRANSPOSE_SMALL(bytes, side, pack, field)                                                                  \
    FST_TRANSPOSE_ITEMS(fst_transpose_##bytes, bytes, side, field, 1, _items)                                          \
    FST_TRANSPOSE_WORDS(fst_transpose_##bytes, bytes, side, pack, field)                                               \
    FST_INLINE void fst_transpose_##bytes##_first(FST_STAGE_ARGUMENTS(fst_tile))                                       \
    {                                                                                                                  \
        if (launch->aligned) {                                                                                         \
            FST_STAGE_CALL(fst_transpose_##bytes##_load_words);                                                        \
        } else {                                                                                                       \
            FST_STAGE_CALL(fst_transpose_##bytes##_load_items);                                                        \
        }                                                                                                              \
    }                                                                                                                  \
    FST_INLINE void fst_transpose_##bytes##_second(FST_STAGE_ARGUMENTS(fst_tile))                                      \
    {                                                                                                                  \
        if (launch->aligned) {                                                                                         \
            FST_STAGE_CALL(fst_transpose_##bytes##_save_words);                                                        \
        } else {                                                                                                       \
            FST_STAGE_CALL(fst_transpose_##bytes##_save_items);                                                        \
        }                                                                                                              \
    }                                                                                                                  \
    FST_TRANSPOSE_ROUNDS(fst_transpose_##bytes)                                                                        \
    FST_STAGED_KERNEL(fst_transpose_##bytes, fst_tile)

#define FST_TRANSPOSE_LARGE(bytes, side, field, words)                                                                 \
    FST_TRANSPOSE_ITEMS(fst_transpose_##bytes, bytes, side, field, words, _items)                                      \
    FST_INLINE void fst_transpose_##bytes##_first(FST_STAGE_ARGUMENTS(fst_tile))                                       \
    {                                                                                                                  \
        FST_STAGE_CALL(fst_transpose_##bytes##_load_items);                                                            \
    }                                                                                                                  \
    FST_INLINE void fst_transpose_##bytes##_second(FST_STAGE_ARGUMENTS(fst_tile))                                      \
    {                                                                                                                  \
        FST_STAGE_CALL(fst_transpose_##bytes##_save_items);                                                            \
    }                                                                                                                  \
    FST_TRANSPOSE_ROUNDS(fst_transpose_##bytes)                                                                        \
    FST_STAGED_KERNEL(fst_transpose_##bytes, fst_tile)

#if FST_PART != 2
FST_TRANSPOSE_SMALL(1, 128, 4, bytes)
FST_TRANSPOSE_SMALL(2, 64, 2, halves)
FST_TRANSPOSE_LARGE(4, 64, words, 1)
FST_TRANSPOSE_LARGE(8, 32, longs, 2)
FST_TRANSPOSE_LARGE(16, 32, pairs, 4)
#endif

/*
 * ---- gather of rows that are reversed, or whose every other item is dropped: fst_pick_N, items of N bytes ----
 *
 * A work item makes 16 bytes of the target from 16 aligned ones of the source, or from 32 (chunk = 2), of whose pairs it
 * takes the first items or the second ones (head = 1); and reverses them if edges is set. An index counts units: dims[0]
 * is how many a row has.
 */
FST_INLINE fst_u32 fst_swapped_halves(fst_u32 x)
{
    return x >> 16 | x << 16;
}

FST_INLINE fst_u32 fst_swapped_bytes(fst_u32 x)
{
    fst_u32 y = fst_swapped_halves(x);
    return (y >> 8 & 0x00FF00FFu) | (y << 8 & 0xFF00FF00u);
}

FST_INLINE fst_u32 fst_even_bytes(fst_u32 a, fst_u32 b)
{
    return fst_odd_bytes(a << 8, b << 8);
}

FST_INLINE void fst_pick_every_other_1(const fst_u32 *in, fst_u32 second, fst_u32 *out)
{
    FST_UNROLL
    for (fst_u32 k = 0; k < 4; k++) {
        out[k] = second ? fst_odd_bytes(in[2 * k], in[2 * k + 1]) : fst_even_bytes(in[2 * k], in[2 * k + 1]);
    }
}

FST_INLINE void fst_pick_every_other_2(const fst_u32 *in, fst_u32 second, fst_u32 *out)
{
    FST_UNROLL
    for (fst_u32 k = 0; k < 4; k++) {
        fst_u32 first = (in[2 * k] & 0xFFFF) | in[2 * k + 1] << 16;
        out[k] = second ? in[2 * k] >> 16 | (in[2 * k + 1] & 0xFFFF0000u) : first;
    }
}

FST_INLINE void fst_pick_every_other_4(const fst_u32 *in, fst_u32 second, fst_u32 *out)
{
    FST_UNROLL
    for (fst_u32 k = 0; k < 4; k++) {
        out[k] = second ? in[2 * k + 1] : in[2 * k];
    }
}

FST_INLINE void fst_pick_every_other_8(const fst_u32 *in, fst_u32 second, fst_u32 *out)
{
    FST_UNROLL
    for (fst_u32 k = 0; k < 4; k++) {
        out[k] = second ? in[k / 2 * 4 + 2 + k % 2] : in[k / 2 * 4 + k % 2];
    }
}

#define FST_PICK(bytes, reversed)                                                                                      \
    FST_INLINE void fst_pick_##bytes##_item(FST_ARGUMENTS)                                                             \
    {                                                                                                                  \
        fst_u32 count = launch->count;                                                                                 \
        fst_u32 step = item.groups * item.size * 2;                                                                    \
        for (fst_u32 i = item.group * item.size * 2 + item.member; i < count; i += step) {                             \
            fst_u32 in[2][8];                                                                                          \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < 2; k++) {                                                                          \
                fst_u64 at = source_offset + fst_strided(fst_min(i + k * item.size, count - 1), launch);               \
                fst_load_16(source + at, in[k]);                                                                       \
                if (launch->chunk == 2) {                                                                              \
                    fst_load_16(source + at + 16, in[k] + 4);                                                          \
                }                                                                                                      \
            }                                                                                                          \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < 2; k++) {                                                                          \
                fst_u32 j = i + k * item.size;                                                                         \
                if (j < count) {                                                                                       \
                    fst_u32 x[4];                                                                                      \
                    fst_u32 out[4];                                                                                    \
                    if (launch->chunk == 2) {                                                                          \
                        fst_pick_every_other_##bytes(in[k], launch->head, x);                                          \
                    } else {                                                                                           \
                        fst_copy_unit(in[k], x);                                                                       \
                    }                                                                                                  \
                    FST_UNROLL                                                                                         \
                    for (fst_u32 w = 0; w < 4; w++) {                                                                  \
                        out[w] = launch->edges ? (reversed) : x[w];                                                    \
                    }                                                                                                  \
                    fst_store_16(target + (target_offset + (fst_u64)j * 16), out);                                     \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    FST_KERNEL(fst_pick_##bytes)

#if FST_PART != 2
FST_PICK(1, fst_swapped_bytes(x[3 - w]))
FST_PICK(2, fst_swapped_halves(x[3 - w]))
FST_PICK(4, x[3 - w])
FST_PICK(8, x[(3 - w) ^ 1])
#endif

/* ---- de-quantisation: elements times the scales of their blocks ---- */

#define FST_QUIET_NAN 0x7FC00000u

FST_INLINE struct fst_format fst_f32_format(void)
{
    struct fst_format format;
    format.kind = FST_IEEE;
    format.bits = 32;
    format.mantissa_bits = 23;
    format.bias = 127;
    return format;
}

/* The product of two F32 as every language here makes it of normal numbers whose product is one. */
FST_INLINE fst_u32 fst_normal_product(fst_u32 a, fst_u32 b)
{
#if defined(FST_C)
    float x;
    float y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    x *= y;
    memcpy(&a, &x, sizeof x);
    return a;
#elif defined(FST_OPENCL)
    return as_uint(as_float(a) * as_float(b));
#else
    return __float_as_uint(__uint_as_float(a) * __uint_as_float(b));
#endif
}

/* The product of any two F32, rounded to nearest, ties to even; a NaN is the positive quiet one. */
FST_INLINE fst_u32 fst_any_product(fst_u32 a, fst_u32 b)
{
    struct fst_format format = fst_f32_format();
    struct fst_number x = fst_decode_float(a, format);
    struct fst_number y = fst_decode_float(b, format);
    if (x.what == FST_NAN || y.what == FST_NAN || (x.what == FST_INFINITE && y.what == FST_FINITE && y.magnitude == 0)
        || (y.what == FST_INFINITE && x.what == FST_FINITE && x.magnitude == 0)) {
        return FST_QUIET_NAN;
    }
    x.negative ^= y.negative;
    if (y.what == FST_INFINITE) {
        x.what = FST_INFINITE;
    }
    x.magnitude *= y.magnitude;
    x.exponent += y.exponent;
    return (fst_u32)fst_encode_float(x, format);
}

/* Devices may flush subnormal numbers: where one is near, integers do it. The product of two normal ones is no NaN. */
FST_INLINE fst_u32 fst_product(fst_u32 a, fst_u32 b)
{
    fst_u32 x = a >> 23 & 0xFF;
    fst_u32 y = b >> 23 & 0xFF;
    if ((a & 0x7FFFFFFF) == 0 && y != 0xFF) {
        return (a ^ b) & 0x80000000u;
    }
    return x == 0 || y == 0 || x == 0xFF || y == 0xFF || x + y < 130 ? fst_any_product(a, b)
                                                                     : fst_normal_product(a, b);
}

/* An element as F32. */
FST_INLINE fst_u32 fst_element(fst_u32 raw, struct fst_format from)
{
    if (from.kind == FST_ONE_NAN_A_SIGN) {
        return (raw & 0x80) << 24 | fst_f8_e4m3_to_f32_code(raw & 0x7F);
    }
    if (from.kind == FST_NUMBERS_ONLY && from.bits == 4) {
        fst_u32 code = raw & 7;
        fst_u32 normal = ((code >> 1) + 126) << 23 | (code & 1) << 22;
        return (raw & 8) << 28 | (code > 1 ? normal : code * 0x3F000000u);
    }
    return (fst_u32)fst_encode_float(fst_decode(raw, from), fst_f32_format());
}

/* An F32 that is no NaN but the quiet one, as a result: BF16, F16 or F32. */
FST_INLINE fst_u32 fst_result(fst_u32 x, struct fst_format to)
{
    if (to.bits == 32) {
        return x;
    }
    fst_u32 magnitude = x & 0x7FFFFFFF;
    return (x >> 16 & 0x8000)
           | (to.mantissa_bits == 7 ? fst_f32_to_bf16_code(magnitude) : fst_f32_to_f16_code(magnitude));
}

/*
 * The source has the elements; F32 scales begin strides[2] bytes after them, at a multiple of four. Element 0 stands in
 * column head of row end of its matrix. dims: columns, columns of a block, rows of a matrix, rows of a block. strides[0]:
 * scales between two matrices, strides[1]: between two rows of blocks, strides[3]: what is taken off each index.
 *
 * A work item makes chunk elements: eight that have one scale, or one; where elements are smaller than a byte, an even
 * number of them. aligned: eight elements may be loaded and stored together.
 */
FST_INLINE fst_u32 fst_scale(const FST_GLOBAL fst_u8 *scales, const struct fst_launch *launch, fst_u32 i)
{
    fst_u32 n = launch->head + i;
    fst_u32 down = fst_quotient(n, launch, 0);
    fst_u32 column = n - down * launch->dims[0];
    fst_u32 m = launch->end + down;
    fst_u32 matrix = fst_quotient(m, launch, 2);
    fst_u32 row = m - matrix * launch->dims[2];
    fst_u64 index = matrix * launch->strides[0] + fst_quotient(row, launch, 3) * launch->strides[1]
                    + fst_quotient(column, launch, 1) - launch->strides[3];
    fst_u32 scale;
    fst_load_4(scales + 4 * index, &scale);
    return scale;
}

FST_INLINE void fst_dequantize_item(FST_ARGUMENTS)
{
    struct fst_format from = launch->from;
    struct fst_format to = launch->to;
    const FST_GLOBAL fst_u8 *scales = source + (source_offset + launch->strides[2]);
    fst_u32 chunk = launch->chunk;
    fst_u32 step = item.groups * item.size * 8;
    for (fst_u32 i = (item.group * item.size + item.member) * 8; i < launch->count; i += step) {
        fst_u32 many = fst_min(8, launch->count - i);
        fst_u64 in = source_offset + (fst_u64)i * from.bits / 8;
        fst_u64 out = target_offset + (fst_u64)i * (to.bits / 8);
        fst_u32 words[2];
        fst_u32 wide = launch->aligned && many == 8;
        if (wide && from.bits == 8) {
            fst_load_8(source + in, words);
        } else if (wide) {
            fst_load_4(source + in, words);
            words[1] = 0;
        } else {
            fst_u64 some = fst_read(source + in, (many * from.bits + 7) / 8);
            words[0] = (fst_u32)some;
            words[1] = (fst_u32)(some >> 32);
        }
        fst_u32 scale = fst_scale(scales, launch, i);
        fst_u32 results[8];
        FST_UNROLL
        for (fst_u32 k = 0; k < 8; k++) {
            fst_u32 raw = from.bits == 8 ? words[k / 4] >> k % 4 * 8 & 0xFF : words[0] >> k * 4 & 0xF;
            if (chunk == 1 && k > 0 && k < many) {
                scale = fst_scale(scales, launch, i + k);
            }
            results[k] = fst_result(fst_product(fst_element(raw, from), scale), to);
        }
        if (wide && to.bits == 16) {
            fst_u32 pairs[4];
            FST_UNROLL
            for (fst_u32 k = 0; k < 4; k++) {
                pairs[k] = results[2 * k] | results[2 * k + 1] << 16;
            }
            fst_store_16(target + out, pairs);
        } else if (wide) {
            fst_store_16(target + out, results);
            fst_store_16(target + out + 16, results + 4);
        } else {
            FST_UNROLL
            for (fst_u32 k = 0; k < 8; k++) {
                if (k < many) {
                    fst_write(target + (out + k * (to.bits / 8)), to.bits / 8, results[k]);
                }
            }
        }
    }
}
#if FST_PART != 2
FST_KERNEL(fst_dequantize)
#endif

#if defined(FST_C)
typedef void (*fst_kernel)(const void *, fst_u64, void *, fst_u64, const struct fst_launch *, fst_u32, fst_u32);

struct fst_kernel_entry {
    const char *name;
    fst_kernel function;
};

#define FST_ENTRY(name) {#name, name},
const struct fst_kernel_entry fst_kernel_table[] = {
    FST_ENTRY(fst_copy)
    FST_ENTRY(fst_f64_to_f32)
    FST_ENTRY(fst_f64_to_f16)
    FST_ENTRY(fst_f64_to_bf16)
    FST_ENTRY(fst_f32_to_f16)
    FST_ENTRY(fst_f32_to_bf16)
    FST_ENTRY(fst_f32_to_f8_e4m3)
    FST_ENTRY(fst_f32_to_f8_e5m2)
    FST_ENTRY(fst_f16_to_f32)
    FST_ENTRY(fst_f16_to_bf16)
    FST_ENTRY(fst_f16_to_f8_e4m3)
    FST_ENTRY(fst_f16_to_f8_e5m2)
    FST_ENTRY(fst_bf16_to_f32)
    FST_ENTRY(fst_bf16_to_f16)
    FST_ENTRY(fst_bf16_to_f8_e4m3)
    FST_ENTRY(fst_bf16_to_f8_e5m2)
    FST_ENTRY(fst_f8_e4m3_to_f32)
    FST_ENTRY(fst_f8_e4m3_to_f16)
    FST_ENTRY(fst_f8_e4m3_to_bf16)
    FST_ENTRY(fst_f8_e5m2_to_f32)
    FST_ENTRY(fst_f8_e5m2_to_f16)
    FST_ENTRY(fst_f8_e5m2_to_bf16)
    FST_ENTRY(fst_gather_1)
    FST_ENTRY(fst_gather_2)
    FST_ENTRY(fst_gather_4)
    FST_ENTRY(fst_gather_8)
    FST_ENTRY(fst_gather_16)
    FST_ENTRY(fst_convert)
    FST_ENTRY(fst_table_4_6)
    FST_ENTRY(fst_table_4_8)
    FST_ENTRY(fst_table_4_16)
    FST_ENTRY(fst_table_4_32)
    FST_ENTRY(fst_table_4_64)
    FST_ENTRY(fst_table_6_4)
    FST_ENTRY(fst_table_6_6)
    FST_ENTRY(fst_table_6_8)
    FST_ENTRY(fst_table_6_16)
    FST_ENTRY(fst_table_6_32)
    FST_ENTRY(fst_table_6_64)
    FST_ENTRY(fst_table_8_4)
    FST_ENTRY(fst_table_8_6)
    FST_ENTRY(fst_table_8_8)
    FST_ENTRY(fst_table_8_16)
    FST_ENTRY(fst_table_8_32)
    FST_ENTRY(fst_table_8_64)
    FST_ENTRY(fst_narrow_16_4)
    FST_ENTRY(fst_narrow_16_6)
    FST_ENTRY(fst_narrow_16_8)
    FST_ENTRY(fst_narrow_16_16)
    FST_ENTRY(fst_narrow_32_4)
    FST_ENTRY(fst_narrow_32_6)
    FST_ENTRY(fst_narrow_32_8)
    FST_ENTRY(fst_narrow_32_16)
    FST_ENTRY(fst_narrow_64_4)
    FST_ENTRY(fst_narrow_64_6)
    FST_ENTRY(fst_narrow_64_8)
    FST_ENTRY(fst_narrow_64_16)
    FST_ENTRY(fst_wide_16_32)
    FST_ENTRY(fst_wide_16_64)
    FST_ENTRY(fst_wide_32_32)
    FST_ENTRY(fst_wide_32_64)
    FST_ENTRY(fst_wide_64_32)
    FST_ENTRY(fst_wide_64_64)
    FST_ENTRY(fst_transpose_1)
    FST_ENTRY(fst_transpose_2)
    FST_ENTRY(fst_transpose_4)
    FST_ENTRY(fst_transpose_8)
    FST_ENTRY(fst_transpose_16)
    FST_ENTRY(fst_pick_1)
    FST_ENTRY(fst_pick_2)
    FST_ENTRY(fst_pick_4)
    FST_ENTRY(fst_pick_8)
    FST_ENTRY(fst_dequantize)
    {NULL, NULL},
};
#endif
