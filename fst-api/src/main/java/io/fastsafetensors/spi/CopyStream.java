package io.fastsafetensors.spi;

import java.lang.foreign.MemorySegment;

/// A queue of copies and kernels that run in order on the device, beside the caller where the device can.
///
/// Used by one thread at a time; different streams run at the same time. Source and target memory stay alive and
/// untouched until a later [Fence] has passed. Ranges are checked: outside is an [IndexOutOfBoundsException] and
/// nothing is submitted. A copy of zero bytes does nothing.
///
/// Host memory is any segment that the calling thread may access: staging memory, a mapping, an arena's memory, an
/// array. A backend that copies on a thread of its own copies arrays, and memory that only the calling thread may access,
/// before the call returns. Memory that is closed is an [IllegalStateException], that of another thread a
/// [WrongThreadException], a read-only target an [IllegalArgumentException], and nothing is submitted. Core itself hands
/// over native memory only, which every thread may access: what a user gives as an array, or as memory of one thread, passes
/// through memory of core.
///
/// A buffer is one of the same backend, or, where handles are pointers, any memory of the device; others are an
/// [IllegalArgumentException]. After a failure the stream may fail for good; it can be closed.
public interface CopyStream extends AutoCloseable {
    /// Copies host memory to the device. Asynchronous only from a [StagingBuffer] or registered memory; other host
    /// memory may be copied before the call returns.
    void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset);

    /// Copies device memory to the host; the bytes are there when a later fence has passed.
    void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target);

    /// Copies within the device. Source and target do not overlap.
    void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes);

    /// Marks this point: the fence passes when everything submitted before has finished.
    Fence fence();

    /// Makes later work of this stream wait for a fence: on the device if it is of a stream of the same backend; one of
    /// another backend is waited for before the call returns.
    default void waitFor(Fence fence) {
        fence.await();
    }

    /// Waits until everything submitted has finished. As with [Fence#await()], an interrupt does not end the wait.
    ///
    /// @throws io.fastsafetensors.error.BackendException if some of it failed
    default void synchronize() {
        try (Fence behind = fence()) {
            behind.await();
        }
    }

    /// Waits for submitted work, then releases the stream. Idempotent. Afterwards its methods are an
    /// [IllegalStateException]; its fences stay valid.
    @Override
    void close();
}
