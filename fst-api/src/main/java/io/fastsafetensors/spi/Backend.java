package io.fastsafetensors.spi;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// One opened device: its memory, the ways into it and its kernels.
///
/// Safe for use by many threads at once, except where a returned object says otherwise. [#close()] is idempotent and
/// is called after everything allocated here was closed; what is still open then is freed, streams and files before memory,
/// and using it afterwards throws [IllegalStateException]. Memory that a native call in flight uses stays: closing then frees
/// everything else and throws [IllegalStateException], and a later close frees the rest. The base classes of
/// [io.fastsafetensors.spi.base] do all this.
public interface Backend extends AutoCloseable {
    /// The provider's name.
    String name();

    /// The device and its facts; the same at every call.
    DeviceInfo info();

    /// How to feed this device; the same at every call.
    default TransferHints hints() {
        return TransferHints.defaults();
    }

    /// Free and total memory now.
    default MemoryInfo memory() {
        return MemoryInfo.unknown();
    }

    /// Allocates device memory; contents undefined. Zero bytes are legal and give a distinct, closable buffer.
    ///
    /// @param bytes the size, any long from 0
    /// @param alignment a power of two that the address is a multiple of
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException naming requested and free bytes
    DeviceBuffer allocate(long bytes, long alignment);

    /// Allocates host memory that this device copies from and to fastest (page-locked where that helps), aligned to
    /// at least 4096 bytes so that direct reads can land in it; contents undefined.
    ///
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the host refuses
    StagingBuffer allocateStaging(long bytes);

    /// Opens a stream of ordered, possibly asynchronous copies and kernels. Each is used by one thread at a time.
    CopyStream openCopyStream();

    /// Conversion and strided gather on this device.
    ///
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException without [Capability#KERNELS]
    default Kernels kernels() {
        throw new UnsupportedFeatureException("the backend converts nothing on its device", Where.backend(name()));
    }

    /// A fence behind everything that was submitted so far to a stream that the program opened itself, beside fst: what
    /// core waits for before it frees or fills memory again that such a stream still uses. A backend whose device works
    /// on the calling thread returns one that has passed.
    ///
    /// @param nativeStream the stream's handle in the device's own API: a `CUstream` or `cudaStream_t`, a `hipStream_t`;
    ///        0 for that API's default stream
    /// @return a fence that the caller closes
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if there are no such handles, or it is not implemented
    /// @throws io.fastsafetensors.error.BackendException if the handle is none of this device
    default Fence fenceBehind(long nativeStream) {
        throw new UnsupportedFeatureException("the backend takes no streams of other programs' making; wait for the"
                + " stream's work before the memory is given back", Where.backend(name()));
    }

    /// File → device without the host, where this backend has it.
    default Optional<DirectStorage> directStorage() {
        return Optional.empty();
    }

    /// Page-locks memory that the caller owns (a mapping of a file, say) so that copies from it run at full speed.
    /// The caller keeps the memory alive until the registration is closed.
    ///
    /// @param memory host memory, page-aligned
    /// @param readOnly whether the mapping forbids writing
    /// @return the registration, or empty without [Capability#HOST_REGISTRATION]
    /// @throws io.fastsafetensors.error.BackendException if the driver refuses
    default Optional<HostRegistration> registerHost(MemorySegment memory, boolean readOnly) {
        return Optional.empty();
    }

    /// Gives back to the system what the backend keeps for later: memory that was closed and not freed. Does nothing where
    /// nothing is kept.
    default void trim() {
    }

    /// The device bytes that are kept for later; [#memory()] counts them as free.
    default long keptBytes() {
        return 0;
    }

    @Override
    void close();
}
