package io.fastsafetensors.spi;

import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// One allocation of device memory. Owned by its allocator, freed by [#close()] (idempotent, from any thread,
/// after the copies that touch it are done). After that every accessor throws [IllegalStateException]. While a native call
/// in flight uses the segment, closing is an [IllegalStateException] and changes nothing; a later close frees it.
///
/// Core counts references around it; backends need not. Core also makes some itself, around memory of the device that
/// another framework allocated: where [#handle()] is a pointer, copies and kernels take any buffer, and go by its
/// handle or segment.
public interface DeviceBuffer extends AutoCloseable {
    /// The size asked for, in bytes.
    long byteSize();

    /// The pointer or object for native code. Never dereferenced by Java.
    DeviceHandle handle();

    /// The memory itself where the host can address it (CPU, unified memory); core then reads straight into it. The
    /// segment belongs to a shared arena that [#close()] closes, so that a late access throws and never crashes.
    default Optional<MemorySegment> segment() {
        return Optional.empty();
    }

    @Override
    void close();
}
