/*
 * The device kernels of fst: conversion between element types, and strided gather.
 *
 * One text for four languages, chosen by the compiler's predefined macros: CUDA C++ (nvcc, nvrtc), HIP (hipcc, hiprtc),
 * OpenCL C 1.2 and C11. It needs no option and no extension. All arithmetic is on integers, so that every device gives
 * the same bits. The devices are little-endian.
 *
 * How a backend uses it. Compile the text, once per device; io.fastsafetensors.spi.kernel.KernelPlan says which
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
 * below 2^28. No function uses local memory or synchronises.
 *
 * In C a function runs all work items of the launch before it returns; two more arguments are the geometry, and launch
 * is passed by pointer. fst_kernel_table lists the functions by name and ends with a NULL.
 */

#if defined(__OPENCL_VERSION__) || defined(__OPENCL_C_VERSION__)
#define FST_OPENCL
#define FST_GLOBAL __global
#define FST_RESTRICT restrict
#define FST_INLINE static inline
#define FST_UNROLL _Pragma("unroll")
typedef uchar fst_u8;
typedef ushort fst_u16;
typedef uint fst_u32;
typedef int fst_i32;
typedef ulong fst_u64;
#elif defined(__CUDACC__) || defined(__HIPCC__) || defined(__HIPCC_RTC__)
#define FST_GLOBAL
#define FST_RESTRICT __restrict__
#define FST_INLINE static __device__ __forceinline__
#define FST_UNROLL _Pragma("unroll")
typedef unsigned char fst_u8;
typedef unsigned short fst_u16;
typedef unsigned int fst_u32;
typedef int fst_i32;
typedef unsigned long long fst_u64;
#if defined(__CUDACC__) && !defined(__HIP__)
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
typedef uint8_t fst_u8;
typedef uint16_t fst_u16;
typedef uint32_t fst_u32;
typedef int32_t fst_i32;
typedef uint64_t fst_u64;
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
 * What a call does. The Java class io.fastsafetensors.spi.kernel.Launch writes it;
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
    /* How many elements are in no unit: those before head, and those from tail on. */
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
            for (item.member = 0; item.member < group_size; item.member++) {                                              \
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
        item.member = (fst_u32)get_local_id(0);                                                                         \
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

/* Units or items that a work item has in flight: 64 bytes of the wider side. */
#define FST_IN_FLIGHT 4

/* ---- arithmetic that the languages spell differently ---- */

FST_INLINE fst_u32 fst_min(fst_u32 a, fst_u32 b)
{
    return a < b ? a : b;
}

FST_INLINE fst_i32 fst_larger(fst_i32 a, fst_i32 b)
{
    return a > b ? a : b;
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

/* ---- one element of a common pair: the low and the high word of the source's bits -> the target's bits ---- */

#define FST_F32_MAGNITUDE 0x7FFFFFFFu
#define FST_F32_INFINITY 0x7F800000u

/* The upper bits of x, rounded to nearest, ties to even: x / 2^shift. */
FST_INLINE fst_u32 fst_round(fst_u32 x, fst_u32 shift)
{
    return (x + ((1u << (shift - 1)) - 1) + (x >> shift & 1)) >> shift;
}

/*
 * The magnitude of an F32 -> the code of a narrower float: its exponent code and mantissa.
 *
 * A float's bits, less those of the smallest exponent, are the target's but for rounding as long as the target is
 * normal. Below, the significand is shifted right instead, which is then the larger of the two. The significand's lowest
 * `depth` bits are zero, so that shifting loses none.
 *
 * normal: the F32 exponent code of the target's smallest normal number. depth: the target's mantissa bits + 2; numbers
 * that much smaller are 0. shift: the mantissa bits that F32 has more. largest: the bits of what all that is larger
 * becomes.
 */
FST_INLINE fst_u32 fst_narrow(fst_u32 magnitude, fst_i32 normal, fst_i32 depth, fst_u32 shift, fst_u32 largest)
{
    fst_i32 x = (fst_i32)fst_min(magnitude, largest);
    x = fst_larger(x, (normal - depth) << 23);
    fst_i32 below = fst_larger((normal << 23) + 0x7FFFFF - x, 0) >> 23;
    fst_i32 subnormal = ((x & 0x7FFFFF) | 0x800000) >> below;
    return fst_round((fst_u32)fst_larger(x - ((normal - 1) << 23), subnormal), shift);
}

FST_INLINE fst_u32 fst_e4m3_of(fst_u32 magnitude)
{
    return fst_narrow(magnitude, 121, 5, 20, 0x43E00000u);
}

FST_INLINE fst_u32 fst_e5m2_of(fst_u32 magnitude)
{
    return fst_narrow(magnitude, 113, 4, 21, 0x47800000u);
}

/* An F32 whose low 8 bits are zero and which rounds to eight bits like x: the bit above says that they were not. */
FST_INLINE fst_u32 fst_sticky(fst_u32 x)
{
    return (((x & 0xFF) + 0xFF) | x) & 0xFFFFFF00u;
}

FST_INLINE fst_u32 fst_f32_to_bf16_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 nan = x >> 16 | 0x40;
    return (x & FST_F32_MAGNITUDE) > FST_F32_INFINITY ? nan : fst_round(x, 16);
}

FST_INLINE fst_u32 fst_f32_to_f16_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & FST_F32_MAGNITUDE;
    fst_i32 exponent = fst_larger((fst_i32)(magnitude >> 23), 101);
    fst_i32 normal = fst_larger(exponent, 113);
    fst_u32 significand = (magnitude & 0x7FFFFF) | 0x800000;
    fst_u32 rounded = fst_round(significand, (fst_u32)(13 + normal - exponent));
    /* The significand's top bit adds 1 to the exponent code. */
    fst_u32 code = fst_min(((fst_u32)(normal - 113) << 10) + rounded, 0x7C00);
    fst_u32 nan = (magnitude >> 13 & 0x3FF) | 0x7E00;
    return (x >> 16 & 0x8000) | (magnitude > FST_F32_INFINITY ? nan : code);
}

