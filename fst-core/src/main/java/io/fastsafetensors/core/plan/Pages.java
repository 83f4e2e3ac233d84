package io.fastsafetensors.core.plan;

/// Page arithmetic of direct reads. 4096 satisfies every storage that takes 512 as well.
public final class Pages {
    /// What offsets, lengths and addresses of direct reads are multiples of, in bytes.
    public static final int SIZE = 4096;

    private Pages() {
    }

    /// The last multiple of the page size not after `offset`.
    public static long floor(long offset) {
        return offset & -SIZE;
    }

    /// The first multiple of the page size not before `offset`.
    public static long ceil(long offset) {
        return alignUp(offset, SIZE);
    }

    /// The first multiple of `alignment` (a power of two) not before `offset`.
    public static long alignUp(long offset, long alignment) {
        return Math.addExact(offset, alignment - 1) & -alignment;
    }
}
