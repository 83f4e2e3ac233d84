package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.Device;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;

/// Defects of closing.
final class LifetimeMutants {
    private LifetimeMutants() {
    }

    static List<Mutant> all() {
        return List.of(
                Mutant.ofBackend("L-01", "a second close frees somebody else's memory", LifetimeMutants::freesOthers),
                Mutant.ofBuffer("L-02", "the size outlives the buffer", (real, bytes, _) -> bytes != 64 ? real
                        : new Forwarding.OfBuffer(real) {
                            @Override
                            public long byteSize() {
                                return bytes;
                            }
                        }),
                Mutant.ofBuffer("L-03", "only the allocating thread closes", (real, bytes, _) -> {
                    Thread owner = Thread.currentThread();
                    return bytes != 100 ? real : new Forwarding.OfBuffer(real) {
                        @Override
                        public void close() {
                            if (Thread.currentThread() != owner) {
                                throw new WrongThreadException("not mine");
                            }
                            super.close();
                        }
                    };
                }), Mutant.ofBuffer("L-04", "the segment outlives the buffer", (real, bytes, _) -> bytes != 64 ? real
                        : new Forwarding.OfBuffer(real) {
                            @Override
                            public Optional<MemorySegment> segment() {
                                return super.segment().map(_ -> Arena.ofAuto().allocate(64, 64));
                            }
                        }),
                Mutant.ofStaging("L-05", "the segment outlives the staging memory", (real, bytes) -> bytes != 5000
                        ? real
                        : new Forwarding.OfStaging(real) {
                            private final MemorySegment immortal = Arena.ofAuto().allocate(5000, 4096);

                            @Override
                            public MemorySegment segment() {
                                return immortal;
                            }
                        }),
                Mutant.ofStream("L-06", "a closed stream makes fences", real -> new Forwarding.OfStream(real) {
                    private boolean closed;

                    @Override
                    public Fence fence() {
                        return closed ? HostProvider.copying().open(HostProvider.DEVICE, BackendOptions.defaults())
                                .openCopyStream().fence() : super.fence();
                    }

                    @Override
                    public void close() {
                        closed = true;
                        super.close();
                    }
                }), Mutant.ofStream("L-07", "a fence closes once only", real -> new Forwarding.OfStream(real) {
                    @Override
                    public Fence fence() {
                        return new Forwarding.OfFence(super.fence()) {
                            private boolean closed;

                            @Override
                            public void close() {
                                if (closed) {
                                    throw new IllegalStateException("closed twice");
                                }
                                closed = true;
                                super.close();
                            }
                        };
                    }
                }), Mutant.ofBackend("L-08", "closing the backend closes nothing",
                        real -> new Forwarding.OfBackend(real) {
                            @Override
                            public void close() {
                                // The defect.
                            }
                        }),
                Mutant.of("L-09", "closing one backend closes all", contagious()),
                Mutant.ofBackend("L-10", "threads stay behind", real -> new Forwarding.OfBackend(real) {
                    @Override
                    public StagingBuffer allocateStaging(long bytes) {
                        if (bytes == 1 << 20) {
                            Thread.ofPlatform().daemon().name("fst-forgotten")
                                    .start(() -> LockSupport.parkNanos(Duration.ofSeconds(20).toNanos()));
                        }
                        return super.allocateStaging(bytes);
                    }
                }));
    }

    private static Backend freesOthers(Backend real) {
        List<DeviceBuffer> allocated = new CopyOnWriteArrayList<>();
        return Mutant.bufferBackend(real, (buffer, bytes, _) -> {
            allocated.add(buffer);
            return bytes != 5000 ? buffer : new Forwarding.OfBuffer(buffer) {
                private boolean closed;

                @Override
                public void close() {
                    if (closed) {
                        allocated.getLast().close();
                    }
                    closed = true;
                    super.close();
                }
            };
        });
    }

    private static BackendProvider contagious() {
        List<Backend> open = new CopyOnWriteArrayList<>();
        return new Forwarding.OfProvider(HostProvider.copying()) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                Backend real = super.open(device, options);
                open.add(real);
                return new Forwarding.OfBackend(real) {
                    @Override
                    public void close() {
                        open.forEach(Backend::close);
                        open.clear();
                    }
                };
            }
        };
    }
}