FST_INLINE fst_u32 fst_f32_to_f8_e4m3_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & FST_F32_MAGNITUDE;
    fst_u32 code = fst_e4m3_of(fst_sticky(magnitude));
    return (x >> 24 & 0x80) | (magnitude > FST_F32_INFINITY ? 0x7F : code);
}

FST_INLINE fst_u32 fst_f32_to_f8_e5m2_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & FST_F32_MAGNITUDE;
    fst_u32 code = fst_e5m2_of(fst_sticky(magnitude));
    fst_u32 nan = (magnitude >> 21 & 3) | 0x7E;
    return (x >> 24 & 0x80) | (magnitude > FST_F32_INFINITY ? nan : code);
}

FST_INLINE fst_u32 fst_bf16_to_f32_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    return x << 16 | ((x & 0x7FFF) > 0x7F80 ? 0x400000u : 0);
}

FST_INLINE fst_u32 fst_bf16_to_f16_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & 0x7FFF;
    fst_u32 code = fst_narrow(magnitude << 16, 113, 12, 13, 0x47800000u);
    fst_u32 nan = (magnitude << 3 & 0x3FF) | 0x7E00;
    return (x & 0x8000) | (magnitude > 0x7F80 ? nan : code);
}

FST_INLINE fst_u32 fst_bf16_to_f8_e4m3_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & 0x7FFF;
    return (x >> 8 & 0x80) | (magnitude > 0x7F80 ? 0x7F : fst_e4m3_of(magnitude << 16));
}

FST_INLINE fst_u32 fst_bf16_to_f8_e5m2_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & 0x7FFF;
    fst_u32 nan = (magnitude >> 5 & 3) | 0x7E;
    return (x >> 8 & 0x80) | (magnitude > 0x7F80 ? nan : fst_e5m2_of(magnitude << 16));
}

