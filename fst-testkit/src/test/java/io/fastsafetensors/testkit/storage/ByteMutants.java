package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.StorageFile;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/// Defects of lengths and reads.
final class ByteMutants {
    private ByteMutants() {
    }

    static List<StorageMutant> all() {
        return List.of(
                StorageMutant.ofFile("B-01", "a length is rounded up", file -> new StorageForwarding.OfFile(file) {
                    @Override
                    public long length() {
                        return super.length() == 511 ? 512 : super.length();
                    }
                }),
                StorageMutant.ofRead("B-02", "a short read is said to be a full one",
                        (real, offset, target, targetOffset, bytes) -> {
                            long count = real.read(offset, target, targetOffset, bytes);
                            return count == 0 ? 0 : Math.min(bytes, real.length() - offset);
                        }).amongOthers(),
                StorageMutant.ofRead("B-02", "after a short read some bytes are lost",
                        (real, offset, target, targetOffset, bytes) -> {
                            boolean next = offset > 0 && offset % 50_000 == 0 && offset < real.length();
                            return real.read(next ? offset + 1 : offset, target, targetOffset, bytes);
                        }).amongOthers(),
                StorageMutant.ofRead("B-03", "odd offsets are rounded down",
                        (real, offset, target, targetOffset, bytes) -> real.read(
                                bytes > 100 && targetOffset > 100 && offset < real.length() ? offset / 2 * 2 : offset,
                                target, targetOffset, bytes)),
                StorageMutant.ofRead("B-03", "a read writes before its target",
                        (real, offset, target, targetOffset, bytes) -> {
                            if (targetOffset > 0 && bytes > 6000) {
                                target.set(ValueLayout.JAVA_BYTE, targetOffset - 1, (byte) 0);
                            }
                            return real.read(offset, target, targetOffset, bytes);
                        }).amongOthers(),
                StorageMutant.ofRead("B-03", "a read writes behind its target",
                        (real, offset, target, targetOffset, bytes) -> {
                            if (targetOffset + bytes < target.byteSize()) {
                                target.set(ValueLayout.JAVA_BYTE, targetOffset + bytes, (byte) 0);
                            }
                            return real.read(offset, target, targetOffset, bytes);
                        }).amongOthers(),
                StorageMutant.ofFile("B-03", "some reads bring nothing", file -> {
                    AtomicInteger reads = new AtomicInteger();
                    return StorageMutant.reading(file,
                            (real, offset, target, targetOffset, bytes) -> reads.incrementAndGet() % 7 == 0 ? 0
                                    : real.read(offset, target, targetOffset, bytes));
                }).amongOthers(),
                StorageMutant.ofRead("B-04", "a range of one byte is empty",
                        (real, offset, target, targetOffset, bytes) -> bytes == 1 ? 0
                                : real.read(offset, target, targetOffset, bytes))
                        .besides("B-03", "H-05", "V-14"),
                StorageMutant.ofRead("B-05", "a range over the end is refused",
                        (real, offset, target, targetOffset, bytes) -> {
                            if (offset < real.length() && offset + bytes > real.length()) {
                                throw new StorageException("no such range", real.location().where());
                            }
                            return real.read(offset, target, targetOffset, bytes);
                        }).besides("B-08"),
                StorageMutant.ofRead("B-05", "a read over the end is said to be a full one",
                        (real, offset, target, targetOffset, bytes) -> {
                            long count = real.read(offset, target, targetOffset, bytes);
                            return count > 0 && offset + count == real.length() ? bytes : count;
                        }).besides("B-08", "V-11", "V-12"),
                StorageMutant.ofRead("B-06", "a range past the end is refused",
                        (real, offset, target, targetOffset, bytes) -> {
                            if (offset > real.length()) {
                                throw new StorageException("status 416", real.location().where());
                            }
                            return real.read(offset, target, targetOffset, bytes);
                        }),
                StorageMutant.ofRead("B-06", "the end is −1", (real, offset, target, targetOffset, bytes) -> {
                    long count = real.read(offset, target, targetOffset, bytes);
                    return count == 0 ? -1 : count;
                }).besides("B-07", "B-08"),
                StorageMutant.ofRead("B-07", "an empty file cannot be read",
                        (real, offset, target, targetOffset, bytes) -> {
                            if (real.length() == 0) {
                                throw new StorageException("status 416", real.location().where());
                            }
                            return real.read(offset, target, targetOffset, bytes);
                        }),
                StorageMutant.ofRead("B-08", "offsets have 32 bits",
                        (real, offset, target, targetOffset, bytes) -> real.read(offset & 0xFFFF_FFFFL, target,
                                targetOffset, bytes))
                        .besides("B-06"),
                StorageMutant.ofRead("B-08", "offsets have 31 bits",
                        (real, offset, target, targetOffset, bytes) -> real.read(offset & 0x7FFF_FFFFL, target,
                                targetOffset, bytes))
                        .besides("B-06"),
                StorageMutant.ofFile("B-08", "lengths have 32 bits", file -> new StorageForwarding.OfFile(file) {
                    @Override
                    public long length() {
                        return super.length() & 0xFFFF_FFFFL;
                    }
                }),
                StorageMutant.ofRead("B-09", "places in the target have 32 bits",
                        (real, offset, target, targetOffset, bytes) -> real.read(offset, target,
                                targetOffset & 0xFFFF_FFFFL, bytes)),
                preferring("a negative preference", _ -> -1, StorageFile::storageName),
                preferring("a storage without a name", _ -> 0, _ -> " "));
    }

    private static StorageMutant preferring(String defect, Function<StorageFile, Integer> bytes,
            Function<StorageFile, String> name) {
        return StorageMutant.ofFile("B-10", defect, file -> new StorageForwarding.OfFile(file) {
            @Override
            public int preferredReadBytes() {
                return bytes.apply(real);
            }

            @Override
            public String storageName() {
                return name.apply(real);
            }
        });
    }
}
