package io.fastsafetensors.cli;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;

/// Measures copies from the backend's fastest host memory into the device when nothing else happens: what no load that
/// copies can exceed. Where the device is the host, each core copies memory that was touched before. Keeps staging and
/// device buffers until it is closed; used by one thread.
public final class CopyLimit implements AutoCloseable {
    private static final long[] SIZES = {64L << 20, 128L << 20, 256L << 20};
    private static final long ALIGNMENT = 4096;
    /// CUDA's driver clears memory that it gets back, next to whatever comes then: 8.7 GB for 40 ms, and for so long
    /// copies to the device run at half their speed.
    private static final int CLEARED_MILLIS = 200;

    private final List<Lane> lanes = new ArrayList<>();
    private final long volume;
    private final long largest;

    /// One thread's buffers and stream.
    private record Lane(StagingBuffer source, DeviceBuffer target, CopyStream stream) {
        private static Lane open(Backend backend, long bytes) {
            StagingBuffer source = backend.allocateStaging(bytes);
            try {
                DeviceBuffer target = backend.allocate(bytes, ALIGNMENT);
                try {
                    source.segment().fill((byte) 0x3C);
                    return new Lane(source, target, backend.openCopyStream());
                } catch (RuntimeException | Error e) {
                    target.close();
                    throw e;
                }
            } catch (RuntimeException | Error e) {
                source.close();
                throw e;
            }
        }

        private long copy(long size, long copies) {
            for (long i = 0; i < copies; i++) {
                stream.copyToDevice(source.segment().asSlice(0, size), target, 0);
            }
            stream.synchronize();
            return size * copies;
        }
    }

    /// @param backend the device
    /// @param volume bytes that one measurement copies, at least
    public CopyLimit(Backend backend, long volume) {
        this.volume = volume;
        int threads = backend.info().kind() == DeviceKind.CPU ? Runtime.getRuntime().availableProcessors() : 1;
        largest = Math.clamp(volume / threads, ALIGNMENT, SIZES[SIZES.length - 1] / threads);
        try {
            for (int i = 0; i < threads; i++) {
                lanes.add(Lane.open(backend, largest));
            }
            measure(largest);
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /// Waits until the driver has cleared what was freed.
    public static void awaitIdleDevice() {
        try {
            Thread.sleep(CLEARED_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted between two loads", e);
        }
    }

    /// The best of several copy sizes now, in GB/s.
    public double measure() {
        double best = 0;
        for (long size : SIZES) {
            best = Math.max(best, measure(Math.min(largest, size / lanes.size())));
        }
        return best;
    }

    private double measure(long size) {
        long copies = Math.max(1, volume / SIZES.length / size / lanes.size());
        List<LongSupplier> tasks = new ArrayList<>();
        lanes.forEach(lane -> tasks.add(() -> lane.copy(size, copies)));
        return ParallelTransfer.rate(tasks);
    }

    @Override
    public void close() {
        Releases releases = new Releases();
        for (Lane lane : lanes) {
            releases.run(lane.stream::close).run(lane.target::close).run(lane.source::close);
        }
        releases.finish();
    }
}
