package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.testkit.reference.Elements;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongUnaryOperator;

/// Defects of conversion.
final class ConversionMutants {
    private ConversionMutants() {
    }

    static List<Mutant> all() {
        return List.of(Mutant.ofKernels("K-01", "a pair is missing", real -> new Forwarding.OfKernels(real) {
            @Override
            public boolean supports(DType from, DType to) {
                return super.supports(from, to) && (from != DType.F16 || to != DType.I8);
            }
        }), pair("K-02", "copying makes a NaN quiet", DType.F32, DType.F32, raw -> {
            boolean nan = (raw & 0x7FFFFFFFL) > 0x7F800000L;
            return nan ? raw | 0x400000 : raw;
        }), pair("K-03", "NaN loses its sign", DType.F8_E4M3, DType.F32,
                raw -> raw == 0xFF ? 0x7FC00000L : ScalarReference.convert(DType.F8_E4M3, raw, DType.F32)),
                pair("K-04", "subnormals are flushed", DType.F16, DType.BF16,
                        raw -> (raw & 0x7C00) == 0 ? raw & 0x8000
                                : ScalarReference.convert(DType.F16, raw, DType.BF16)),
                pair("K-05", "F64 to F16 rounds twice", DType.F64, DType.F16,
                        raw -> ScalarReference.convert(DType.F32,
                                ScalarReference.convert(DType.F64, raw, DType.F32), DType.F16)),
                pair("K-06", "I64 to F32 rounds twice", DType.I64, DType.F32,
                        raw -> Float.floatToRawIntBits((float) (double) raw) & 0xFFFFFFFFL),
                Mutant.ofKernels("K-07", "the last element of an odd count is forgotten",
                        real -> new Counting(real, elements -> elements < 100 && elements % 8 != 0 ? 1 : 0)),
                Mutant.ofKernels("K-08", "elements beyond the grid are forgotten",
                        real -> new Counting(real, elements -> elements > 100_000 ? 5 : 0)),
                Mutant.ofBackend("K-09", "kernels run on a queue of their own", HostProvider.full(),
                        ConversionMutants::outOfOrder),
                Mutant.ofKernels("K-10", "C64 is said to convert", real -> new Forwarding.OfKernels(real) {
                    @Override
                    public boolean supports(DType from, DType to) {
                        return true;
                    }
                }), Mutant.ofKernels("K-11", "a launch of nothing is refused", real -> new Forwarding.OfKernels(real) {
                    @Override
                    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target,
                            DType to, long elements) {
                        if (elements == 0 && source.byteSize() == 0 && target.byteSize() == 0) {
                            throw new BackendException("invalid configuration", Where.backend("host"));
                        }
                        super.convert(stream, source, from, target, to, elements);
                    }
                }),
                Mutant.ofKernels("K-13", "products of F8 are rounded once, past F32", real -> new OnceRounded(real)));
    }

    /// Products that are rounded to the result without a stop at F32, which hardly ever makes a difference.
    private static final class OnceRounded extends Forwarding.OfKernels {
        OnceRounded(Kernels real) {
            super(real);
        }

        @Override
        public void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
                long firstElement, long firstScale, BufferSlice target, DType to) {
            super.dequantize(stream, source, from, scales, grid, firstElement, firstScale, target, to);
            for (long i = 0; i < target.byteSize() * 8 / to.bits(); i++) {
                float element = Float.intBitsToFloat((int) ScalarReference.convert(from,
                        Elements.get(memory(source), from, i), DType.F32));
                float scale = Float.intBitsToFloat((int) Elements.get(memory(scales), DType.F32,
                        grid.scaleOf(firstElement + i) - firstScale));
                double product = (double) element * scale;
                if (!Double.isNaN(product)) {
                    Elements.set(memory(target), to, i,
                            ScalarReference.convert(DType.F64, Double.doubleToRawLongBits(product), to));
                }
            }
        }
    }

    /// One pair converted in another way.
    private static Mutant pair(String rule, String defect, DType wrongFrom, DType wrongTo, LongUnaryOperator wrong) {
        return Mutant.ofKernels(rule, defect, real -> new Forwarding.OfKernels(real) {
            @Override
            public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
                    long elements) {
                super.convert(stream, source, from, target, to, elements);
                for (long i = 0; from == wrongFrom && to == wrongTo && i < elements; i++) {
                    Elements.set(memory(target), to, i,
                            wrong.applyAsLong(Elements.get(memory(source), from, i)));
                }
            }
        });
    }

    private static MemorySegment memory(BufferSlice slice) {
        return slice.buffer().segment().orElseThrow().asSlice(slice.offset(), slice.byteSize());
    }

    /// Forgets elements at the end, from F32 to BF16.
    private static final class Counting extends Forwarding.OfKernels {
        private final LongUnaryOperator forgotten;

        Counting(Kernels real, LongUnaryOperator forgotten) {
            super(real);
            this.forgotten = forgotten;
        }

        @Override
        public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
                long elements) {
            boolean right = from != DType.F32 || to != DType.BF16
                    || source.byteSize() != elements * 4 || target.byteSize() != elements * 2;
            long done = elements - (right ? 0 : forgotten.applyAsLong(elements));
            super.convert(stream, done == elements ? source : source.part(0, done * 4), from,
                    done == elements ? target : target.part(0, done * 2), to, done);
        }
    }

    /// A large conversion runs when a fence is made, behind copies that were submitted after it.
    private static Backend outOfOrder(Backend real) {
        List<Runnable> waiting = new ArrayList<>();
        return new Forwarding.OfBackend(real) {
            @Override
            public CopyStream openCopyStream() {
                return new Forwarding.OfStream(super.openCopyStream()) {
                    @Override
                    public Fence fence() {
                        waiting.forEach(Runnable::run);
                        waiting.clear();
                        return super.fence();
                    }
                };
            }

            @Override
            public Kernels kernels() {
                return new Forwarding.OfKernels(super.kernels()) {
                    @Override
                    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target,
                            DType to, long elements) {
                        Runnable work = () -> super.convert(stream, source, from, target, to, elements);
                        if (elements == 1 << 20) {
                            waiting.add(work);
                        } else {
                            work.run();
                        }
                    }
                };
            }
        };
    }
}