/* The magnitude of an F16 that is no NaN -> that of an F32. */
FST_INLINE fst_u32 fst_f32_of_f16(fst_u32 magnitude)
{
    /* Subnormals are shifted until their top bit is where the exponent begins; it adds 1 there. */
    fst_u32 shift = (fst_u32)fst_larger((fst_i32)fst_leading_zeros(magnitude) - 21, 0);
    fst_u32 exponent = (magnitude >= 0x7C00 ? 224 : 112) - shift;
    return magnitude == 0 ? 0 : (magnitude << 13 << shift) + (exponent << 23);
}

FST_INLINE fst_u32 fst_f16_to_f32_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & 0x7FFF;
    return (x & 0x8000) << 16 | fst_f32_of_f16(magnitude) | (magnitude > 0x7C00 ? 0x400000u : 0);
}

FST_INLINE fst_u32 fst_f16_to_bf16_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & 0x7FFF;
    fst_u32 nan = (magnitude >> 3 & 0x7F) | 0x7FC0;
    return (x & 0x8000) | (magnitude > 0x7C00 ? nan : fst_round(fst_f32_of_f16(magnitude), 16));
}

FST_INLINE fst_u32 fst_f16_to_f8_e4m3_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & 0x7FFF;
    /* Not right for subnormals, which all become 0, and infinity, which becomes the largest number; and so they do. */
    fst_u32 code = fst_e4m3_of((magnitude << 13) + (112u << 23));
    return (x >> 8 & 0x80) | (magnitude > 0x7C00 ? 0x7F : code);
}

/* F8_E5M2 is the upper byte of F16. */
FST_INLINE fst_u32 fst_f16_to_f8_e5m2_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    return (x & 0x7FFF) > 0x7C00 ? x >> 8 | 2 : fst_round(x, 8);
}

FST_INLINE fst_u32 fst_f8_e5m2_to_f16_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    return x << 8 | ((x & 0x7F) > 0x7C ? 0x200 : 0);
}

/*
 * The magnitude of an F8 -> the upper bits of the wider float, down to the last mantissa bit that an F8 has. For normal
 * numbers that adds a constant. Of the subnormal ones each exponent has a steeper straight line of its own, and the
 * lowest line is the right one.
 */
FST_INLINE fst_u32 fst_wider_e4m3(fst_u32 magnitude, fst_u32 rebias)
{
    fst_u32 upper = fst_min(magnitude + rebias, 2 * magnitude + (rebias - 8));
    fst_u32 lower = fst_min(4 * magnitude + (rebias - 16), magnitude * (rebias - 16));
    return fst_min(upper, lower);
}

FST_INLINE fst_u32 fst_f8_e4m3_to_f32_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & 0x7F;
    return (x & 0x80) << 24 | (magnitude == 0x7F ? 0x7FCu : fst_wider_e4m3(magnitude, 0x3C0)) << 20;
}

FST_INLINE fst_u32 fst_f8_e4m3_to_bf16_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & 0x7F;
    return (x & 0x80) << 8 | (magnitude == 0x7F ? 0x7FCu : fst_wider_e4m3(magnitude, 0x3C0)) << 4;
}

FST_INLINE fst_u32 fst_f8_e4m3_to_f16_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    fst_u32 magnitude = x & 0x7F;
    return (x & 0x80) << 8 | (magnitude == 0x7F ? 0xFCu : fst_wider_e4m3(magnitude, 0x40)) << 7;
}

/* As fst_wider_e4m3, to F32 and BF16; infinity and NaN included. */
FST_INLINE fst_u32 fst_wider_e5m2(fst_u32 magnitude)
{
    fst_u32 number = fst_min(fst_min(magnitude + 0x1C0, 2 * magnitude + 0x1BC), magnitude * 0x1BC);
    fst_u32 special = (magnitude + 0x380) | (magnitude > 0x7C ? 2 : 0);
    return magnitude < 0x7C ? number : special;
}

