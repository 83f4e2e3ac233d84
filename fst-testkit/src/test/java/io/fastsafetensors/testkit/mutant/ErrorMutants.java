package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.types.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Wrong arguments that are accepted, and refusals that leave damage.
final class ErrorMutants {
    private ErrorMutants() {
    }

    static List<Mutant> all() {
        return List.of(allocating("E-01", "negative sizes are taken for 0", (real, bytes, alignment) -> real
                .allocate(Math.max(0, bytes), alignment)),
                allocating("E-02", "odd alignments are rounded up", (real, bytes, alignment) -> real.allocate(bytes,
                        Long.highestOneBit(Math.max(1, alignment)))),
                CopyMutants.toDevice("E-03", "copies to the device outside the buffer do nothing",
                        (real, source, target, offset) -> {
                            if (isInside(offset, source.byteSize(), target)) {
                                real.copyToDevice(source, target, offset);
                            }
                        }),
                Mutant.ofStream("E-04", "copies to the host from outside the buffer do nothing",
                        real -> new Forwarding.OfStream(real) {
                            @Override
                            public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
                                if (isInside(sourceOffset, target.byteSize(), source)) {
                                    super.copyToHost(source, sourceOffset, target);
                                }
                            }
                        }),
                Mutant.ofStream("E-05", "negative copies within the device do nothing",
                        real -> new Forwarding.OfStream(real) {
                            @Override
                            public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target,
                                    long targetOffset, long bytes) {
                                super.copy(source, sourceOffset, target, targetOffset, Math.max(0, bytes));
                            }
                        }),
                Mutant.ofKernels("E-06", "a target that is too large is accepted",
                        real -> new Forwarding.OfKernels(real) {
                            @Override
                            public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target,
                                    DType to, long elements) {
                                boolean large = elements == 10 && target.byteSize() == 22;
                                super.convert(stream, source, from, large ? target.part(0, 20) : target, to, elements);
                            }
                        }),
                Mutant.ofKernels("E-07", "views outside the source are ignored",
                        real -> new Forwarding.OfKernels(real) {
                            @Override
                            public void gather(CopyStream stream, BufferSlice source, DType from, Strided view,
                                    BufferSlice target, DType to) {
                                boolean outside = view.shape().elements() == 10 && !from.isSubByte()
                                        && view.highest() >= source.byteSize() / from.byteSize(1);
                                if (!outside) {
                                    super.gather(stream, source, from, view, target, to);
                                }
                            }
                        }),
                Mutant.ofKernels("E-08", "a gather's target that is too large is accepted",
                        real -> new Forwarding.OfKernels(real) {
                            @Override
                            public void gather(CopyStream stream, BufferSlice source, DType from, Strided view,
                                    BufferSlice target, DType to) {
                                boolean large = view.shape().elements() == 10 && target.byteSize() == 21;
                                super.gather(stream, source, from, view, large ? target.part(0, 20) : target, to);
                            }
                        }),
                CopyMutants.toDevice("E-09", "copies to closed buffers do nothing", (real, source, target, offset) -> {
                    try {
                        target.byteSize();
                    } catch (IllegalStateException _) {
                        return;
                    }
                    real.copyToDevice(source, target, offset);
                }), Mutant.ofStream("E-11", "memory is taken by its address", real -> new Forwarding.OfStream(real) {
                    @Override
                    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
                        boolean foreign = source.scope().isAlive()
                                && !source.isAccessibleBy(Thread.currentThread());
                        super.copyToDevice(foreign
                                ? RawMemory.view(source.address(), source.byteSize(), Arena.global()) : source, target,
                                targetOffset);
                    }
                }), Mutant.ofStream("E-10", "a refusal breaks the stream", real -> new Forwarding.OfStream(real) {
                    private boolean broken;

                    @Override
                    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
                        try {
                            super.copyToDevice(source, target, targetOffset);
                        } catch (IndexOutOfBoundsException e) {
                            broken = true;
                            throw e;
                        }
                    }

                    @Override
                    public Fence fence() {
                        if (broken) {
                            throw new BackendException("invalid value", Where.backend("host"));
                        }
                        return super.fence();
                    }
                }));
    }

    private interface Allocate {
        DeviceBuffer run(Backend real, long bytes, long alignment);
    }

    private static Mutant allocating(String rule, String defect, Allocate allocate) {
        return Mutant.ofBackend(rule, defect, real -> new Forwarding.OfBackend(real) {
            @Override
            public DeviceBuffer allocate(long bytes, long alignment) {
                return allocate.run(real, bytes, alignment);
            }
        });
    }

    private static boolean isInside(long offset, long bytes, DeviceBuffer buffer) {
        return offset >= 0 && bytes <= buffer.byteSize() && offset <= buffer.byteSize() - bytes;
    }
}
