package io.fastsafetensors.spi.kernel;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;

/// Checks the arguments of [io.fastsafetensors.spi.Kernels] before anything is queued, for its implementations.
public final class Requests {
    private Requests() {
    }

    /// Whether a conforming backend converts the pair: equal dtypes, and every pair without C64.
    public static boolean supports(DType from, DType to) {
        return from == to || (from != DType.C64 && to != DType.C64);
    }

    /// Checks the arguments of a conversion.
    ///
    /// @throws UnsupportedFeatureException if no backend converts the pair
    /// @throws IllegalArgumentException if the sizes do not fit, or source and target overlap
    public static void requireConvert(BufferSlice source, DType from, BufferSlice target, DType to, long elements) {
        requireSupport(from, to);
        requireSize("source", source, from, elements);
        requireSize("target", target, to, elements);
        requireApart(source, target);
    }

    /// Checks the arguments of a de-quantisation, but for the pair.
    ///
    /// @throws IllegalArgumentException if sizes do not fit, or a scale is asked for that is not there
    public static void requireDequantize(BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement,
            long firstScale, BufferSlice target, DType to) {
        long elements = target.byteSize() * 8 / to.bits();
        requireSize("target", target, to, elements);
        if (source.byteSize() != Math.ceilDiv(elements * from.bits(), 8L) || firstElement < 0 || firstScale < 0
                || (from.isSubByte() && firstElement % 2 != 0)) {
            throw new IllegalArgumentException(elements + " elements of " + from + " from number " + firstElement
                    + " on do not make the source's " + source.byteSize() + " bytes");
        }
        if (!source.buffer().equals(scales.buffer()) || scales.offset() % Float.BYTES != 0
                || scales.byteSize() % Float.BYTES != 0 || source.buffer().equals(target.buffer())) {
            throw new IllegalArgumentException(
                    "scales are aligned to 4 bytes and in the source's buffer, the target is in"
                            + " another one");
        }
        long last = firstScale + scales.byteSize() / Float.BYTES - 1;
        if (elements > 0 && (grid.lowestScale(firstElement, elements) < firstScale
                || grid.highestScale(firstElement, elements) > last)) {
            throw new IllegalArgumentException("elements from number " + firstElement + " on have scales "
                    + grid.lowestScale(firstElement, elements) + " to " + grid.highestScale(firstElement, elements)
                    + ", and there are " + firstScale + " to " + last);
        }
    }

    /// Checks the arguments of a gather.
    ///
    /// @return the number of elements of the view
    /// @throws UnsupportedFeatureException if no backend converts the pair, or elements are smaller than a byte
    /// @throws IllegalArgumentException if an index is outside the source, the target's size does not fit, or the two
    ///         overlap
    public static long requireGather(BufferSlice source, DType from, Strided view, BufferSlice target, DType to) {
        requireSupport(from, to);
        if (from.isSubByte() || to.isSubByte()) {
            throw new UnsupportedFeatureException("gather from " + from + " to " + to
                    + ": elements smaller than a byte are not gathered; slice whole bytes of them as U8",
                    Where.nowhere());
        }
        long elements = elements(view);
        requireSize("target", target, to, elements);
        requireApart(source, target);
        if (elements > 0) {
            requireInside(source, from, view);
        }
        return elements;
    }

    private static void requireSupport(DType from, DType to) {
        if (!supports(from, to)) {
            throw new UnsupportedFeatureException(
                    "no conversion from " + from + " to " + to + "; C64 converts only to itself", Where.nowhere());
        }
    }

    private static void requireSize(String what, BufferSlice slice, DType dtype, long elements) {
        long bytes;
        try {
            bytes = dtype.byteSize(elements);
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException(elements + " elements of " + dtype + " do not fit the " + what, e);
        }
        if (elements < 0 || bytes != slice.byteSize()) {
            throw new IllegalArgumentException(elements + " elements of " + dtype + " take " + bytes
                    + " bytes, but the " + what + " has " + slice.byteSize());
        }
    }

    private static void requireApart(BufferSlice source, BufferSlice target) {
        long sourceEnd = source.offset() + source.byteSize();
        long targetEnd = target.offset() + target.byteSize();
        if (source.buffer().equals(target.buffer())
                && Math.max(source.offset(), target.offset()) < Math.min(sourceEnd, targetEnd)) {
            throw new IllegalArgumentException("source and target overlap: bytes " + source.offset() + " to "
                    + sourceEnd + " and " + target.offset() + " to " + targetEnd);
        }
    }

    private static long elements(Strided view) {
        try {
            return view.shape().elements();
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("too many elements: " + view, e);
        }
    }

    /// As [Strided#lowest()] and [Strided#highest()], but no stride is so large that it escapes by overflow.
    private static void requireInside(BufferSlice source, DType dtype, Strided view) {
        long available = source.byteSize() / (dtype.bits() / 8);
        try {
            long lowest = view.offset();
            long highest = view.offset();
            for (int d = 0; d < view.shape().rank(); d++) {
                long reach = Math.multiplyExact(view.stride(d), view.shape().dim(d) - 1);
                lowest = Math.addExact(lowest, Math.min(reach, 0));
                highest = Math.addExact(highest, Math.max(reach, 0));
            }
            if (lowest >= 0 && highest < available) {
                return;
            }
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException(outside(view, dtype, available), e);
        }
        throw new IllegalArgumentException(outside(view, dtype, available));
    }

    private static String outside(Strided view, DType dtype, long available) {
        return "the view " + view + " reaches outside the source's " + available + " elements of " + dtype;
    }
}
