package io.fastsafetensors.backend.cuda.gds.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/// `CUfileDescr_t`: which file is to be registered.
///
/// ```c
/// typedef struct {
///     enum CUfileFileHandleType type;
///     union { int fd; void *handle; } handle;
///     const CUfileFSOps_t *fs_ops;
/// } CUfileDescr_t;
/// ```
public final class CuFileDescr {
    /// The structure: 24 bytes.
    public static final StructLayout LAYOUT = MemoryLayout.structLayout(JAVA_INT.withName("type"),
            MemoryLayout.paddingLayout(4),
            MemoryLayout.unionLayout(JAVA_INT.withName("fd"), ADDRESS.withName("handle")).withName("handle"),
            ADDRESS.withName("fs_ops"));

    private static final int CU_FILE_HANDLE_TYPE_OPAQUE_FD = 1;
    private static final long TYPE = LAYOUT.byteOffset(PathElement.groupElement("type"));
    private static final long FD = LAYOUT.byteOffset(PathElement.groupElement("handle"),
            PathElement.groupElement("fd"));

    private CuFileDescr() {
    }

    /// Describes a file by its descriptor.
    public static MemorySegment ofDescriptor(int fd, Arena arena) {
        MemorySegment descr = arena.allocate(LAYOUT);
        descr.set(JAVA_INT, TYPE, CU_FILE_HANDLE_TYPE_OPAQUE_FD);
        descr.set(JAVA_INT, FD, fd);
        return descr;
    }
}