FST_INLINE fst_u32 fst_f8_e5m2_to_f32_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    return (x & 0x80) << 24 | fst_wider_e5m2(x & 0x7F) << 21;
}

FST_INLINE fst_u32 fst_f8_e5m2_to_bf16_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    return (x & 0x80) << 8 | fst_wider_e5m2(x & 0x7F) << 5;
}

/*
 * F64 -> a narrower IEEE float, without its sign. rebias: what the exponent codes differ by. mantissa, exponents: the
 * target's mantissa bits and largest exponent code.
 */
FST_INLINE fst_u32 fst_narrow_f64(fst_u32 low, fst_u32 high, fst_i32 rebias, fst_u32 mantissa, fst_u32 exponents)
{
    fst_u32 magnitude = high & 0x7FFFFFFF;
    fst_u32 infinity = exponents << mantissa;
    if (magnitude > 0x7FF00000 || (magnitude == 0x7FF00000 && low != 0)) {
        fst_u32 payload = (magnitude << 3 | low >> 29) & 0x7FFFFF;
        return infinity | 1u << (mantissa - 1) | payload >> (23 - mantissa);
    }
    /* The upper 31 bits of the significand; the lowest is set if anything follows. */
    fst_u32 significand = 0x40000000 | (magnitude << 10 & 0x3FFFFC00) | low >> 22 | (low << 10 != 0 ? 1 : 0);
    fst_i32 exponent = (fst_i32)(magnitude >> 20) - rebias;
    fst_u32 below = exponent < 1 ? fst_min((fst_u32)(1 - exponent), 30) : 0;
    fst_u32 lost = significand & ((1u << below) - 1);
    fst_u32 rounded = fst_round(significand >> below | (lost != 0 ? 1 : 0), 30 - mantissa);
    fst_u32 code = fst_min((fst_u32)fst_larger(exponent, 1), exponents) - 1;
    return fst_min((code << mantissa) + rounded, infinity);
}

FST_INLINE fst_u32 fst_f64_to_f32_one(fst_u32 low, fst_u32 high)
{
    return (high & 0x80000000u) | fst_narrow_f64(low, high, 896, 23, 0xFF);
}

FST_INLINE fst_u32 fst_f64_to_bf16_one(fst_u32 low, fst_u32 high)
{
    return (high >> 16 & 0x8000) | fst_narrow_f64(low, high, 896, 7, 0xFF);
}

FST_INLINE fst_u32 fst_f64_to_f16_one(fst_u32 low, fst_u32 high)
{
    return (high >> 16 & 0x8000) | fst_narrow_f64(low, high, 1008, 10, 0x1F);
}

FST_INLINE fst_u32 fst_copy_one(fst_u32 x, fst_u32 unused)
{
    (void)unused;
    return x;
}

/* ---- functions on units ---- */

/* The source's place of a unit or an element: rows[d] of them in a row, and a gap after each row. */
FST_INLINE fst_u64 fst_place(fst_u32 index, fst_u32 bytes, const struct fst_launch *launch, fst_u32 d)
{
    return (fst_u64)index * bytes + fst_divide(index, launch, d) * launch->strides[0];
}

/* The conversion of a unit of fst_NAME, element by element. */
#define FST_BY_ELEMENT(name, source_bytes, target_bytes, elements, target_words)                                       \
    FST_INLINE void fst_##name##_unit(const fst_u32 *in, fst_u32 *out)                                                 \
    {                                                                                                                  \
        FST_UNROLL                                                                                                     \
        for (fst_u32 k = 0; k < target_words; k++) {                                                                   \
            out[k] = 0;                                                                                                \
        }                                                                                                              \
        FST_UNROLL                                                                                                     \
        for (fst_u32 e = 0; e < elements; e++) {                                                                       \
            fst_u32 low = in[e * source_bytes / 4] >> 8 * (e * source_bytes % 4);                                      \
            low = source_bytes < 4 ? low & ((1u << (8 * source_bytes & 31)) - 1) : low;                                \
            fst_u32 high = source_bytes == 8 ? in[e * source_bytes / 4 + source_bytes / 8] : 0;                        \
            out[e * target_bytes / 4] |= fst_##name##_one(low, high) << 8 * (e * target_bytes % 4);                    \
        }                                                                                                              \
    }

