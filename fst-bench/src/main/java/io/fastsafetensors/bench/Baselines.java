package io.fastsafetensors.bench;

import io.fastsafetensors.bench.ffm.Posix;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/// Baselines that a load is compared with: the least that any program must do with the same bytes.
public final class Baselines {
    private static final long HUGE = 2L << 20;
    private static final long STEP = 8L << 20;
    /// Keeps the touch loop's sum alive.
    private static final AtomicLong SINK = new AtomicLong();

    private Baselines() {
    }

    /// Memory of `bytes` on transparent huge pages, not yet touched.
    public static long hugeMemory(long bytes) {
        long address = Posix.mmapAnonymous(bytes + HUGE);
        if (address == -1 || Posix.madvise(address, bytes + HUGE, Posix.MADV_HUGEPAGE) != 0) {
            throw new IllegalStateException("no huge-page memory of " + bytes + " bytes");
        }
        return address;
    }

    /// The first byte of a huge page in what [#hugeMemory(long)] gave.
    public static long aligned(long address) {
        return (address + HUGE - 1) & -HUGE;
    }

    /// Touches and frees `bytes`, so that the host has given this machine the memory that a timed arm will touch.
    public static void prewarm(long bytes) {
        long address = hugeMemory(bytes);
        if (Posix.madvise(address, bytes, Posix.MADV_POPULATE_WRITE) != 0) {
            throw new IllegalStateException("cannot populate " + bytes + " bytes");
        }
        Posix.munmap(address, bytes + HUGE);
    }

    /// Frees what [#hugeMemory(long)] gave.
    public static void free(long address, long bytes) {
        Posix.munmap(address, bytes + HUGE);
    }

    /// Drops the file's pages from the page cache.
    public static void dropCache(Path file) {
        int fd = Posix.open(file);
        Posix.fadvise(fd, Posix.POSIX_FADV_DONTNEED);
        Posix.close(fd);
    }

    /// Reads the file into the page cache.
    static void fillCache(Path file) {
        long bytes = file.toFile().length();
        long address = hugeMemory(STEP);
        int fd = Posix.open(file);
        for (long at = 0; at < bytes; at += STEP) {
            Posix.pread(fd, address, STEP, at);
        }
        Posix.close(fd);
        Posix.munmap(address, STEP + HUGE);
    }

    /// Maps the file and reads one long of every page, as a loader over `FileChannel.map` makes its user do.
    static double mapTouch(Path file) {
        long start = System.nanoTime();
        try (Arena arena = Arena.ofConfined(); FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            MemorySegment map = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            long sum = 0;
            for (long at = 0; at + 8 <= map.byteSize(); at += 4096) {
                sum += map.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
            }
            SINK.addAndGet(sum);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return (System.nanoTime() - start) / 1e9;
    }

    /// Two threads copy the file out of the page cache with pread into fresh huge-page memory.
    static double twoThreadPread(Path file) {
        long bytes = file.toFile().length();
        int fd = Posix.open(file);
        long start = System.nanoTime();
        long address = hugeMemory(bytes);
        long base = aligned(address);
        twoThreads(bytes, (at, count) -> Posix.pread(fd, base + at, count, at));
        double seconds = (System.nanoTime() - start) / 1e9;
        Posix.munmap(address, bytes + HUGE);
        Posix.close(fd);
        return seconds;
    }

    /// Two threads copy resident huge-page memory into fresh huge-page memory.
    static double twoThreadMemcpy(long bytes) {
        long source = hugeMemory(bytes);
        Posix.madvise(source, bytes + HUGE, Posix.MADV_POPULATE_WRITE);
        long start = System.nanoTime();
        long target = hugeMemory(bytes);
        twoThreads(bytes, (at, count) -> Posix.memcpy(aligned(target) + at, aligned(source) + at, count));
        double seconds = (System.nanoTime() - start) / 1e9;
        Posix.munmap(target, bytes + HUGE);
        Posix.munmap(source, bytes + HUGE);
        return seconds;
    }

    private interface Part {
        void copy(long at, long count);
    }

    private static void twoThreads(long bytes, Part part) {
        AtomicLong next = new AtomicLong();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            threads.add(Thread.ofPlatform().start(() -> {
                for (long at = next.getAndAdd(STEP); at < bytes; at = next.getAndAdd(STEP)) {
                    part.copy(at, Math.min(STEP, bytes - at));
                }
            }));
        }
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
