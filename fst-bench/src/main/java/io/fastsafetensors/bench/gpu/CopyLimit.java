package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.StagingBuffer;

/// The rate of copies from page-locked memory into the device when nothing else happens: what no load can exceed. Holds
/// one staging and one device buffer until closed; used by one thread.
final class CopyLimit implements AutoCloseable {
    private static final long[] SIZES = {64L << 20, 128L << 20, 256L << 20};
    private static final long ALIGNMENT = 4096;

    private final StagingBuffer source;
    private final DeviceBuffer target;
    private final CopyStream stream;
    private final long volume;

    /// @param backend the device
    /// @param volume bytes that one measurement copies, at least
    CopyLimit(Backend backend, long volume) {
        long largest = SIZES[SIZES.length - 1];
        this.volume = volume;
        source = backend.allocateStaging(largest);
        target = backend.allocate(largest, ALIGNMENT);
        stream = backend.openCopyStream();
        source.segment().fill((byte) 0x3C);
        measure(SIZES[0]);
    }

    /// The best of several copy sizes now, in GB/s.
    double measure() {
        double best = 0;
        for (long size : SIZES) {
            best = Math.max(best, measure(size));
        }
        return best;
    }

    private double measure(long size) {
        long copies = Math.max(1, volume / SIZES.length / size);
        stream.synchronize();
        long start = System.nanoTime();
        for (long i = 0; i < copies; i++) {
            stream.copyToDevice(source.segment().asSlice(0, size), target, 0);
        }
        stream.synchronize();
        return copies * size / 1e9 / ((System.nanoTime() - start) / 1e9);
    }

    @Override
    public void close() {
        stream.close();
        target.close();
        source.close();
    }
}
