package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Defects of errors, and secrets that are told.
final class StorageFailureMutants {
    private StorageFailureMutants() {
    }

    static List<StorageMutant> all() {
        return List.of(
                absent("X-01", "what is not there is an error of Java's", file -> {
                    throw new UncheckedIOException(new IOException("no such file: " + file));
                }).besides("H-11", "X-07", "X-08"),
                absent("X-01", "what is not there is null", _ -> null).besides("H-11", "X-07", "X-08"),
                absent("X-01", "the exception does not name what is not there", _ -> {
                    throw new StorageException("status 404", Where.nowhere());
                }),
                opening("X-02", "a directory is an empty file", Storage.Kind.DIRECTORY).besides("H-11"),
                opening("X-03", "a pipe is an empty file", Storage.Kind.OTHER),
                StorageMutant.ofFile("X-04", "a deleted file ends at once",
                        (storage, file) -> StorageMutant.reading(file,
                                (real, offset, target, targetOffset, bytes) -> isDeleted(storage, real) ? 0
                                        : real.read(offset, target, targetOffset, bytes))),
                StorageMutant.ofFile("X-04", "a deleted file is zeros",
                        (storage, file) -> StorageMutant.reading(file, (real, offset, target, targetOffset, bytes) -> {
                            long count = real.read(offset, target, targetOffset, bytes);
                            if (isDeleted(storage, real)) {
                                target.asSlice(targetOffset, count).fill((byte) 0);
                            }
                            return count;
                        })),
                failing("X-05", "what cannot be read is zeros", (_, bytes, _) -> bytes).besides("X-06"),
                failing("X-05", "what cannot be read is the end", (_, _, _) -> 0).besides("X-06"),
                failing("X-05", "what cannot be read is an error of Java's", (_, _, e) -> {
                    throw new UncheckedIOException(new IOException(e.getMessage()));
                }).besides("X-06"),
                failing("X-05", "an error has no offset", (real, _, e) -> {
                    throw new StorageException("connection lost", real.location().where(), e);
                }), failing("X-05", "an error does not name its file", (_, _, e) -> {
                    throw new StorageException("connection lost",
                            Where.nowhere().withOffset(String.valueOf(e.where().offset()).length()));
                }), failing("X-06", "a failed read leaves a descriptor", (_, _, e) -> {
                    Handle.forget();
                    throw e;
                }), absent("X-07", "a message has the whole address", file -> {
                    throw new StorageException("no such file: " + file.address(), file.where());
                }), absent("X-07", "a cause has the whole address", file -> {
                    throw new StorageException("no such file", file.where(), new IOException("GET " + file.address()));
                }), StorageMutant.ofFile("X-07", "a file's text has the whole address",
                        file -> new StorageForwarding.OfFile(file) {
                            @Override
                            public String toString() {
                                return "file " + real.location().address();
                            }
                        }),
                StorageMutant.of("X-08", "a storage's text has its options",
                        memory -> new StorageForwarding.OfProvider(memory) {
                            @Override
                            public Storage open(StorageOptions options) {
                                return new StorageForwarding.OfStorage(super.open(options)) {
                                    @Override
                                    public String toString() {
                                        return "storage with token " + options.property("token");
                                    }
                                };
                            }
                        }));
    }

    private static boolean isDeleted(Storage storage, StorageFile file) {
        return storage.kind(file.location()) == Storage.Kind.ABSENT;
    }

    private static StorageMutant absent(String rule, String defect, Function<Location, @Nullable StorageFile> instead) {
        return StorageMutant.ofStorage(rule, defect, storage -> new StorageForwarding.OfStorage(storage) {
            @Override
            @SuppressWarnings("NullAway")
            public StorageFile open(Location file) {
                return real.kind(file) == Kind.ABSENT ? instead.apply(file) : super.open(file);
            }
        });
    }

    private static StorageMutant opening(String rule, String defect, Storage.Kind kind) {
        MemoryProvider memory = MemoryProvider.full();
        return StorageMutant.of(rule, defect, memory,
                provider -> StorageMutant.storages(provider, storage -> new StorageForwarding.OfStorage(storage) {
                    @Override
                    public StorageFile open(Location file) {
                        return real.kind(file) == kind
                                ? new MemoryFile(memory.store, file, memory.store.get(file))
                                : super.open(file);
                    }
                }));
    }

    private interface Answer {
        long to(StorageFile real, long bytes, StorageException failure);
    }

    private static StorageMutant failing(String rule, String defect, Answer answer) {
        return StorageMutant.ofRead(rule, defect, (real, offset, target, targetOffset, bytes) -> {
            try {
                return real.read(offset, target, targetOffset, bytes);
            } catch (StorageException e) {
                return answer.to(real, bytes, e);
            }
        });
    }
}
