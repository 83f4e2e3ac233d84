package io.fastsafetensors.core.plan;

import io.fastsafetensors.core.plan.Selected.SelectedTensor;
import io.fastsafetensors.core.shard.Part;
import java.util.Arrays;
import java.util.List;

/// The byte ranges of a file that tensors cover, neighbours merged.
///
/// Filled once, in the order of the offsets; flat arrays, since a tensor that is cut along an inner dimension may have a
/// range for each row.
final class Ranges {
    private long[] start = new long[4];
    private long[] end = new long[4];
    private int size;

    /// Rows of a tensor that is cut along an inner dimension are ranges of their own only if what lies between two of
    /// them is more than the gap.
    ///
    /// @param tensors by offset
    /// @param gap how many unwanted bytes between two wanted ones are read rather than skipped
    static Ranges of(List<SelectedTensor> tensors, long gap) {
        Ranges ranges = new Ranges();
        for (SelectedTensor tensor : tensors) {
            Part part = tensor.part();
            if (part.isContiguous() || part.rowBytes() - part.runBytes() <= gap) {
                if (!tensor.isEmpty()) {
                    ranges.add(tensor.start(), tensor.end(), gap);
                }
            } else {
                for (long row = 0; row < part.rows(); row++) {
                    long start = tensor.start() + row * part.rowBytes();
                    ranges.add(start, start + part.runBytes(), gap);
                }
            }
        }
        return ranges;
    }

    /// @param from not before the begin of any range so far
    private void add(long from, long to, long gap) {
        if (size > 0 && from - end[size - 1] <= gap) {
            end[size - 1] = to;
            return;
        }
        if (size == start.length) {
            start = Arrays.copyOf(start, size * 2);
            end = Arrays.copyOf(end, size * 2);
        }
        start[size] = from;
        end[size++] = to;
    }

    int size() {
        return size;
    }

    long start(int index) {
        return start[index];
    }

    long end(int index) {
        return end[index];
    }

    /// The bytes that are read, gaps that were merged over included.
    long bytes() {
        long sum = 0;
        for (int i = 0; i < size; i++) {
            sum += end[i] - start[i];
        }
        return sum;
    }

    /// The range that byte `offset` is in.
    int find(long offset) {
        int found = Arrays.binarySearch(start, 0, size, offset);
        return found >= 0 ? found : -found - 2;
    }
}
