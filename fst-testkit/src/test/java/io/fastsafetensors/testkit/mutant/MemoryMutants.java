package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.testkit.Effort;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/// Defects of allocation and alignment.
final class MemoryMutants {
    private static final long CHUNK = 8 << 20;

    private MemoryMutants() {
    }

    static List<Mutant> all() {
        return List.of(Mutant.ofBackend("A-01", "zero bytes are refused", real -> new Forwarding.OfBackend(real) {
            @Override
            public DeviceBuffer allocate(long bytes, long alignment) {
                if (bytes == 0) {
                    throw new BackendException("invalid value", Where.backend("host"));
                }
                return super.allocate(bytes, alignment);
            }
        }), Mutant.ofBuffer("A-02", "the size is rounded up", (real, bytes, _) -> bytes != (1 << 20) + 1 ? real
                : new Forwarding.OfBuffer(real) {
                    @Override
                    public long byteSize() {
                        return (super.byteSize() + 255) / 256 * 256;
                    }
                }), Mutant.ofBackend("A-03", "buffers overlap", MemoryMutants::overlapping),
                Mutant.ofBackend("A-04", "the size in the exception is cut to 32 bits", MemoryMutants::cutSize),
                Mutant.ofBackend("A-05", "an error sticks", MemoryMutants::sticky),
                Mutant.ofBackend("A-06", "memory does not come back", MemoryMutants::leaky),
                new Mutant("A-07", "offsets are ints",
                        Mutant.ofBackend("A-07", "", MemoryMutants::narrow).provider(), Effort.FULL),
                Mutant.ofBuffer("A-08", "the segment is a copy", (real, bytes, _) -> bytes != 10_007 ? real
                        : new Forwarding.OfBuffer(real) {
                            @Override
                            public Optional<MemorySegment> segment() {
                                return super.segment().map(s -> Arena.ofAuto().allocate(bytes).copyFrom(s));
                            }
                        }),
                Mutant.ofStaging("A-09", "staging memory is rounded up to pages", (real, bytes) -> bytes != 4097 ? real
                        : new Forwarding.OfStaging(real) {
                            private final MemorySegment pages = Arena.ofAuto().allocate(8192, 4096);

                            @Override
                            public MemorySegment segment() {
                                return pages;
                            }
                        }),
                Mutant.ofBackend("M-01", "large alignments are ignored", HostProvider.remote(),
                        real -> Mutant.bufferBackend(real, (buffer, _, alignment) -> alignment < 1 << 20 ? buffer
                                : new Forwarding.OfBuffer(buffer) {
                                    @Override
                                    public DeviceHandle handle() {
                                        return super.handle().plus(64);
                                    }
                                })),
                Mutant.ofBuffer("M-02", "segments ignore large alignments",
                        (real, bytes, alignment) -> alignment < 1 << 20 ? real : new Forwarding.OfBuffer(real) {
                            @Override
                            public Optional<MemorySegment> segment() {
                                return Optional.of(Arena.ofAuto().allocate(bytes + 64, 1 << 20).asSlice(64));
                            }
                        }),
                Mutant.ofBackend("M-03", "staging memory starts inside a page",
                        real -> new Forwarding.OfBackend(real) {
                            @Override
                            public StagingBuffer allocateStaging(long bytes) {
                                return bytes != 100 ? super.allocateStaging(bytes)
                                        : new Forwarding.OfStaging(super.allocateStaging(bytes + 64)) {
                                            @Override
                                            public MemorySegment segment() {
                                                return super.segment().asSlice(64);
                                            }
                                        };
                            }
                        }));
    }

    /// All buffers of alignments other than 64 and 256 are the same memory.
    private static Backend overlapping(Backend real) {
        DeviceBuffer shared = real.allocate(32_000, 1 << 21);
        return Mutant.bufferBackend(real,
                (buffer, bytes, alignment) -> alignment == 64 || alignment == 256 || bytes == 0
                        ? buffer
                        : new Forwarding.OfBuffer(shared) {
                            @Override
                            public long byteSize() {
                                return buffer.byteSize();
                            }

                            @Override
                            public Optional<MemorySegment> segment() {
                                return super.segment().map(s -> s.asSlice(0, bytes));
                            }

                            @Override
                            public void close() {
                                buffer.close();
                            }
                        });
    }

    private static Backend cutSize(Backend real) {
        return new Forwarding.OfBackend(real) {
            @Override
            public DeviceBuffer allocate(long bytes, long alignment) {
                try {
                    return super.allocate(bytes, alignment);
                } catch (OutOfDeviceMemoryException e) {
                    throw new OutOfDeviceMemoryException((int) bytes, e.free(), e.where());
                }
            }
        };
    }

    private static Backend sticky(Backend real) {
        return new Forwarding.OfBackend(real) {
            private boolean failed;

            @Override
            public DeviceBuffer allocate(long bytes, long alignment) {
                if (failed) {
                    throw new BackendException("out of memory", Where.backend("host"));
                }
                try {
                    return super.allocate(bytes, alignment);
                } catch (OutOfDeviceMemoryException e) {
                    failed = true;
                    throw e;
                }
            }
        };
    }

    private static Backend leaky(Backend real) {
        return new Forwarding.OfBackend(real) {
            private long lost;

            @Override
            public DeviceBuffer allocate(long bytes, long alignment) {
                lost += bytes == CHUNK ? bytes : 0;
                return super.allocate(bytes, alignment);
            }

            @Override
            public MemoryInfo memory() {
                return MemoryInfo.of(super.memory().free() - lost, super.memory().total());
            }
        };
    }

    /// Without the memory of 2 GiB: the buffer is a small one that says that it is large.
    private static Backend narrow(Backend real) {
        return new Forwarding.OfBackend(real) {
            @Override
            public DeviceBuffer allocate(long bytes, long alignment) {
                if (bytes <= Integer.MAX_VALUE || bytes > 1L << 40) {
                    return super.allocate(bytes, alignment);
                }
                return new Forwarding.OfBuffer(super.allocate((int) bytes & 0xFFFF, alignment)) {
                    @Override
                    public long byteSize() {
                        return bytes;
                    }
                };
            }
        };
    }
}
