package io.fastsafetensors.cli;

import io.fastsafetensors.cli.ffm.FileCalls;
import io.fastsafetensors.types.Location;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;

/// Reads ranges of files into memory that is overwritten with each block, and does nothing with the bytes: the most that
/// storage, or the page cache, gives. Keeps files open and memory mapped until it is closed. Used by one thread.
final class StorageRate implements AutoCloseable {
    private static final int[] READERS = {1, 4, 8, 16};
    private static final long BLOCK_BYTES = 8L << 20;
    /// Offsets and sizes of direct reads are multiples of it.
    private static final long ALIGNMENT = 4096;
    private static final long HUGE_PAGE = 2L << 20;
    /// More is not read to find the best number of readers.
    private static final long TRIAL_BYTES = 1L << 30;

    private final FileCalls calls;
    private final boolean direct;
    private final Map<Location, Integer> descriptors = new LinkedHashMap<>();
    private final List<Block> blocks = new ArrayList<>();
    private final long bytes;
    private final long mapped;
    private final long memory;
    private final int readers;

    private record Block(int fd, long offset, long bytes) {
    }

    /// Opens the files, and finds the number of readers that is fastest.
    ///
    /// @param past whether to read past the page cache
    /// @throws CommandException if a file cannot be read this way
    StorageRate(FileRanges ranges, boolean past) {
        calls = ranges.calls();
        direct = past;
        bytes = ranges.byteSize();
        mapped = READERS[READERS.length - 1] * BLOCK_BYTES + HUGE_PAGE;
        memory = calls.mmap(mapped, FileCalls.PROT_READ | FileCalls.PROT_WRITE,
                FileCalls.MAP_PRIVATE | FileCalls.MAP_ANONYMOUS, -1, 0);
        if (memory == -1) {
            throw new CommandException("no memory for reads: " + Sizes.human(mapped) + " refused", null);
        }
        try {
            // Direct reads into small pages are limited by the pages and not by the drive.
            calls.madvise(memory, mapped, FileCalls.MADV_HUGEPAGE);
            for (FileRanges.Range range : ranges.ranges()) {
                cut(range);
            }
            readers = best();
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private void cut(FileRanges.Range range) {
        int fd = descriptors.computeIfAbsent(range.file(), this::open);
        long begin = direct ? range.offset() / ALIGNMENT * ALIGNMENT : range.offset();
        long end = range.offset() + range.bytes();
        for (long at = begin; at < end; at += BLOCK_BYTES) {
            blocks.add(new Block(fd, at, Math.min(BLOCK_BYTES, end - at)));
        }
    }

    private int open(Location file) {
        int fd = calls.open(file.bytes(), FileCalls.O_RDONLY | FileCalls.O_CLOEXEC | (direct ? calls.o_direct() : 0));
        if (fd < 0) {
            throw new CommandException(file + " cannot be opened" + (direct ? " for reads past the page cache" : ""),
                    null);
        }
        return fd;
    }

    /// Each number of readers is tried on the first bytes; all of them touch their memory before the first measured round.
    private int best() {
        int best = 1;
        double most = 0;
        for (int candidate : READERS) {
            double rate = read(candidate, TRIAL_BYTES);
            if (rate > most) {
                most = rate;
                best = candidate;
            }
        }
        return best;
    }

    /// How it reads, for people.
    String description() {
        return Sizes.count(readers, "reader") + (direct ? " past the page cache" : " through the page cache")
                + ", blocks of " + Sizes.human(BLOCK_BYTES);
    }

    /// Reads everything once.
    ///
    /// @return GB/s
    double measure() {
        return read(readers, Long.MAX_VALUE);
    }

    private double read(int threads, long most) {
        long todo = Math.min(bytes, most);
        int count = 0;
        for (long sum = 0; count < blocks.size() && sum < todo; count++) {
            sum += blocks.get(count).bytes;
        }
        List<Block> part = blocks.subList(0, count);
        AtomicInteger next = new AtomicInteger();
        List<LongSupplier> tasks = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            long buffer = (memory + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE + i * BLOCK_BYTES;
            tasks.add(() -> readBlocks(part, next, buffer));
        }
        return ParallelTransfer.rate(tasks);
    }

    private long readBlocks(List<Block> part, AtomicInteger next, long buffer) {
        long sum = 0;
        for (int i = next.getAndIncrement(); i < part.size(); i = next.getAndIncrement()) {
            Block block = part.get(i);
            for (long done = 0; done < block.bytes;) {
                long rest = block.bytes - done;
                // The last direct read asks for whole pages and returns short at the end of the file.
                long wanted = direct ? (rest + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : rest;
                long got = calls.pread(block.fd, buffer + done, wanted, block.offset + done);
                if (got <= 0) {
                    throw new CommandException("a read of " + wanted + " bytes at " + (block.offset + done) + " of "
                            + nameOf(block.fd) + (got == 0 ? " found the end of the file" : " failed"), null);
                }
                done += Math.min(got, rest);
            }
            sum += block.bytes;
        }
        return sum;
    }

    private String nameOf(int fd) {
        return descriptors.entrySet().stream().filter(entry -> entry.getValue() == fd)
                .map(entry -> entry.getKey().toString()).findFirst().orElse("a file");
    }

    @Override
    public void close() {
        descriptors.values().forEach(calls::close);
        calls.munmap(memory, mapped);
    }
}
