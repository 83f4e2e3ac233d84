package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.spi.kernel.Requests;
import io.fastsafetensors.types.DType;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Kernels under watch.
@SuppressWarnings("ReferenceEquality") // What counts is which object it is.
final class CheckedKernels implements Kernels {
    private final Kernels delegate;
    private final CheckedBackend backend;
    private final Contract contract;
    private final Map<List<DType>, Boolean> supported = new ConcurrentHashMap<>();

    CheckedKernels(Kernels delegate, CheckedBackend backend) {
        this.delegate = delegate;
        this.backend = backend;
        this.contract = backend.contract();
    }

    @Override
    public boolean supports(DType from, DType to) {
        boolean supports = delegate.supports(from, to);
        Boolean before = supported.putIfAbsent(List.of(from, to), supports);
        contract.require((supports || from != to) && (before == null || before == supports), Check.BAD_PAIRS,
                "supports(" + from + ", " + to + ") is " + supports + (before == null ? "" : " and was " + before));
        return supports;
    }

    @Override
    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        String what = "convert from " + from + " to " + to;
        CheckedStream checked = own(stream, what);
        checked.alone(what, () -> {
            CheckedCall call = slices(checked, what, source, from, target, to)
                    .require(fits(source, from, elements) && fits(target, to, elements), Check.KERNEL_SIZES,
                            IllegalArgumentException.class,
                            () -> source.byteSize() + " and " + target.byteSize() + " bytes for " + elements);
            checked.submit(call, () -> delegate.convert(checked.real(), CheckedBuffer.real(source), from,
                    CheckedBuffer.real(target), to, elements), List.of(source.buffer(), target.buffer()), null, null,
                    0);
        });
    }

    @Override
    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
            DType to) {
        String what = "gather from " + from + " to " + to;
        CheckedStream checked = own(stream, what);
        checked.alone(what, () -> {
            CheckedCall call = slices(checked, what, source, from, target, to)
                    .require(!from.isSubByte() && !to.isSubByte(), Check.SUB_BYTE_GATHER, RuntimeException.class,
                            () -> view.toString());
            if (!from.isSubByte() && !to.isSubByte()) {
                long elements = view.shape().elements();
                call.require(fits(target, to, elements), Check.KERNEL_SIZES, IllegalArgumentException.class,
                        () -> target.byteSize() + " bytes for " + elements)
                        .require(elements == 0 || (view.lowest() >= 0
                                && view.highest() < source.byteSize() / from.byteSize(1)), Check.VIEW_OUTSIDE_SOURCE,
                                IllegalArgumentException.class, () -> view + " of " + source.byteSize() + " bytes");
            }
            checked.submit(call, () -> delegate.gather(checked.real(), CheckedBuffer.real(source), from, view,
                    CheckedBuffer.real(target), to), List.of(source.buffer(), target.buffer()), null, null, 0);
        });
    }

    @Override
    public boolean dequantizes(DType from, DType to) {
        return delegate.dequantizes(from, to);
    }

    @Override
    public void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement, long firstScale, BufferSlice target, DType to) {
        String what = "de-quantise from " + from + " to " + to;
        CheckedStream checked = own(stream, what);
        checked.alone(what, () -> {
            CheckedCall call = checked.call(what).require(dequantizes(from, to), Check.UNSUPPORTED_PAIR,
                    UnsupportedFeatureException.class, () -> from + " to " + to);
            for (BufferSlice slice : List.of(source, scales, target)) {
                call = checked.buffer(call, slice.buffer(), slice.offset(), slice.byteSize());
            }
            try {
                Requests.requireDequantize(source, from, scales, grid, firstElement, firstScale, target, to);
            } catch (IllegalArgumentException e) {
                call = call.require(false, Check.KERNEL_SIZES, IllegalArgumentException.class,
                        () -> String.valueOf(e.getMessage()));
            }
            checked.submit(call, () -> delegate.dequantize(checked.real(), CheckedBuffer.real(source), from,
                    CheckedBuffer.real(scales), grid, firstElement, firstScale, CheckedBuffer.real(target), to),
                    List.of(source.buffer(), scales.buffer(), target.buffer()), null, null, 0);
        });
    }

    private CheckedStream own(CopyStream stream, String what) {
        if (stream instanceof CheckedStream checked && checked.backend() == backend) {
            return checked;
        }
        throw contract.violations().add(Check.FOREIGN_STREAM, what + " on " + stream);
    }

    private CheckedCall slices(CheckedStream stream, String what, BufferSlice source, DType from, BufferSlice target,
            DType to) {
        CheckedCall call = stream.call(what)
                .require(supports(from, to), Check.UNSUPPORTED_PAIR, UnsupportedFeatureException.class,
                        () -> from + " to " + to)
                .assume(source.buffer() != target.buffer() || source.offset() + source.byteSize() <= target.offset()
                        || target.offset() + target.byteSize() <= source.offset(), Check.OVERLAPPING_COPY,
                        () -> source + " and " + target);
        return stream.buffer(stream.buffer(call, source.buffer(), source.offset(), source.byteSize()),
                target.buffer(), target.offset(), target.byteSize());
    }

    private static boolean fits(BufferSlice slice, DType dtype, long elements) {
        try {
            return elements >= 0 && dtype.byteSize(elements) == slice.byteSize();
        } catch (ArithmeticException | IllegalArgumentException _) {
            return false;
        }
    }
}
