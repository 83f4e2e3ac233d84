package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/// Defects that show when several threads work at once. They are made to show each time, not by chance: the rules'
/// threads have names.
final class ThreadMutants {
    private ThreadMutants() {
    }

    static List<Mutant> all() {
        return List.of(Mutant.ofBackend("N-01", "threads get the same memory", ThreadMutants::sharing),
                CopyMutants.toDevice("N-02", "the copy of one thread is lost", (real, source, target, offset) -> {
                    if (source.byteSize() != 300_001 || !isThread("testkit-3")) {
                        real.copyToDevice(source, target, offset);
                    }
                }), Mutant.ofStream("N-03", "a fence serves one waiter", real -> new Forwarding.OfStream(real) {
                    @Override
                    public Fence fence() {
                        AtomicBoolean awaited = new AtomicBoolean();
                        return new Forwarding.OfFence(super.fence()) {
                            @Override
                            public void await() {
                                if (awaited.getAndSet(true)) {
                                    throw new BackendException("unknown event", Where.backend("host"));
                                }
                                super.await();
                            }
                        };
                    }
                }), Mutant.ofKernels("N-04", "the kernel of one thread is lost",
                        real -> new Forwarding.OfKernels(real) {
                            @Override
                            public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target,
                                    DType to, long elements) {
                                if (!isThread("testkit-5")) {
                                    super.convert(stream, source, from, target, to, elements);
                                }
                            }
                        }),
                Mutant.ofBuffer("N-05", "the second of two closes fails", (real, bytes, _) -> bytes < 64 << 20 ? real
                        : new Forwarding.OfBuffer(real) {
                            private final AtomicBoolean closed = new AtomicBoolean();

                            @Override
                            public void close() {
                                if (closed.getAndSet(true)) {
                                    throw new BackendException("invalid handle", Where.backend("host"));
                                }
                                super.close();
                            }
                        }),
                Mutant.ofStream("N-06", "a stream belongs to the thread that uses it first",
                        real -> new Forwarding.OfStream(real) {
                            private Optional<Thread> owner = Optional.empty();

                            @Override
                            public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
                                if (owner.orElse(Thread.currentThread()) != Thread.currentThread()) {
                                    throw new BackendException("no current context", Where.backend("host"));
                                }
                                owner = Optional.of(Thread.currentThread());
                                super.copyToDevice(source, target, targetOffset);
                            }
                        }));
    }

    private static boolean isThread(String prefix) {
        return Thread.currentThread().getName().startsWith(prefix);
    }

    private static Backend sharing(Backend real) {
        DeviceBuffer shared = real.allocate(4096, 64);
        return Mutant.bufferBackend(real, (buffer, bytes, _) -> bytes > 3000 || !isThread("testkit-") ? buffer
                : new Forwarding.OfBuffer(shared) {
                    @Override
                    public long byteSize() {
                        return bytes;
                    }

                    @Override
                    public void close() {
                        buffer.close();
                    }
                });
    }
}
