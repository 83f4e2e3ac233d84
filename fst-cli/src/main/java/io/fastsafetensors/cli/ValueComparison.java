package io.fastsafetensors.cli;

import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Compares the values of two tensors of one shape: of one dtype, or floats of two.
final class ValueComparison {
    /// Elements that are widened at a time.
    private static final long STEP = 1 << 20;
    /// Rows of any dtype that fill whole bytes.
    private static final long ROWS = 8;
    private static final ValueLayout.OfDouble F64 = ValueLayout.JAVA_DOUBLE_UNALIGNED
            .withOrder(ByteOrder.LITTLE_ENDIAN);

    private long differing;
    private double largest;

    private ValueComparison() {
    }

    /// An empty text if they do not differ.
    static String difference(Tensor a, Tensor b) {
        boolean sameType = a.dtype() == b.dtype();
        if (sameType && a.segment().mismatch(b.segment()) < 0) {
            return "";
        }
        if (!a.dtype().isFloat()) {
            return bytes(a.dtype(), a.segment(), b.segment());
        }
        ValueComparison values = new ValueComparison();
        values.addRows(a, b);
        if (values.differing == 0) {
            return sameType ? "the same values in other bytes (NaN)" : "";
        }
        return values.differing + " of " + a.shape().elements() + " elements differ, largest difference "
                + values.largest;
    }

    private static String bytes(DType dtype, MemorySegment a, MemorySegment b) {
        long size = dtype.bits() / 8;
        long differing = 0;
        for (long at = a.mismatch(b); at < a.byteSize();) {
            differing++;
            long next = (at / size + 1) * size;
            long distance = a.asSlice(next).mismatch(b.asSlice(next));
            at = distance < 0 ? a.byteSize() : next + distance;
        }
        return differing + " of " + a.byteSize() / size + " elements differ";
    }

    private void addRows(Tensor a, Tensor b) {
        Shape shape = a.shape();
        if (shape.elements() == 0) {
            return;
        }
        if (shape.rank() == 0) {
            addWidened(a, b);
            return;
        }
        long rows = shape.dim(0);
        long rowElements = shape.elements() / rows;
        long step = Math.max(1, STEP / rowElements / ROWS) * ROWS;
        for (long row = 0; row < rows; row += step) {
            Slice part = Slice.range(row, Math.min(rows, row + step));
            try (Tensor x = a.slice(part); Tensor y = b.slice(part)) {
                addWidened(x, y);
            }
        }
    }

    private void addWidened(Tensor a, Tensor b) {
        try (Tensor x = a.to(DType.F64); Tensor y = b.to(DType.F64)) {
            MemorySegment left = x.segment();
            MemorySegment right = y.segment();
            for (long at = 0; at < left.byteSize(); at += Double.BYTES) {
                add(left.get(F64, at), right.get(F64, at));
            }
        }
    }

    private void add(double x, double y) {
        if (Double.compare(x, y) != 0) {
            differing++;
            // Of the two, only NaN - NaN and infinities of one sign would need care, and those are equal.
            double distance = Math.abs(x - y);
            largest = Double.isNaN(largest) || Double.isNaN(distance) ? Double.NaN : Math.max(largest, distance);
        }
    }
}
