package io.fastsafetensors.testkit.checked;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One operation that was submitted, until a fence shows that it is done.
///
/// @param position its place in the stream
/// @param buffers the device memory that it touches
/// @param host the host memory that it touches, if any
/// @param owner the slot or registration that the host memory is of, if any
/// @param print the slot's bytes when the copy was submitted, in short; 0 for what the device writes
/// @param before what other stream's work it waits for, if any
record Flight(long position, List<CheckedBuffer> buffers, @Nullable MemorySegment host, @Nullable Object owner,
        long print, @Nullable Runnable before) {
    private static final int SAMPLES = 64;

    /// A hash of some bytes of the memory, the first and the last among them.
    static long print(MemorySegment memory) {
        long size = memory.byteSize();
        long hash = 1;
        long step = Math.max(1, size / SAMPLES);
        for (long at = 0; at < size; at += step) {
            hash = 31 * hash + memory.get(ValueLayout.JAVA_BYTE, at) + 1;
        }
        return size == 0 ? 1 : 31 * hash + memory.get(ValueLayout.JAVA_BYTE, size - 1);
    }

    void takeOff() {
        buffers.forEach(CheckedBuffer::takeOff);
        switch (owner) {
            case CheckedStaging staging -> staging.takeOff();
            case CheckedRegistration registration -> registration.takeOff();
            case null, default -> {
                // Nobody counts.
            }
        }
    }

    /// The operation is done.
    void land(Contract contract, boolean succeeded) {
        buffers.forEach(CheckedBuffer::land);
        switch (owner) {
            case CheckedStaging staging -> staging.land();
            case CheckedRegistration registration -> registration.land();
            case null, default -> {
                // Nobody counts.
            }
        }
        if (before != null) {
            before.run();
        }
        MemorySegment memory = host;
        if (memory == null || contract.forwardsMisuse()) {
            return;
        }
        contract.require(memory.scope().isAlive(), Check.HOST_MEMORY_CLOSED_IN_FLIGHT, memory.toString());
        contract.require(!succeeded || print == 0 || print(memory) == print, Check.STAGING_CHANGED_IN_FLIGHT,
                memory.toString());
    }
}
