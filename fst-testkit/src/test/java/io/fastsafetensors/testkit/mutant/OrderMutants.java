package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import java.lang.foreign.MemorySegment;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedDeque;
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
                }), Mutant.ofStream("O-04", "synchronize returns at once", Impatient::new),
                Mutant.ofStream("O-05", "streams do not wait for each other", Lazy::new),
                Mutant.ofStream("O-06", "closing drops the last copy", Dropping::new),
                Mutant.ofStream("O-07", "a fence is recorded before its copy", Early::new),
                Mutant.ofStream("O-08", "another backend's fence is ignored", real -> new Forwarding.OfStream(real) {
                    @Override
                    public void waitFor(Fence fence) {
                        if (fence.isPassed()) {
                            super.waitFor(fence);
                        }
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

    /// Holds work back until the next call.
    private abstract static class Holding extends Forwarding.OfStream {
        final Deque<Runnable> held = new ConcurrentLinkedDeque<>();

        Holding(CopyStream real) {
            super(real);
        }

        void flush() {
            while (!held.isEmpty()) {
                held.remove().run();
            }
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

        @Override
        public void close() {
            flush();
            super.close();
        }
    }

    /// The second of two large copies to the device comes first.
    private static final class Swapping extends Holding {
        Swapping(CopyStream real) {
            super(real);
        }

        @Override
        public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
            if (source.byteSize() != LARGE) {
                super.copyToDevice(source, target, targetOffset);
            } else if (held.isEmpty()) {
                held.add(() -> real.copyToDevice(source, target, targetOffset));
            } else {
                real.copyToDevice(source, target, targetOffset);
                flush();
            }
        }
    }

    /// A large copy to the host is done at the next call, but not when it is waited for.
    private static final class Impatient extends Holding {
        Impatient(CopyStream real) {
            super(real);
        }

        @Override
        public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
            flush();
            if (target.byteSize() == LARGE) {
                held.add(() -> real.copyToHost(source, sourceOffset, target));
            } else {
                real.copyToHost(source, sourceOffset, target);
            }
        }

        @Override
        public void synchronize() {
            real.synchronize();
        }
    }

    /// A large copy to the host is done at the next call, and not when that is the close.
    private static final class Dropping extends Holding {
        Dropping(CopyStream real) {
            super(real);
        }

        @Override
        public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
            flush();
            if (target.byteSize() == LARGE) {
                held.add(() -> real.copyToHost(source, sourceOffset, target));
            } else {
                real.copyToHost(source, sourceOffset, target);
            }
        }

        @Override
        public void close() {
            held.clear();
            super.close();
        }
    }

    /// A large copy to the device is done when its fence is asked; another stream that waits does not ask.
    private static final class Lazy extends Holding {
        Lazy(CopyStream real) {
            super(real);
        }

        @Override
        public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
            flush();
            if (source.byteSize() == 1 << 20) {
                held.add(() -> real.copyToDevice(source, target, targetOffset));
            } else {
                real.copyToDevice(source, target, targetOffset);
            }
        }

        @Override
        public void waitFor(Fence fence) {
            if (!(fence instanceof Forwarding.OfFence)) {
                super.waitFor(fence);
            }
        }

        @Override
        public Fence fence() {
            return new Forwarding.OfFence(real.fence()) {
                @Override
                public boolean isPassed() {
                    flush();
                    return super.isPassed();
                }

                @Override
                public void await() {
                    flush();
                    super.await();
                }
            };
        }
    }

    /// Copies of 1 MiB are done two copies later, and their fences have passed at once.
    private static final class Early extends Holding {
        Early(CopyStream real) {
            super(real);
        }

        @Override
        public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
            if (source.byteSize() != 1 << 20) {
                super.copyToDevice(source, target, targetOffset);
                return;
            }
            held.add(() -> real.copyToDevice(source, target, targetOffset));
            if (held.size() > 2) {
                held.remove().run();
            }
        }

        @Override
        public Fence fence() {
            return real.fence();
        }
    }
}
