package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.storage.DescriptorAccess;
import io.fastsafetensors.spi.storage.StorageFile;
import java.util.List;

/// Defects of direct storage.
final class DirectMutants {
    private DirectMutants() {
    }

    static List<Mutant> all() {
        return List.of(reading("D-01", "the unaligned tail is not read", (real, from, target, to, bytes) -> {
            long tail = bytes > 1 << 20 ? bytes % 512 : 0;
            return real.read(from, target, to, bytes - tail) + tail;
        }), reading("D-02", "odd places are rounded down", (real, from, target, to, bytes) -> {
            long read = real.read(from, target, to, bytes);
            if (to % 2 == 1 && bytes < 5000) {
                real.read(from, target, to - 1, bytes);
            }
            return read;
        }), reading("D-03", "every read is said to be full", (real, from, target, to, bytes) -> {
            real.read(from, target, to, bytes);
            return bytes;
        }), Mutant.ofStorage("D-04", "support throws for a file without a descriptor",
                real -> new Forwarding.OfStorage(real) {
                    @Override
                    public Support support(StorageFile file) {
                        if (file.ability(DescriptorAccess.class).isEmpty()) {
                            throw new BackendException("no descriptor", file.location().where());
                        }
                        return super.support(file);
                    }
                }), Mutant.ofStorage("D-05", "the exception does not name the file",
                        real -> new Forwarding.OfStorage(real) {
                            @Override
                            public DirectFile open(StorageFile file) {
                                if (file.ability(DescriptorAccess.class).isEmpty()) {
                                    throw new BackendException("status 5001", Where.backend("host"));
                                }
                                return super.open(file);
                            }
                        }),
                Mutant.ofFile("D-06", "a closed file reads nothing", real -> new Forwarding.OfFile(real) {
                    private boolean closed;

                    @Override
                    public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
                        return closed ? 0 : super.read(fileOffset, target, targetOffset, bytes);
                    }

                    @Override
                    public void close() {
                        closed = true;
                        super.close();
                    }
                }), reading("D-07", "a read is cut to its target",
                        (real, from, target, to, bytes) -> real.read(from, target, to,
                                Math.min(bytes, target.byteSize() - to))),
                reading("D-08", "the reads of one thread are lost",
                        (real, from, target, to, bytes) -> Thread.currentThread().getName().equals("testkit-2") ? bytes
                                : real.read(from, target, to, bytes)));
    }

    private interface Read {
        long run(DirectFile real, long from, DeviceBuffer target, long to, long bytes);
    }

    private static Mutant reading(String rule, String defect, Read read) {
        return Mutant.ofFile(rule, defect, real -> new Forwarding.OfFile(real) {
            @Override
            public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
                return read.run(real, fileOffset, target, targetOffset, bytes);
            }
        });
    }
}
