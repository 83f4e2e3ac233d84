package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.cli.ffm.FileCalls;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;
import java.util.Map;

/// The byte ranges of local files that hold tensors, and what the page cache holds of them. Evicts and fills the page cache.
///
/// @param calls the system's calls
/// @param ranges in the order of checkpoints, files and offsets; none overlaps another of its checkpoint
record FileRanges(FileCalls calls, List<Range> ranges) {
    /// Gaps up to this are read rather than skipped, as a load does it.
    private static final long GAP_BYTES = 1 << 20;
    /// More of a file is never mapped at once.
    private static final long WINDOW_BYTES = 1L << 30;

    /// A range of a file.
    ///
    /// @param file a local file
    /// @param offset its first byte
    /// @param bytes how many
    record Range(Location file, long offset, long bytes) {
    }

    /// The ranges of the tensors of these checkpoints, all of which are in local files.
    static FileRanges of(FileCalls calls, List<Checkpoint> checkpoints) {
        List<Range> ranges = new ArrayList<>();
        for (Checkpoint checkpoint : checkpoints) {
            Map<Integer, List<TensorInfo>> byFile = new TreeMap<>();
            for (TensorInfo tensor : checkpoint.tensors()) {
                byFile.computeIfAbsent(checkpoint.files().indexOf(tensor.file()), _ -> new ArrayList<>()).add(tensor);
            }
            byFile.values().forEach(tensors -> merge(tensors, ranges));
        }
        return new FileRanges(calls, List.copyOf(ranges));
    }

    private static void merge(List<TensorInfo> tensors, List<Range> ranges) {
        tensors.sort(Comparator.comparingLong(TensorInfo::fileOffset));
        long begin = tensors.getFirst().fileOffset();
        long end = begin;
        for (TensorInfo tensor : tensors) {
            if (tensor.fileOffset() - end > GAP_BYTES) {
                ranges.add(new Range(tensor.file(), begin, end - begin));
                begin = tensor.fileOffset();
            }
            end = Math.max(end, tensor.fileOffset() + tensor.byteSize());
        }
        if (end > begin) {
            ranges.add(new Range(tensors.getFirst().file(), begin, end - begin));
        }
    }

    long byteSize() {
        return ranges.stream().mapToLong(Range::bytes).sum();
    }

    /// How much of the ranges is in the page cache, counted in whole pages and cut to the ranges' size; −1 if the system does
    /// not say.
    long cachedBytes() {
        long sum = 0;
        for (Range range : ranges) {
            int fd = open(range.file());
            try {
                long cached = cachedBytes(fd, range);
                if (cached < 0) {
                    return -1;
                }
                sum += cached;
            } finally {
                calls.close(fd);
            }
        }
        return sum;
    }

    private long cachedBytes(int fd, Range range) {
        long page = calls.page_size();
        long pages = calls.cachestat_cached(fd, range.offset(), range.bytes());
        // Kernels before 6.5 do not know cachestat.
        long bytes = (pages < 0 ? residentPages(fd, range, page) : pages) * page;
        return bytes < 0 ? -1 : Math.min(range.bytes(), bytes);
    }

    private long residentPages(int fd, Range range, long page) {
        long begin = range.offset() / page * page;
        long end = range.offset() + range.bytes();
        long resident = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment vector = arena.allocate(WINDOW_BYTES / page);
            for (long at = begin; at < end; at += WINDOW_BYTES) {
                long length = Math.min(WINDOW_BYTES, end - at);
                long address = calls.mmap(length, FileCalls.PROT_READ, FileCalls.MAP_SHARED, fd, at);
                if (address == -1) {
                    return -1;
                }
                int status = calls.mincore(address, length, vector.address());
                calls.munmap(address, length);
                if (status != 0) {
                    return -1;
                }
                for (long i = 0; i * page < length; i++) {
                    resident += vector.get(ValueLayout.JAVA_BYTE, i) & 1;
                }
            }
        }
        return resident;
    }

    /// Writes dirty pages back, then evicts the files. Pages in use stay, as does everything in a file system without a
    /// device; [#cachedBytes()] says what is left.
    void evict() {
        for (Location file : files()) {
            int fd = open(file);
            calls.fsync(fd);
            calls.posix_fadvise(fd, 0, 0, FileCalls.POSIX_FADV_DONTNEED);
            calls.close(fd);
        }
    }

    List<Location> files() {
        return ranges.stream().map(Range::file).distinct().toList();
    }

    private int open(Location file) {
        int fd = calls.open(file.bytes(), FileCalls.O_RDONLY | FileCalls.O_CLOEXEC);
        if (fd < 0) {
            throw new CommandException(file + " cannot be opened any more; is another program changing it?", null);
        }
        return fd;
    }
}
