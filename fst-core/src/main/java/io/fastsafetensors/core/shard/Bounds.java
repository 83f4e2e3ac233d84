package io.fastsafetensors.core.shard;

import io.fastsafetensors.types.Slice;

/// A range resolved against a dimension.
///
/// @param start the first index
/// @param length how many indices
record Bounds(long start, long length) {
    static Bounds of(String name, int dim, long size, Slice.Range range) {
        return range.step() > 0 ? forwards(name, dim, size, range) : backwards(name, dim, size, range);
    }

    private static Bounds forwards(String name, int dim, long size, Slice.Range range) {
        boolean fromStart = range.start() == Slice.OPEN;
        long start = fromStart ? 0 : SliceView.index(name, dim, size, range.start(), range.start());
        long stop = range.stop() == Slice.OPEN ? size : range.stop() < 0 ? range.stop() + size : range.stop();
        if (stop > size || stop < 0) {
            throw SliceView.outOfRange(name, dim, size, range.stop() - 1);
        }
        return new Bounds(start, stop <= start ? 0 : Math.ceilDiv(stop - start, range.step()));
    }

    private static Bounds backwards(String name, int dim, long size, Slice.Range range) {
        long start = range.start() == Slice.OPEN ? size - 1
                : SliceView.index(name, dim, size, range.start(), range.start());
        long stop = range.stop() == Slice.OPEN ? -1 : SliceView.index(name, dim, size, range.stop(), range.stop());
        if (start <= stop || range.step() == Long.MIN_VALUE) {
            return new Bounds(Math.max(0, start), start <= stop ? 0 : 1);
        }
        return new Bounds(start, Math.ceilDiv(start - stop, -range.step()));
    }
}