/*
 * Defines the function fst_NAME from fst_NAME_unit and fst_NAME_one.
 *
 * source_unit, target_unit: bytes of a unit. All units that a work item has in flight are loaded before the first is
 * converted; past the end the last one is loaded again, and not stored.
 */
#define FST_ON_UNITS(name, source_bytes, target_bytes, source_unit, target_unit)                                       \
    FST_INLINE void fst_##name##_item(FST_ARGUMENTS)                                                                   \
    {                                                                                                                  \
        fst_u64 first = source_offset + (fst_u64)launch->head * source_bytes;                                          \
        fst_u64 land = target_offset + (fst_u64)launch->head * target_bytes;                                           \
        fst_u32 end = launch->end;                                                                                     \
        fst_u32 step = item.groups * item.size * FST_IN_FLIGHT;                                                        \
        for (fst_u32 u = item.group * item.size * FST_IN_FLIGHT + item.member; u < end; u += step) {                    \
            fst_u32 in[FST_IN_FLIGHT][source_unit / 4];                                                                \
            if (launch->aligned) {                                                                                     \
                FST_UNROLL                                                                                             \
                for (fst_u32 k = 0; k < FST_IN_FLIGHT; k++) {                                                          \
                    fst_u32 v = fst_min(u + k * item.size, end - 1);                                                   \
                    fst_load_##source_unit(source + (first + fst_place(v, source_unit, launch, 0)), in[k]);            \
                }                                                                                                      \
            } else {                                                                                                   \
                FST_UNROLL                                                                                             \
                for (fst_u32 k = 0; k < FST_IN_FLIGHT; k++) {                                                          \
                    fst_u32 v = fst_min(u + k * item.size, end - 1);                                                   \
                    fst_load_shifted(source, first + fst_place(v, source_unit, launch, 0), source_unit / 4, in[k]);    \
                }                                                                                                      \
            }                                                                                                          \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < FST_IN_FLIGHT; k++) {                                                              \
                fst_u32 v = u + k * item.size;                                                                         \
                if (v < end) {                                                                                         \
                    fst_u32 out[target_unit / 4];                                                                      \
                    fst_##name##_unit(in[k], out);                                                                     \
                    fst_store_##target_unit(target + (land + (fst_u64)v * target_unit), out);                          \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        step = item.groups * item.size;                                                                                \
        for (fst_u32 i = item.group * item.size + item.member; i < launch->edges; i += step) {                          \
            fst_u32 e = i < launch->head ? i : i - launch->head + launch->tail;                                        \
            fst_u64 x = fst_read(source + (source_offset + fst_place(e, source_bytes, launch, 1)), source_bytes);      \
            fst_u32 y = fst_##name##_one((fst_u32)x, (fst_u32)(x >> 32));                                              \
            fst_write(target + (target_offset + (fst_u64)e * target_bytes), target_bytes, y);                          \
        }                                                                                                              \
    }                                                                                                                  \
    FST_KERNEL(fst_##name)

#define FST_CONVERSION(name, source_bytes, target_bytes, source_unit, target_unit)                                     \
    FST_BY_ELEMENT(name, source_bytes, target_bytes, (target_unit / target_bytes), (target_unit / 4))                  \
    FST_ON_UNITS(name, source_bytes, target_bytes, source_unit, target_unit)

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
FST_CONVERSION(f16_to_f8_e5m2, 2, 1, 16, 8)
FST_CONVERSION(bf16_to_f32, 2, 4, 8, 16)
FST_CONVERSION(bf16_to_f16, 2, 2, 16, 16)
FST_CONVERSION(bf16_to_f8_e4m3, 2, 1, 16, 8)
FST_CONVERSION(bf16_to_f8_e5m2, 2, 1, 16, 8)
FST_CONVERSION(f8_e4m3_to_f32, 1, 4, 4, 16)
FST_CONVERSION(f8_e4m3_to_f16, 1, 2, 8, 16)
FST_CONVERSION(f8_e4m3_to_bf16, 1, 2, 8, 16)
FST_CONVERSION(f8_e5m2_to_f32, 1, 4, 4, 16)
FST_CONVERSION(f8_e5m2_to_f16, 1, 2, 8, 16)
FST_CONVERSION(f8_e5m2_to_bf16, 1, 2, 8, 16)

FST_INLINE void fst_copy_unit(const fst_u32 *in, fst_u32 *out)
{
    FST_UNROLL
    for (fst_u32 k = 0; k < 4; k++) {
        out[k] = in[k];
    }
}
FST_ON_UNITS(copy, 1, 1, 16, 16)

/* ---- gather without conversion: fst_gather_N, items of N bytes, aligned to N ---- */

#define FST_GATHER(bytes, words)                                                                                       \
    FST_INLINE void fst_gather_##bytes##_item(FST_ARGUMENTS)                                                           \
    {                                                                                                                  \
        fst_u32 count = launch->count;                                                                                 \
        fst_u32 last = launch->rank - 1;                                                                               \
        fst_u32 step = item.groups * item.size * FST_IN_FLIGHT;                                                        \
        for (fst_u32 i = item.group * item.size * FST_IN_FLIGHT + item.member; i < count; i += step) {                  \
            fst_u32 rest[FST_IN_FLIGHT];                                                                               \
            fst_u64 at[FST_IN_FLIGHT];                                                                                 \
            fst_u32 value[FST_IN_FLIGHT][words];                                                                       \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < FST_IN_FLIGHT; k++) {                                                              \
                rest[k] = fst_min(i + k * item.size, count - 1);                                                       \
                at[k] = source_offset;                                                                                 \
            }                                                                                                          \
            for (fst_u32 d = 0; d < last; d++) {                                                                       \
                FST_UNROLL                                                                                             \
                for (fst_u32 k = 0; k < FST_IN_FLIGHT; k++) {                                                          \
                    fst_u32 quotient = fst_divide(rest[k], launch, d);                                                 \
                    at[k] += (rest[k] - quotient * launch->dims[d]) * launch->strides[d];                              \
                    rest[k] = quotient;                                                                                \
                }                                                                                                      \
            }                                                                                                          \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < FST_IN_FLIGHT; k++) {                                                              \
                fst_load_##bytes(source + (at[k] + rest[k] * launch->strides[last]), value[k]);                        \
            }                                                                                                          \
            FST_UNROLL                                                                                                 \
            for (fst_u32 k = 0; k < FST_IN_FLIGHT; k++) {                                                              \
                fst_u32 j = i + k * item.size;                                                                         \
                if (j < count) {                                                                                       \
                    fst_store_##bytes(target + (target_offset + (fst_u64)j * bytes), value[k]);                        \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    FST_KERNEL(fst_gather_##bytes)

FST_GATHER(1, 1)
FST_GATHER(2, 1)
FST_GATHER(4, 1)
FST_GATHER(8, 2)
FST_GATHER(16, 4)

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
    for (fst_u32 d = 0; d + 1 < launch->rank; d++) {
        fst_u32 quotient = fst_divide(rest, launch, d);
        at += (rest - quotient * launch->dims[d]) * launch->strides[d];
        rest = quotient;
    }
    return at + rest * launch->strides[launch->rank - 1];
}

/*
 * A work item converts chunk elements: 1, or 8 where one side has elements smaller than a byte. Eight of those are whole
 * bytes, and so is what is left at the end.
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
FST_KERNEL(fst_convert)

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
    {NULL, NULL},
};
#endif
