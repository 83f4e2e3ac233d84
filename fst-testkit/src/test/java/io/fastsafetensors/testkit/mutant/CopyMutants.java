package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.testkit.host.HostProvider;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/// Defects of copies.
final class CopyMutants {
    private CopyMutants() {
    }

    static List<Mutant> all() {
        return List.of(
                toDevice("C-01", "the tail of an odd size stays behind",
                        (real, source, target, offset) -> real.copyToDevice(
                                source.byteSize() == 65_537 ? source.asSlice(0, 65_536) : source, target, offset)),
                toDevice("C-02", "a byte too many at odd offsets", (real, source, target, offset) -> {
                    real.copyToDevice(source, target, offset);
                    long end = offset + source.byteSize();
                    if (offset % 2 == 1 && source.byteSize() < 4300 && end < target.byteSize()) {
                        real.copyToDevice(source.asSlice(0, 1), target, end);
                    }
                }),
                Mutant.ofStream("C-03", "odd offsets are rounded down on the way back",
                        real -> new Forwarding.OfStream(real) {
                            @Override
                            public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
                                super.copyToHost(source, sourceOffset, target);
                                if (sourceOffset > 0 && sourceOffset % 2 == 1) {
                                    super.copyToHost(source, sourceOffset - 1, target);
                                }
                            }
                        }),
                Mutant.ofStream("C-04", "odd offsets are rounded down within the device",
                        real -> new Forwarding.OfStream(real) {
                            @Override
                            public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target,
                                    long targetOffset, long bytes) {
                                boolean odd = targetOffset > 0 && targetOffset % 2 == 1;
                                super.copy(source, sourceOffset, target, odd ? targetOffset - 1 : targetOffset, bytes);
                            }
                        }),
                Mutant.ofStream("C-10", "arrays are left as they were", real -> new Forwarding.OfStream(real) {
                    @Override
                    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
                        if (target.isNative()) {
                            super.copyToHost(source, sourceOffset, target);
                        }
                    }
                }), Mutant.ofStream("C-10", "memory of one thread is refused", real -> new Forwarding.OfStream(real) {
                    private final Thread worker = new Thread(() -> {
                    });

                    @Override
                    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
                        if (source.byteSize() == 44_444 && !source.isAccessibleBy(worker)) {
                            throw new WrongThreadException("copied by " + worker);
                        }
                        super.copyToDevice(source, target, targetOffset);
                    }
                }),
                toDevice("C-05", "zero bytes are refused", (real, source, target, offset) -> {
                    if (source.byteSize() == 0) {
                        throw new BackendException("invalid value", Where.backend("host"));
                    }
                    real.copyToDevice(source, target, offset);
                }), toDevice("C-06", "memory at odd addresses is refused", (real, source, target, offset) -> {
                    if (source.byteSize() == 33_333) {
                        throw new BackendException("misaligned", Where.backend("host"));
                    }
                    real.copyToDevice(source, target, offset);
                }),
                Mutant.ofStream("C-07", "read-only memory is refused", HostProvider.remote(),
                        stream -> new ToDevice(stream, (real, source, target, offset) -> {
                            if (source.isReadOnly()) {
                                throw new IllegalArgumentException("read-only");
                            }
                            real.copyToDevice(source, target, offset);
                        })),
                toDevice("C-08", "copies end after 32 MiB", (real, source, target, offset) -> real.copyToDevice(
                        source.byteSize() > 32 << 20 ? source.asSlice(0, 32 << 20) : source, target, offset)),
                Mutant.ofBackend("C-09", "read-only memory cannot be registered", CopyMutants::refusesReadOnly));
    }

    interface Copy {
        void run(CopyStream real, MemorySegment source, DeviceBuffer target, long offset);
    }

    /// A stream with another copy to the device.
    static final class ToDevice extends Forwarding.OfStream {
        private final Copy copy;

        ToDevice(CopyStream real, Copy copy) {
            super(real);
            this.copy = copy;
        }

        @Override
        public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
            copy.run(real, source, target, targetOffset);
        }
    }

    static Mutant toDevice(String rule, String defect, Copy copy) {
        return Mutant.ofStream(rule, defect, real -> new ToDevice(real, copy));
    }

    private static Backend refusesReadOnly(Backend real) {
        return new Forwarding.OfBackend(real) {
            @Override
            public Optional<HostRegistration> registerHost(MemorySegment memory, boolean readOnly) {
                if (readOnly) {
                    throw new BackendException("invalid value", Where.backend("host"));
                }
                return super.registerHost(memory, false);
            }
        };
    }
}
