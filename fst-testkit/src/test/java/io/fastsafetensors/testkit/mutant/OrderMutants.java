package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.testkit.host.HostProvider;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/// Defects of order: within streams, at fences, between streams.
final class OrderMutants {
    private static final long LARGE = 8 << 20;

    private OrderMutants() {
    }

    static List<Mutant> all() {
        return List.of(Mutant.ofStream("O-01", "two copies change places", Swapping::new),
                Mutant.ofStream("O-02", "an awaited fence says that it has not passed",
                        real -> new Fences(real) {
                            @Override
                            Fence fenceAround(Fence fence) {
                                AtomicBoolean asked = new AtomicBoolean();
                                return new Forwarding.OfFence(fence) {
                                    @Override
                                    public boolean isPassed() {
                                        return asked.getAndSet(true);
                                    }
                                };
                            }
                        }),
                Mutant.ofStream("O-03", "a fence passes only when it is awaited", real -> new Fences(real) {
                    @Override
                    Fence fenceAround(Fence fence) {
                        AtomicBoolean awaited = new AtomicBoolean();
                        return new Forwarding.OfFence(fence) {
                            @Override
                            public boolean isPassed() {
                                return awaited.get();
                            }

                            @Override
                            public void await() {
                                super.await();
                                awaited.set(true);
                            }
                        };
                    }
                }), Mutant.ofStream("O-04", "synchronize returns at once", Mutant.late(),
                        real -> new Forwarding.OfStream(real) {
                            private boolean large;

                            @Override
                            public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
                                large = target.byteSize() == LARGE;
                                super.copyToHost(source, sourceOffset, target);
                            }

                            @Override
                            public void synchronize() {
                                if (!large) {
                                    super.synchronize();
                                }
                            }
                        }),
                Mutant.ofStream("O-05", "streams do not wait for each other", Mutant.slowToDevice(),
                        real -> new Forwarding.OfStream(real) {
                            @Override
                            public void waitFor(Fence fence) {
                                // The defect.
                            }
                        }),
                Mutant.ofStream("O-06", "closing drops the last copy", Dropping::new),
                Mutant.ofStream("O-07", "a fence is recorded before its copy", Mutant.late(),
                        real -> new Forwarding.OfStream(real) {
                            private boolean early;

                            @Override
                            public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
                                early = source.byteSize() == 1 << 20;
                                super.copyToDevice(source, target, targetOffset);
                            }

                            @Override
                            public Fence fence() {
                                return early ? HostProvider.full()
                                        .open(HostProvider.DEVICE, BackendOptions.defaults())
                                        .openCopyStream().fence() : super.fence();
                            }
                        }));
    }

    private abstract static class Fences extends Forwarding.OfStream {
        Fences(CopyStream real) {
            super(real);
        }

        abstract Fence fenceAround(Fence fence);

        @Override
        public Fence fence() {
            return fenceAround(super.fence());
        }
    }

    /// Holds one piece of work back until the next call.
    private abstract static class Holding extends Forwarding.OfStream {
        private static final Runnable NOTHING = () -> {
        };
        private Runnable held = NOTHING;

        Holding(CopyStream real) {
            super(real);
        }

        void hold(Runnable work) {
            held = work;
        }

        boolean isHolding() {
            return held != NOTHING;
        }

        void flush() {
            Runnable work = held;
            held = NOTHING;
            work.run();
        }

        @Override
        public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
            flush();
            super.copyToDevice(source, target, targetOffset);
        }

        @Override
        public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
            flush();
            super.copyToHost(source, sourceOffset, target);
        }

        @Override
        public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
            flush();
            super.copy(source, sourceOffset, target, targetOffset, bytes);
        }

        @Override
        public Fence fence() {
            flush();
            return super.fence();
        }

        @Override
        public void synchronize() {
            flush();
            super.synchronize();
        }
    }

    private static final class Swapping extends Holding {
        Swapping(CopyStream real) {
            super(real);
        }

        @Override
        public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
            if (source.byteSize() != LARGE) {
                super.copyToDevice(source, target, targetOffset);
                return;
            }
            if (isHolding()) {
                real.copyToDevice(source, target, targetOffset);
                flush();
            } else {
                hold(() -> real.copyToDevice(source, target, targetOffset));
            }
        }

        @Override
        public void close() {
            flush();
            super.close();
        }
    }

    private static final class Dropping extends Holding {
        Dropping(CopyStream real) {
            super(real);
        }

        @Override
        public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
            if (target.byteSize() != LARGE) {
                super.copyToHost(source, sourceOffset, target);
                return;
            }
            flush();
            hold(() -> real.copyToHost(source, sourceOffset, target));
        }
    }
}
