package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;

/// Defects of identities and of what becomes of a file that changes.
final class VersionMutants {
    private static final AtomicInteger OPENED = new AtomicInteger();

    private VersionMutants() {
    }

    static List<StorageMutant> all() {
        return List.of(identified("V-01", "each open file has its own identity", _ -> OPENED.incrementAndGet()),
                identified("V-02", "an identity is name and length",
                        file -> file.location() + " " + file.length()).besides("V-03"),
                identified("V-03", "an identity is inode and length", file -> inode(file) + " " + file.length()),
                identified("V-04", "an identity is a digest of a part",
                        file -> inode(file) + " " + digest(file, 20_000)),
                identified("V-05", "an identity is a digest of the beginning",
                        file -> inode(file) + " " + digest(file, 1000)).besides("V-04"),
                StorageMutant.ofFile("V-06", "an identity has the time in it",
                        file -> new StorageForwarding.OfFile(file) {
                            @Override
                            public FileIdentity currentIdentity() {
                                return FileIdentity.of(super.identity() + " " + OPENED.incrementAndGet());
                            }
                        }),
                current("V-06", "no file is current", (_, _) -> false).besides("V-08", "V-09"),
                StorageMutant.ofFile("V-07", "a length is asked for each time",
                        (storage, file) -> new StorageForwarding.OfFile(file) {
                            @Override
                            public long length() {
                                return lengthNow(storage, real);
                            }
                        }).besides("V-13", "V-14"),
                current("V-08", "every file is current", (_, _) -> true),
                current("V-09", "a deleted file is not current",
                        (storage, file) -> storage.kind(file.location()) != Storage.Kind.ABSENT && file.isCurrent()),
                StorageMutant.ofFile("V-10", "each read opens the location again",
                        (storage, file) -> StorageMutant.reading(file, (real, offset, target, targetOffset, bytes) -> {
                            real.read(0, target, targetOffset, 1);
                            try (StorageFile now = storage.open(real.location())) {
                                return now.read(offset, target, targetOffset, bytes);
                            }
                        })).besides("B-05", "B-06", "V-14"),
                told("V-11", "what is written into a file is not seen", (_, _) -> false).besides("V-12"),
                told("V-12", "a file that was cut off is not seen",
                        (storage, file) -> lengthNow(storage, file) >= file.length()),
                told("V-13", "a file that grew is not seen",
                        (storage, file) -> lengthNow(storage, file) <= file.length()),
                StorageMutant.ofStorage("V-14", "the length is asked for before the file is opened",
                        storage -> new StorageForwarding.OfStorage(storage) {
                            @Override
                            public StorageFile open(Location file) {
                                long length;
                                try (StorageFile before = super.open(file)) {
                                    length = before.length();
                                }
                                LockSupport.parkNanos(200_000);
                                return new StorageForwarding.OfFile(super.open(file)) {
                                    @Override
                                    public long length() {
                                        return length;
                                    }
                                };
                            }
                        }));
    }

    /// Files with another identity, which still tell when they change.
    private static StorageMutant identified(String rule, String defect, Function<StorageFile, Object> text) {
        return StorageMutant.ofFile(rule, defect, file -> {
            FileIdentity identity = FileIdentity.of(text.apply(file).toString());
            return new StorageForwarding.OfFile(file) {
                @Override
                public FileIdentity identity() {
                    return identity;
                }

                @Override
                public FileIdentity currentIdentity() {
                    return super.currentIdentity().equals(super.identity()) ? identity : FileIdentity.of("changed");
                }
            };
        });
    }

    private interface Judgement {
        boolean of(Storage storage, StorageFile file);
    }

    private static StorageMutant current(String rule, String defect, Judgement isCurrent) {
        return StorageMutant.ofFile(rule, defect, (storage, file) -> new StorageForwarding.OfFile(file) {
            @Override
            public boolean isCurrent() {
                return isCurrent.of(storage, real);
            }
        });
    }

    /// Files that tell some changes only.
    private static StorageMutant told(String rule, String defect, Judgement isTold) {
        return StorageMutant.ofFile(rule, defect, (storage, file) -> new StorageForwarding.OfFile(file) {
            @Override
            public FileIdentity currentIdentity() {
                return isTold.of(storage, real) ? super.currentIdentity() : super.identity();
            }

            @Override
            public boolean isCurrent() {
                return super.isCurrent() || (rule.equals("V-13") && !isTold.of(storage, real));
            }
        });
    }

    private static long lengthNow(Storage storage, StorageFile file) {
        if (storage.kind(file.location()) != Storage.Kind.FILE) {
            return file.length();
        }
        try (StorageFile now = storage.open(file.location())) {
            return now.length();
        }
    }

    private static String inode(StorageFile file) {
        String identity = file.identity().toString();
        return identity.substring(0, identity.indexOf('.'));
    }

    private static int digest(StorageFile file, int most) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = arena.allocate(most);
            long count = file.read(0, memory, 0, most);
            return Arrays.hashCode(memory.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE));
        }
    }
}
