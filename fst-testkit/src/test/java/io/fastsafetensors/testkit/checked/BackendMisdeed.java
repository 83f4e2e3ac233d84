package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.testkit.mutant.Forwarding;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/// A backend's error for each check on backends.
final class BackendMisdeed {
    private BackendMisdeed() {
    }

    static Map<Check, BackendProvider> all() {
        Map<Check, BackendProvider> broken = new EnumMap<>(Check.class);
        ofProbes(broken);
        ofFacts(broken);
        ofBuffers(broken);
        ofStreams(broken);
        ofFiles(broken);
        return broken;
    }

    private static BackendProvider backend(UnaryOperator<Backend> change) {
        return new Forwarding.OfProvider(HostProvider.full()) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                return change.apply(super.open(device, options));
            }
        };
    }

    private static BackendProvider buffer(Function<DeviceBuffer, DeviceBuffer> change) {
        return backend(real -> new Forwarding.OfBackend(real) {
            @Override
            public DeviceBuffer allocate(long bytes, long alignment) {
                return change.apply(super.allocate(bytes, alignment));
            }
        });
    }

    private static BackendProvider staging(Function<MemorySegment, MemorySegment> change) {
        return backend(real -> new Forwarding.OfBackend(real) {
            @Override
            public StagingBuffer allocateStaging(long bytes) {
                StagingBuffer staging = super.allocateStaging(bytes);
                MemorySegment changed = change.apply(staging.segment());
                return new Forwarding.OfStaging(staging) {
                    @Override
                    public MemorySegment segment() {
                        return changed;
                    }
                };
            }
        });
    }

    private static BackendProvider stream(Function<CopyStream, CopyStream> change) {
        return backend(real -> new Forwarding.OfBackend(real) {
            @Override
            public CopyStream openCopyStream() {
                return change.apply(super.openCopyStream());
            }
        });
    }

    private static BackendProvider fence(Function<Fence, Fence> change) {
        return stream(real -> new Forwarding.OfStream(real) {
            @Override
            public Fence fence() {
                return change.apply(super.fence());
            }
        });
    }

    private static BackendProvider copy(Runnable instead) {
        return stream(real -> new Forwarding.OfStream(real) {
            @Override
            public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
                instead.run();
            }
        });
    }

    private static BackendProvider file(Function<DirectFile, DirectFile> change) {
        return storage(real -> new Forwarding.OfStorage(real) {
            @Override
            public DirectFile open(StorageFile file) {
                return change.apply(super.open(file));
            }
        });
    }

    private static BackendProvider storage(Function<DirectStorage, DirectStorage> change) {
        return backend(real -> new Forwarding.OfBackend(real) {
            @Override
            public Optional<DirectStorage> directStorage() {
                return super.directStorage().map(change);
            }
        });
    }

    private static void ofProbes(Map<Check, BackendProvider> broken) {
        broken.put(Check.PROBE_THROWS, new Forwarding.OfProvider(HostProvider.full()) {
            @Override
            public Probe probe() {
                throw new UnsatisfiedLinkError("libacme.so");
            }
        });
        broken.put(Check.PROBE_CHANGED, new Forwarding.OfProvider(HostProvider.full()) {
            private int calls;

            @Override
            public Probe probe() {
                Probe.Available real = (Probe.Available) super.probe();
                Set<Capability> capabilities = EnumSet.copyOf(real.capabilities());
                if (calls++ > 0) {
                    capabilities.remove(Capability.KERNELS);
                }
                return new Probe.Available(real.devices(), capabilities, Map.of());
            }
        });
        broken.put(Check.OTHER_DEVICE, new Forwarding.OfProvider(HostProvider.full().devices(2)) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                return super.open(new Device("host", 1 - device.index()), options);
            }
        });
        broken.put(Check.CLAIM_BROKEN, backend(real -> new Forwarding.OfBackend(real) {
            @Override
            public Optional<DirectStorage> directStorage() {
                return Optional.empty();
            }
        }));
    }

    private static void ofFacts(Map<Check, BackendProvider> broken) {
        broken.put(Check.FACTS_CHANGED, backend(real -> new Forwarding.OfBackend(real) {
            private int calls;

            @Override
            public TransferHints hints() {
                return new TransferHints(64, 4096 * ++calls, 1, 1);
            }
        }));
        broken.put(Check.MEMORY_SENSE, backend(real -> new Forwarding.OfBackend(real) {
            @Override
            public MemoryInfo memory() {
                return MemoryInfo.of(super.memory().total(), super.memory().free() - 1);
            }
        }));
        broken.put(Check.WRONG_OUT_OF_MEMORY, backend(real -> new Forwarding.OfBackend(real) {
            @Override
            public DeviceBuffer allocate(long bytes, long alignment) {
                throw new OutOfDeviceMemoryException(bytes + 256, 0, Where.backend("host"));
            }
        }));
        broken.put(Check.NULL_ANSWER, new Forwarding.OfProvider(HostProvider.full()) {
            @Override
            @SuppressWarnings("NullAway")
            public Backend open(Device device, BackendOptions options) {
                return null;
            }
        });
        broken.put(Check.BAD_PAIRS, backend(real -> new Forwarding.OfBackend(real) {
            @Override
            public Kernels kernels() {
                return new Forwarding.OfKernels(super.kernels()) {
                    @Override
                    public boolean supports(DType from, DType to) {
                        return from != to;
                    }
                };
            }
        }));
    }

    private static void ofBuffers(Map<Check, BackendProvider> broken) {
        broken.put(Check.WRONG_SIZE, buffer(real -> new Forwarding.OfBuffer(real) {
            @Override
            public long byteSize() {
                return super.byteSize() + 1;
            }
        }));
        broken.put(Check.WRONG_ALIGNMENT, staging(memory -> Arena.ofAuto()
                .allocate(memory.byteSize() + 64, 4096).asSlice(64)));
        broken.put(Check.SHARED_MEMORY, staging(new Function<>() {
            private final MemorySegment shared = Arena.ofAuto().allocate(1 << 16, 4096);

            @Override
            public MemorySegment apply(MemorySegment memory) {
                return shared.asSlice(0, memory.byteSize());
            }
        }));
        broken.put(Check.STAGING_NOT_SHARED, staging(MemorySegment::asReadOnly));
        broken.put(Check.SEGMENT_ELSEWHERE, buffer(real -> {
            MemorySegment elsewhere = Arena.ofAuto().allocate(real.byteSize(), 4096);
            return new Forwarding.OfBuffer(real) {
                @Override
                public Optional<MemorySegment> segment() {
                    return super.segment().map(_ -> elsewhere);
                }
            };
        }));
        broken.put(Check.CLOSED_BUFFER_ANSWERS, buffer(real -> {
            long size = real.byteSize();
            return new Forwarding.OfBuffer(real) {
                @Override
                public long byteSize() {
                    return size;
                }
            };
        }));
        broken.put(Check.SEGMENT_OUTLIVES_OWNER, buffer(real -> new Forwarding.OfBuffer(real) {
            @Override
            public Optional<MemorySegment> segment() {
                return super.segment().map(s -> RawMemory.view(s.address(), s.byteSize(), Arena.global()));
            }
        }));
    }

    private static void ofStreams(Map<Check, BackendProvider> broken) {
        broken.put(Check.MISUSE_ACCEPTED, copy(() -> {
        }));
        broken.put(Check.WRONG_REFUSAL, copy(() -> {
            throw new IllegalArgumentException("a bad range");
        }));
        broken.put(Check.UNDECLARED_EXCEPTION, copy(() -> {
            throw new ClassCastException("no buffer of mine");
        }));
        broken.put(Check.UNNAMED_BACKEND, copy(() -> {
            throw new BackendException("it failed", Where.nowhere());
        }));
        broken.put(Check.OBJECT_TWICE, backend(real -> {
            CopyStream one = real.openCopyStream();
            return new Forwarding.OfBackend(real) {
                @Override
                public CopyStream openCopyStream() {
                    return one;
                }
            };
        }));
        broken.put(Check.FENCE_WENT_BACK, fence(real -> new Forwarding.OfFence(real) {
            @Override
            public boolean isPassed() {
                return false;
            }
        }));
        broken.put(Check.FENCES_OUT_OF_ORDER, stream(real -> new Forwarding.OfStream(real) {
            private int fences;

            @Override
            public Fence fence() {
                boolean first = fences++ == 0;
                return new Forwarding.OfFence(super.fence()) {
                    @Override
                    public boolean isPassed() {
                        return !first;
                    }
                };
            }
        }));
        broken.put(Check.STREAM_CLOSED_EARLY, backend(real -> new Forwarding.OfBackend(real) {
            @Override
            public CopyStream openCopyStream() {
                return new Forwarding.OfStream(super.openCopyStream()) {
                    @Override
                    public Fence fence() {
                        return new Forwarding.OfFence(super.fence()) {
                            @Override
                            public boolean isPassed() {
                                return false;
                            }

                            @Override
                            public void await() {
                                throw new BackendException("given up", Where.backend("host"));
                            }
                        };
                    }
                };
            }
        }));
    }

    private static void ofFiles(Map<Check, BackendProvider> broken) {
        broken.put(Check.WRONG_COUNT, file(real -> new Forwarding.OfFile(real) {
            @Override
            public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
                super.read(fileOffset, target, targetOffset, bytes);
                return bytes;
            }
        }));
        broken.put(Check.BAD_SUPPORT, storage(real -> new Forwarding.OfStorage(real) {
            @Override
            public Support support(StorageFile file) {
                return Support.of(Mode.DIRECT, " ");
            }
        }));
        broken.put(Check.BAD_FILE_ALIGNMENT, file(real -> new Forwarding.OfFile(real) {
            @Override
            public long alignment() {
                return 0;
            }
        }));
    }
}
