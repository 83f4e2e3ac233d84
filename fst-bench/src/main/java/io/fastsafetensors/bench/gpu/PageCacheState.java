package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.bench.Baselines;
import io.fastsafetensors.bench.ffm.Posix;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Puts a checkpoint's pages where an arm wants them.
final class PageCacheState {
    private static final long LONGEST_STRETCH = 64L << 20;
    private static final long MIB = 1L << 20;
    private static final long STEP = 4L << 20;
    /// A file has at least so many stretches, unless it is tiny.
    private static final long STRETCHES = 8;

    private record Stretch(Path file, long begin, long end) {
    }

    private PageCacheState() {
    }

    /// Everything in the page cache.
    static void warm(Path checkpoint) {
        if (cachedFraction(checkpoint) < 1) {
            read(stretches(checkpoint, 1));
        }
    }

    /// Nothing in the page cache; the checkpoint must be on disk.
    static void cold(Path checkpoint) {
        Checkpoints.files(checkpoint).forEach(Baselines::dropCache);
    }

    /// Every other stretch of 64 MiB, less for small files, in the page cache, from the first one on.
    static void half(Path checkpoint) {
        cold(checkpoint);
        read(stretches(checkpoint, 2));
    }

    /// How much of the checkpoint is in the page cache, from 0 to 1.
    static double cachedFraction(Path checkpoint) {
        long cached = 0;
        long all = 0;
        for (Diagnostics.StorageReport file : Diagnostics.storage(checkpoint)) {
            cached += Math.max(0, file.cachedBytes());
            all += file.byteSize();
        }
        return (double) cached / all;
    }

    private static List<Stretch> stretches(Path checkpoint, int every) {
        List<Stretch> stretches = new ArrayList<>();
        for (Path file : Checkpoints.files(checkpoint)) {
            long length = file.toFile().length();
            long stretch = Math.clamp(length / STRETCHES / MIB * MIB, MIB, LONGEST_STRETCH);
            for (long at = 0; at < length; at += every * stretch) {
                stretches.add(new Stretch(file, at, Math.min(length, at + stretch)));
            }
        }
        return stretches;
    }

    private static void read(List<Stretch> stretches) {
        Workers.run(Workers.defaultThreads(), stretches.size(), () -> piece -> read(stretches.get((int) piece)));
    }

    private static void read(Stretch stretch) {
        long memory = Baselines.hugeMemory(STEP);
        int fd = Posix.open(stretch.file);
        // Or the kernel would read on into the next stretch.
        Posix.fadvise(fd, Posix.POSIX_FADV_RANDOM);
        for (long at = stretch.begin; at < stretch.end; at += STEP) {
            Posix.pread(fd, memory, Math.min(STEP, stretch.end - at), at);
        }
        Posix.close(fd);
        Baselines.free(memory, STEP);
    }
}
