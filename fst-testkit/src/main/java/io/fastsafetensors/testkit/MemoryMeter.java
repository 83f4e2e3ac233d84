package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.StagingBuffer;
import java.time.Duration;

/// Sees allocations in what a device says is free, although others use the device too.
final class MemoryMeter {
    /// How often a finding is repeated before it counts.
    static final int ATTEMPTS = 40;

    private static final Duration PAUSE = Duration.ofMillis(50);
    private static final long LARGEST = 256 << 20;
    private static final long PIECE = 1 << 20;

    private MemoryMeter() {
    }

    /// Lets others finish what they do to the device's memory.
    static void pause() throws InterruptedException {
        Thread.sleep(PAUSE);
    }

    /// How much to allocate: enough to be seen, little enough to be there.
    static long chunk(Backend backend) {
        long free = backend.memory().free();
        return free < 0 ? PIECE : Math.clamp(free / 16, PIECE, LARGEST);
    }

    /// Writes to every page, since systems count only memory that was written.
    static void touch(Backend backend, DeviceBuffer buffer) {
        try (StagingBuffer staging = backend.allocateStaging(PIECE); CopyStream stream = backend.openCopyStream()) {
            for (long at = 0; at < buffer.byteSize(); at += PIECE) {
                stream.copyToDevice(staging.segment().asSlice(0, Math.min(PIECE, buffer.byteSize() - at)), buffer, at);
            }
            Workbench.settle(stream);
        }
    }
}
