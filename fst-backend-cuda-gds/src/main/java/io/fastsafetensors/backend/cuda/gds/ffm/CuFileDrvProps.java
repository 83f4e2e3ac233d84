package io.fastsafetensors.backend.cuda.gds.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/// `CUfileDrvProps_t`: what cuFile's driver is and can do; the part of it that is used here.
///
/// @param major_version nvidia-fs's version, 0 without it
/// @param minor_version its second part
/// @param dstatusflags which storage can be read without the host, a bit for each `CUfileDriverStatusFlags`
public record CuFileDrvProps(int major_version, int minor_version, int dstatusflags) {
    /// The structure: 56 bytes, of CUDA 11.4 to 13; later versions may only add at its end.
    ///
    /// ```c
    /// typedef struct {
    ///     struct {
    ///         unsigned int major_version, minor_version;
    ///         size_t poll_thresh_size, max_direct_io_size;
    ///         unsigned int dstatusflags, dcontrolflags;
    ///     } nvfs;
    ///     unsigned int fflags, max_device_cache_size, per_buffer_cache_size, max_device_pinned_mem_size;
    ///     unsigned int max_batch_io_size, max_batch_io_timeout_msecs;
    /// } CUfileDrvProps_t;
    /// ```
    public static final StructLayout LAYOUT = MemoryLayout.structLayout(
            MemoryLayout.structLayout(JAVA_INT.withName("major_version"), JAVA_INT.withName("minor_version"),
                    JAVA_LONG.withName("poll_thresh_size"), JAVA_LONG.withName("max_direct_io_size"),
                    JAVA_INT.withName("dstatusflags"), JAVA_INT.withName("dcontrolflags")).withName("nvfs"),
            JAVA_INT.withName("fflags"), JAVA_INT.withName("max_device_cache_size"),
            JAVA_INT.withName("per_buffer_cache_size"), JAVA_INT.withName("max_device_pinned_mem_size"),
            JAVA_INT.withName("max_batch_io_size"), JAVA_INT.withName("max_batch_io_timeout_msecs"));

    private static final long MAJOR_VERSION = nvfs("major_version");
    private static final long MINOR_VERSION = nvfs("minor_version");
    private static final long DSTATUSFLAGS = nvfs("dstatusflags");

    private static long nvfs(String member) {
        return LAYOUT.byteOffset(PathElement.groupElement("nvfs"), PathElement.groupElement(member));
    }

    /// Reads a structure.
    public static CuFileDrvProps of(MemorySegment props) {
        return new CuFileDrvProps(props.get(JAVA_INT, MAJOR_VERSION), props.get(JAVA_INT, MINOR_VERSION),
                props.get(JAVA_INT, DSTATUSFLAGS));
    }
}
