package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.cli.Noise;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.StagingBuffer;
import java.lang.foreign.MemorySegment;

/// Two large device buffers full of noise and a stream: what kernels and copies within the device are timed on. Used by one thread.
final class DeviceCopy implements AutoCloseable {
    private static final long ALIGNMENT = 4096;
    private static final long NOISE = 16L << 20;
    /// So often in a row that launching costs nothing.
    private static final int REPEATS = 8;

    private final DeviceBuffer source;
    private final DeviceBuffer target;
    private final CopyStream stream;

    /// @param backend the device
    /// @param bytes the size of each buffer
    DeviceCopy(Backend backend, long bytes) {
        source = backend.allocate(bytes, ALIGNMENT);
        target = backend.allocate(bytes, ALIGNMENT);
        stream = backend.openCopyStream();
        try (StagingBuffer noise = backend.allocateStaging(NOISE)) {
            long[] at = {0};
            new Noise().generate(1, NOISE, block -> {
                noise.segment().asSlice(at[0], block.remaining()).copyFrom(MemorySegment.ofBuffer(block));
                at[0] += block.remaining();
            });
            for (long done = 0; done < bytes; done += NOISE) {
                stream.copyToDevice(noise.segment().asSlice(0, Math.min(NOISE, bytes - done)), source, done);
            }
            copy();
            stream.synchronize();
        }
    }

    CopyStream stream() {
        return stream;
    }

    /// The first bytes of the buffer to read from.
    BufferSlice source(long bytes) {
        return BufferSlice.of(source).part(0, bytes);
    }

    /// The first bytes of the buffer to write to.
    BufferSlice target(long bytes) {
        return BufferSlice.of(target).part(0, bytes);
    }

    /// Copies one buffer to the other.
    void copy() {
        stream.copy(source, 0, target, 0, source.byteSize());
    }

    /// Seconds that one of several calls in a row takes on the device.
    double seconds(Runnable submit) {
        submit.run();
        stream.synchronize();
        long start = System.nanoTime();
        for (int i = 0; i < REPEATS; i++) {
            submit.run();
        }
        stream.synchronize();
        return (System.nanoTime() - start) / 1e9 / REPEATS;
    }

    @Override
    public void close() {
        stream.close();
        target.close();
        source.close();
    }
}
