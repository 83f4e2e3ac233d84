package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.memory.Waits;
import io.fastsafetensors.spi.DeviceBuffer;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// The device buffers of a load's files. They are allocated while the readers read their first blocks already.
///
/// Allocating gigabytes takes as long as reading the first blocks; so readers begin before, and wait here only when a block
/// has been read and its buffer is not there yet. Thread-safe.
public final class DeviceBuffers {
    /// By file; null before, and for files of which nothing is loaded. No reference is counted here: the load's state
    /// has one for as long as readers run.
    private final AtomicReferenceArray<@Nullable SharedBuffer> buffers;

    /// No buffer yet.
    ///
    /// @param files how many files the plan has
    public DeviceBuffers(int files) {
        buffers = new AtomicReferenceArray<>(files);
    }

    /// A file's buffer is there; held by the caller until the load has ended.
    public void set(int file, SharedBuffer buffer) {
        buffers.set(file, buffer);
        wakeUp();
    }

    /// Wakes waiting threads, which check again whether they were stopped.
    synchronized void wakeUp() {
        notifyAll();
    }

    /// A file's buffer; waits for it.
    ///
    /// An interrupt does not end the wait: readers are the project's own threads.
    ///
    /// @param stopped looked at again whenever [#wakeUp()] is called
    /// @return null if stopped
    @Nullable
    DeviceBuffer get(int file, BooleanSupplier stopped) {
        SharedBuffer buffer = buffers.get(file);
        if (buffer == null) {
            synchronized (this) {
                Waits.uninterruptibly(this, () -> buffers.get(file) != null || stopped.getAsBoolean());
            }
            buffer = buffers.get(file);
        }
        return buffer == null ? null : buffer.buffer();
    }
}
