package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.util.List;
import java.util.function.UnaryOperator;

/// Defects of gathering.
final class GatherMutants {
    private GatherMutants() {
    }

    static List<Mutant> all() {
        return List.of(view("G-01", "the offset of a contiguous view is forgotten",
                view -> view.shape().equals(Shape.of(7, 5, 3)) ? new Strided(view.shape(), 0, view.strides()) : view),
                view("G-02", "rows are as far apart as they are long", GatherMutants::packedRows),
                view("G-03", "strides are unsigned", view -> view.shape().equals(Shape.of(33)) && view.stride(0) == -3
                        ? new Strided(view.shape(), 0, new long[] {3})
                        : view),
                view("G-04", "a stride of 0 is taken for 1",
                        view -> view.shape().equals(Shape.of(6, 9)) && view.stride(0) == 0
                                ? new Strided(view.shape(), view.offset(), new long[] {1, view.stride(1)})
                                : view),
                Mutant.ofKernels("G-05", "a scalar has no elements", real -> new Gathering(real) {
                    @Override
                    boolean skips(DType from, Strided view) {
                        return view.shape().rank() == 0;
                    }
                }), Mutant.ofKernels("G-06", "no more than 3 dimensions", real -> new Forwarding.OfKernels(real) {
                    @Override
                    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view,
                            BufferSlice target, DType to) {
                        super.gather(stream, source, from, view, target, to);
                        if (view.shape().rank() > 3 && from == to) {
                            throw new UnsupportedFeatureException("rank", Where.backend("host"));
                        }
                    }
                }), Mutant.ofKernels("G-07", "gathering does not convert", real -> new Forwarding.OfKernels(real) {
                    @Override
                    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view,
                            BufferSlice target, DType to) {
                        super.gather(stream, source, from, view, target, to);
                        if (from != to) {
                            throw new UnsupportedFeatureException("fused conversion", Where.backend("host"));
                        }
                    }
                }), Mutant.ofKernels("G-08", "elements beyond the grid are forgotten",
                        real -> new Forwarding.OfKernels(real) {
                            @Override
                            public void gather(CopyStream stream, BufferSlice source, DType from, Strided view,
                                    BufferSlice target, DType to) {
                                long elements = view.shape().elements();
                                long rows = elements < 50_000 ? 0 : view.shape().dim(0) - 1;
                                super.gather(stream, source, from, rows == 0 ? view
                                        : new Strided(view.shape().withDim(0, rows), view.offset(), view.strides()),
                                        rows == 0 ? target
                                                : target.part(0, to.byteSize(elements / (rows + 1) * rows)),
                                        to);
                            }
                        }),
                Mutant.ofKernels("G-09", "sub-byte dtypes are accepted", real -> new Gathering(real) {
                    @Override
                    boolean skips(DType from, Strided view) {
                        return from.isSubByte();
                    }
                }));
    }

    private abstract static class Gathering extends Forwarding.OfKernels {
        Gathering(Kernels real) {
            super(real);
        }

        abstract boolean skips(DType from, Strided view);

        @Override
        public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
                DType to) {
            if (!skips(from, view)) {
                super.gather(stream, source, from, view, target, to);
            }
        }
    }

    private static Mutant view(String rule, String defect, UnaryOperator<Strided> wrong) {
        return Mutant.ofKernels(rule, defect, real -> new Forwarding.OfKernels(real) {
            @Override
            public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
                    DType to) {
                super.gather(stream, source, from, wrong.apply(view), target, to);
            }
        });
    }

    private static Strided packedRows(Strided view) {
        Shape shape = view.shape();
        boolean cut = shape.equals(Shape.of(40, 17)) && view.stride(1) == 1;
        return cut ? new Strided(shape, view.offset(), new long[] {shape.dim(1), 1}) : view;
    }
}
