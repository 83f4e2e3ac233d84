package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.bench.Baselines;
import io.fastsafetensors.bench.ffm.Posix;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Reads past the page cache into huge-page memory and does nothing with the bytes: what a disk gives.
final class DirectReadRate {
    private static final int[] THREADS = {1, 4, 8, 16};
    private static final long[] BLOCKS = {1L << 20, 4L << 20, 16L << 20};

    /// A way of reading.
    ///
    /// @param threads how many read at once
    /// @param block bytes of a read
    record Way(int threads, long block) {
    }

    private record Block(int fd, long at, long bytes) {
    }

    private DirectReadRate() {
    }

    /// The fastest way, found by reading a part of the checkpoint each way once.
    ///
    /// @param bytes the size of the part
    static Way best(Path checkpoint, long bytes) {
        Way best = new Way(1, BLOCKS[0]);
        double rate = 0;
        for (int threads : THREADS) {
            for (long block : BLOCKS) {
                Way way = new Way(threads, block);
                double found = read(checkpoint, way, bytes);
                if (found > rate) {
                    rate = found;
                    best = way;
                }
            }
        }
        return best;
    }

    /// Reads the first bytes of a checkpoint, whole blocks.
    ///
    /// @return GB/s
    /// @throws IllegalStateException if the file system has no direct reads, or one fails
    static double read(Path checkpoint, Way way, long bytes) {
        List<Integer> fds = new ArrayList<>();
        try {
            List<Block> blocks = new ArrayList<>();
            long sum = 0;
            for (Path file : Checkpoints.files(checkpoint)) {
                int fd = Posix.openDirect(file);
                if (fd < 0) {
                    throw new IllegalStateException(file + " cannot be opened for direct reads");
                }
                fds.add(fd);
                long length = file.toFile().length();
                for (long at = 0; at < length && sum < bytes; at += way.block) {
                    blocks.add(new Block(fd, at, Math.min(way.block, length - at)));
                    sum += blocks.getLast().bytes;
                }
            }
            long start = System.nanoTime();
            Workers.run(way.threads, way.threads, () -> new Reader(blocks, way));
            return sum / 1e9 / ((System.nanoTime() - start) / 1e9);
        } finally {
            fds.forEach(Posix::close);
        }
    }

    /// One thread's share: every n-th block.
    private record Reader(List<Block> blocks, Way way) implements Workers.Task {
        @Override
        public void run(long piece) {
            long memory = Baselines.hugeMemory(way.block);
            for (int i = (int) piece; i < blocks.size(); i += way.threads) {
                Block block = blocks.get(i);
                // Whole blocks are asked for: the last one of a file comes back short.
                if (Posix.pread(block.fd, Baselines.aligned(memory), way.block, block.at) != block.bytes) {
                    throw new IllegalStateException(
                            "a direct read of " + way.block + " bytes at " + block.at + " failed");
                }
            }
            Baselines.free(memory, way.block);
        }
    }
}
