package io.fastsafetensors.bench;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;

/// The one load of a process of its own into the memory of the CPU, after which every byte of every tensor is read once.
/// Prints a metric a line, as `populate.c` does.
///
/// Arguments: the checkpoint, the [TransferPath].
public final class CpuFirstLoad {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    private CpuFirstLoad() {
    }

    /// Runs it.
    public static void main(String[] args) throws IOException {
        Path checkpoint = Path.of(args[0]);
        try (Loader loader = Loader.builder().device("cpu").transferPath(TransferPath.valueOf(args[1])).build()) {
            long privateBytes = privateBytes();
            long start = System.nanoTime();
            try (Weights weights = loader.load(checkpoint)) {
                weights.awaitAll();
                long loaded = System.nanoTime();
                long sum = 0;
                for (TensorInfo tensor : weights.checkpoint().tensors()) {
                    try (Tensor each = weights.get(tensor.name())) {
                        sum += sum(each.segment());
                    }
                }
                long read = System.nanoTime();
                metric("seconds_load", (loaded - start) / 1e9);
                metric("seconds_plan", weights.stats().secondsPlan());
                metric("seconds_read", (read - loaded) / 1e9);
                metric("private_mib", (privateBytes() - privateBytes) / (double) (1 << 20));
                metric("sum", sum);
            }
        }
    }

    /// C2 makes vector code of it, so that memory and not this loop is what bounds it.
    private static long sum(MemorySegment bytes) {
        long sum = 0;
        for (long at = 0; at + Long.BYTES <= bytes.byteSize(); at += Long.BYTES) {
            sum += bytes.get(LONG, at);
        }
        return sum;
    }

    /// Memory that only this process has and that no file is behind.
    private static long privateBytes() throws IOException {
        String field = "RssAnon:";
        for (String line : Files.readAllLines(STATUS)) {
            if (line.startsWith(field)) {
                return 1024 * Long.parseLong(line.substring(field.length()).replace("kB", "").strip());
            }
        }
        throw new IOException(STATUS + " has no " + field);
    }

    private static void metric(String name, double value) {
        System.out.println(name + "\t" + value);
    }
}
