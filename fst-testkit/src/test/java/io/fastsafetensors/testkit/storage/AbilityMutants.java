package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.DescriptorAccess;
import io.fastsafetensors.spi.storage.DirectReads;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.StorageFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/// Defects of what a file can do besides reading.
final class AbilityMutants {
    private AbilityMutants() {
    }

    static List<StorageMutant> all() {
        return List.of(
                StorageMutant.ofFile("Y-01", "an ability is missing", file -> new StorageForwarding.OfFile(file) {
                    @Override
                    public <A> Optional<A> ability(Class<A> type) {
                        return type == Mapping.class ? Optional.empty() : super.ability(type);
                    }
                }),
                StorageMutant.ofFile("Y-01", "an unknown ability is null", file -> new StorageForwarding.OfFile(file) {
                    @Override
                    @SuppressWarnings("NullAway")
                    public <A> Optional<A> ability(Class<A> type) {
                        Optional<A> ability = super.ability(type);
                        return ability.isPresent() ? ability : null;
                    }
                }), cache("Y-02", "cached bytes are whole pages", real -> new Cache(real) {
                    @Override
                    public long cachedBytes(long offset, long bytes) {
                        return (super.cachedBytes(offset, bytes) + 4095) / 4096 * 4096;
                    }
                }), cache("Y-03", "what is not in the cache is said to be copied", real -> new Cache(real) {
                    @Override
                    public long readCached(long offset, MemorySegment target, long targetOffset, long bytes) {
                        long count = super.readCached(offset, target, targetOffset, bytes);
                        return count == 0 ? bytes : count;
                    }
                }).besides("Y-10"),
                direct("Y-04", "the last direct read is said to be a full one", real -> new Direct(real) {
                    @Override
                    public long readDirect(long offset, MemorySegment target, long targetOffset, long bytes) {
                        long count = super.readDirect(offset, target, targetOffset, bytes);
                        return count > 0 && count % 4096 != 0 ? (count + 4095) / 4096 * 4096 : count;
                    }
                }).besides("Y-10"),
                direct("Y-04", "a storage that refuses says that it does not", real -> new Direct(real) {
                    @Override
                    public long readDirect(long offset, MemorySegment target, long targetOffset, long bytes) {
                        return REFUSED;
                    }
                }).besides("Y-08", "Y-09", "Y-10"),
                replacing("Y-05", "a mapping begins at the file's", Mapping.class,
                        real -> (_, bytes, arena) -> real.map(0, bytes, arena)),
                StorageMutant.ofFile("Y-06", "a mapping ends with its file", AbilityMutants::mappingItself),
                replacing("Y-06", "a mapping never ends", Mapping.class,
                        real -> (offset, bytes, _) -> real.map(offset, bytes, Arena.global())),
                replacing("Y-07", "the descriptor is closed", DescriptorAccess.class, _ -> () -> 1_000_000)
                        .besides("Y-08", "Y-09"),
                StorageMutant.ofFile("Y-08", "an ability opens the location again",
                        (storage, file) -> new StorageForwarding.OfFile(file) {
                            @Override
                            public <A> Optional<A> ability(Class<A> type) {
                                return storage.open(real.location()).ability(type);
                            }
                        }).besides("Y-09"),
                StorageMutant.ofFile("Y-09", "abilities go on after the file was closed", (storage, file) -> {
                    StorageFile other = storage.open(file.location());
                    return new StorageForwarding.OfFile(file) {
                        @Override
                        public <A> Optional<A> ability(Class<A> type) {
                            return other.ability(type);
                        }
                    };
                }), cache("Y-10", "the cached reads of one thread are lost", real -> new Cache(real) {
                    @Override
                    public long readCached(long offset, MemorySegment target, long targetOffset, long bytes) {
                        return Thread.currentThread().getName().equals("testkit-2") ? bytes
                                : super.readCached(offset, target, targetOffset, bytes);
                    }
                }));
    }

    private static StorageMutant cache(String rule, String defect, UnaryOperator<CacheResidency> broken) {
        return replacing(rule, defect, CacheResidency.class, broken);
    }

    private static StorageMutant direct(String rule, String defect, UnaryOperator<DirectReads> broken) {
        return replacing(rule, defect, DirectReads.class, broken);
    }

    private static <T> StorageMutant replacing(String rule, String defect, Class<T> ability, UnaryOperator<T> broken) {
        return StorageMutant.ofFile(rule, defect, file -> new StorageForwarding.OfFile(file) {
            @Override
            public <A> Optional<A> ability(Class<A> type) {
                return type == ability ? super.ability(ability).map(broken).map(type::cast) : super.ability(type);
            }
        });
    }

    // The file closes the arena.
    @SuppressWarnings("MustBeClosedChecker")
    private static StorageFile mappingItself(StorageFile file) {
        Arena own = Arena.ofShared();
        return new StorageForwarding.OfFile(file) {
            @Override
            public <A> Optional<A> ability(Class<A> type) {
                if (type != Mapping.class) {
                    return super.ability(type);
                }
                Mapping real = super.ability(Mapping.class).orElseThrow();
                Mapping mapping = (offset, bytes, _) -> real.map(offset, bytes, own);
                return Optional.of(type.cast(mapping));
            }

            @Override
            public synchronized void close() {
                super.close();
                if (own.scope().isAlive()) {
                    own.close();
                }
            }
        };
    }

    private static class Cache implements CacheResidency {
        private final CacheResidency real;

        Cache(CacheResidency real) {
            this.real = real;
        }

        @Override
        public long cachedBytes(long offset, long bytes) {
            return real.cachedBytes(offset, bytes);
        }

        @Override
        public long readCached(long offset, MemorySegment target, long targetOffset, long bytes) {
            return real.readCached(offset, target, targetOffset, bytes);
        }
    }

    private static class Direct implements DirectReads {
        private final DirectReads real;

        Direct(DirectReads real) {
            this.real = real;
        }

        @Override
        public boolean isDirect() {
            return real.isDirect();
        }

        @Override
        public long readDirect(long offset, MemorySegment target, long targetOffset, long bytes) {
            return real.readDirect(offset, target, targetOffset, bytes);
        }
    }
}
