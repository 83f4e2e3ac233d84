package io.fastsafetensors.core.plan;

import java.util.Arrays;

/// The blocks of a plan, by file and offset. Flat arrays, since a 700 GB checkpoint has 90,000.
///
/// The planner adds blocks file by file, each file's in the order of its bytes; searches rely on that. Immutable once
/// planned.
///
/// A block is a range of one file that one reader reads at once. Blocks of a file follow one another in its ranges
/// and never overlap; together they are exactly the ranges.
public final class BlockTable {
    /// Stands for "no place in the buffer of its own": the block's tensors are moved one by one.
    public static final long MOVED = -1;

    private int[] file = new int[64];
    private long[] start = new long[64];
    private long[] end = new long[64];
    private long[] target = new long[64];
    private int size;

    /// @param bufferOffset where the page of byte `from` goes, or [#MOVED]
    /// @param to not after the end of the range; a block is empty never
    void add(int fileIndex, long from, long to, long bufferOffset) {
        if (size == file.length) {
            int capacity = Math.multiplyExact(size, 2);
            file = Arrays.copyOf(file, capacity);
            start = Arrays.copyOf(start, capacity);
            end = Arrays.copyOf(end, capacity);
            target = Arrays.copyOf(target, capacity);
        }
        file[size] = fileIndex;
        start[size] = from;
        end[size] = to;
        target[size++] = bufferOffset;
    }

    /// How many blocks.
    public int size() {
        return size;
    }

    /// The index of the file that block `index` is read from.
    public int file(int index) {
        return file[index];
    }

    /// The file offset of the block's first byte.
    public long start(int index) {
        return start[index];
    }

    /// The file offset after its last byte.
    public long end(int index) {
        return end[index];
    }

    /// Where in its file's buffer the page of the block's first byte goes, or [#MOVED].
    public long target(int index) {
        return target[index];
    }

    /// All blocks, the first ones of the first `files` files before the others.
    ///
    /// The order is what readers take blocks in, so early blocks arrive early, and nothing else depends on it.
    int[] order(int files) {
        int[] order = new int[size];
        int at = 0;
        boolean[] early = new boolean[size];
        for (int b = 0, found = 0; b < size && found < files; b++) {
            if (b == 0 || file[b] != file[b - 1]) {
                early[b] = true;
                order[at++] = b;
                found++;
            }
        }
        for (int b = 0; b < size; b++) {
            if (!early[b]) {
                order[at++] = b;
            }
        }
        return order;
    }

    /// The first block of a file or of one after it; the number of blocks if there is none.
    int firstOf(int fileIndex) {
        int low = 0;
        int high = size;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (file[middle] < fileIndex) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /// The block among `[from, size)` that carries byte `offset` of their file.
    ///
    /// Only for offsets that some block carries: between two ranges it would give the block before the gap.
    int find(int from, long offset) {
        int found = Arrays.binarySearch(start, from, size, offset);
        return found >= 0 ? found : -found - 2;
    }
}
