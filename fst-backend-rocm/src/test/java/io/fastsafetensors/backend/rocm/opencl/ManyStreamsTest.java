package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Kernels on many streams at a time, each with more and more to do. PoCL may abort the process if their launches differ
/// in width; with two cores it does so when `POCL_MAX_PTHREAD_COUNT=16` is in the environment, as the build sees to.
@Timeout(600)
class ManyStreamsTest {
    private static final long SEED = Long.getLong("fst.seed", 7);
    private static final int STREAMS = 6;
    private static final List<DType> TYPES =
            List.of(DType.F64, DType.F32, DType.F16, DType.BF16, DType.F8_E4M3, DType.F8_E5M2);
    private static final int MOST = 1 << 19;

    @Test
    void kernels_of_all_sizes_run_beside_one_another() throws Exception {
        OpenClDevice.require();
        try (Backend backend = new OpenClBackendProvider().open(new Device("opencl", 0), BackendOptions.defaults());
                ExecutorService threads = Executors.newFixedThreadPool(STREAMS)) {
            List<Future<?>> streams = new ArrayList<>();
            for (int s = 0; s < STREAMS; s++) {
                Random random = new Random(SEED + s);
                streams.add(threads.submit(() -> convert(backend, random)));
            }
            for (Future<?> stream : streams) {
                stream.get();
            }
        }
    }

    private static void convert(Backend backend, Random random) {
        try (CopyStream stream = backend.openCopyStream();
                DeviceBuffer from = backend.allocate(8L * MOST, 64);
                DeviceBuffer to = backend.allocate(8L * MOST, 64)) {
            for (DType source : TYPES) {
                for (DType target : TYPES) {
                    for (int most = 1 << 10; most <= MOST; most *= 2) {
                        int elements = most - random.nextInt(most / 4);
                        backend.kernels().convert(stream, BufferSlice.of(from).part(0, source.byteSize(elements)),
                                source,
                                BufferSlice.of(to).part(0, target.byteSize(elements)), target, elements);
                        if (random.nextInt(4) == 0) {
                            stream.synchronize();
                        }
                    }
                }
            }
            stream.synchronize();
        }
    }
}
