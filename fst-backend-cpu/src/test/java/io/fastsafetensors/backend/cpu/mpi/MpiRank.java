package io.fastsafetensors.backend.cpu.mpi;

import static java.util.concurrent.TimeUnit.SECONDS;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.testkit.group.RankProgram;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;

/// One rank of a test over Open MPI: `MpiRank timeoutMillis script…`, where the first script may be one of those below.
public final class MpiRank {
    private static final long BIG = 5L << 29;
    /// Odd, so that no page is like another.
    private static final long STRIDE = 4093;
    private static final long MIX = 0x9E3779B97F4A7C15L;

    private MpiRank() {
    }

    /// Ends with 0 if every script succeeded, else with 1.
    public static void main(String[] arguments) throws IOException, InterruptedException {
        Duration timeout = Duration.ofMillis(Long.parseLong(arguments[0]));
        switch (arguments[1]) {
            case "big" -> alone(timeout, MpiRank::big);
            case "killed" -> alone(timeout, MpiRank::killed);
            case "killedLoading" -> alone(timeout, (group, _) -> killedLoading(group, Path.of(arguments[2])));
            case "throws" -> alone(timeout, MpiRank::fails);
            default -> {
                RankProgram program = new RankProgram(new MpiProvider(), new CpuBackendProvider(), System.out);
                if (!program.run(timeout, Arrays.asList(arguments).subList(1, arguments.length))) {
                    System.exit(1);
                }
            }
        }
    }

    private interface Work {
        void run(ProcessGroup group, Backend backend) throws IOException, InterruptedException;
    }

    private static void alone(Duration timeout, Work work) throws IOException, InterruptedException {
        Bootstrap bootstrap = Bootstrap.fromEnvironment(System.getenv(), Device.CPU).withTimeout(timeout);
        try (Backend backend = new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults());
                ProcessGroup group = new MpiProvider().join(bootstrap)) {
            work.run(group, backend);
        }
    }

    /// More bytes than an `int` counts.
    private static void big(ProcessGroup group, Backend backend) {
        try (DeviceBuffer buffer = backend.allocate(BIG, 64); CopyStream stream = backend.openCopyStream()) {
            MemorySegment memory = buffer.segment().orElseThrow();
            for (long at = 0; group.rank() == 0 && at + Long.BYTES <= BIG; at += STRIDE) {
                memory.set(ValueLayout.JAVA_LONG_UNALIGNED, at, at * MIX);
            }
            group.broadcast(BufferSlice.of(buffer), 0, stream);
            for (long at = 0; at + Long.BYTES <= BIG; at += STRIDE) {
                if (memory.get(ValueLayout.JAVA_LONG_UNALIGNED, at) != at * MIX) {
                    throw new AssertionError("wrong at " + at);
                }
            }
            System.out.println("rank " + group.rank() + " has all " + BIG + " bytes");
        }
    }

    /// The last rank is killed while the others broadcast on and on.
    private static void killed(ProcessGroup group, Backend backend) {
        System.out.println("rank " + group.rank() + " is here");
        long start = System.nanoTime();
        try (DeviceBuffer buffer = backend.allocate(64 << 20, 64); CopyStream stream = backend.openCopyStream()) {
            for (int i = 0;; i++) {
                start = System.nanoTime();
                group.broadcast(BufferSlice.of(buffer), 0, stream);
                if (i == 3 && group.rank() == group.size() - 1) {
                    kill();
                }
            }
        } catch (GroupException e) {
            System.out.println("rank " + group.rank() + " saw after "
                    + SECONDS.convert(Duration.ofNanos(System.nanoTime() - start)) + " s: " + e.getMessage());
        }
    }

    /// The last rank is killed when a quarter of a load is in place.
    private static void killedLoading(ProcessGroup group, Path checkpoint) {
        System.out.println("rank " + group.rank() + " is here");
        boolean dies = group.rank() == group.size() - 1;
        long start = System.nanoTime();
        try (Loader loader = Loader.builder().device(Device.CPU).group(group).distribution(Distribution.STRIPED)
                .blockBytes(64 << 10).progress((done, total) -> {
                    if (dies && done >= total / 4) {
                        kill();
                    }
                }).build(); Weights weights = loader.load(checkpoint)) {
            weights.awaitAll();
        } catch (GroupException e) {
            System.out.println("rank " + group.rank() + " saw after "
                    + SECONDS.convert(Duration.ofNanos(System.nanoTime() - start)) + " s: " + e.getMessage());
        }
    }

    private static void kill() {
        // int kill(pid_t pid, int sig)
        NativeLibrary.standard().words("kill").call(ProcessHandle.current().pid(), 9);
    }

    /// A rank that ends by an exception of the program's own, its group closed on the way.
    private static void fails(ProcessGroup group, Backend backend) {
        group.barrier();
        if (group.rank() == group.size() - 1) {
            throw new IllegalStateException("the program's own failure");
        }
        try {
            group.barrier();
        } catch (GroupException e) {
            System.out.println("rank " + group.rank() + " saw: " + e.getMessage());
        }
    }
}
