package io.fastsafetensors.core.storage;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.ToLongFunction;

/// The places of the tensors of a [DerivedSource], by offset; what lies between them is zero. Immutable.
public final class TensorPlaces {
    private final long[] begins;
    private final long[] ends;

    private TensorPlaces(long[] begins, long[] ends) {
        this.begins = begins;
        this.ends = ends;
    }

    /// The places of tensors that come one after another.
    ///
    /// @param begin a tensor's first byte in the file
    /// @param bytes how many it has
    /// @param tensors by offset, none over another
    public static <T> TensorPlaces of(List<T> tensors, ToLongFunction<T> begin, ToLongFunction<T> bytes) {
        long[] begins = tensors.stream().mapToLong(begin).toArray();
        long[] ends = tensors.stream().mapToLong(tensor -> begin.applyAsLong(tensor) + bytes.applyAsLong(tensor))
                .toArray();
        return new TensorPlaces(begins, ends);
    }

    /// The length of the file, which ends with its last tensor.
    public long length() {
        return ends.length == 0 ? 0 : ends[ends.length - 1];
    }

    /// The first byte of a tensor.
    public long begin(int tensor) {
        return begins[tensor];
    }

    /// The end of a tensor: the offset after its last byte.
    public long end(int tensor) {
        return ends[tensor];
    }

    /// The number of the tensor that ends after a byte; of the last one if there is none. By bisection, so that it may
    /// be asked for each block.
    public int find(long offset) {
        int low = 0;
        int high = ends.length - 1;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (ends[middle] <= offset) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /// Writes the zeros between an offset and a tensor that comes after it.
    ///
    /// @param bytes how many are wanted at the most
    /// @return how many were written; 0 if the tensor has begun
    public long fillGap(int tensor, long offset, MemorySegment target, long targetOffset, long bytes) {
        if (offset >= begins[tensor]) {
            return 0;
        }
        long gap = Math.min(bytes, begins[tensor] - offset);
        target.asSlice(targetOffset, gap).fill((byte) 0);
        return gap;
    }
}
