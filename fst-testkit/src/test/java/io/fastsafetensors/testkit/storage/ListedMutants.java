package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.DirectReads;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;

/// Defects that were listed from the contracts of storages before the rules were read.
final class ListedMutants {
    private ListedMutants() {
    }

    static List<StorageMutant> all() {
        List<StorageMutant> all = new ArrayList<>();
        all.addAll(bytes());
        all.addAll(files());
        all.addAll(places());
        all.addAll(abilities());
        return all.stream().map(StorageMutant::amongOthers).toList();
    }

    private static String first(String what) {
        return "independent: " + what;
    }

    private static StorageMutant read(String rule, String defect, StorageMutant.Read read) {
        return StorageMutant.ofRead(rule, first(defect), read);
    }

    private static List<StorageMutant> bytes() {
        return List.of(
                read("B-08", "offsets are cut to 32 bits", (real, offset, target, at, bytes) -> real
                        .read(offset & 0xFFFF_FFFFL, target, at, bytes)),
                read("B-02", "a read in the middle brings nothing", new StorageMutant.Read() {
                    private final AtomicInteger calls = new AtomicInteger();

                    @Override
                    public long run(StorageFile real, long offset, MemorySegment target, long at, long bytes) {
                        return offset > 0 && calls.incrementAndGet() % 5 == 0 ? 0
                                : real.read(offset, target, at, bytes);
                    }
                }), read("B-06", "reads past the end fail", (real, offset, target, at, bytes) -> {
                    if (offset >= real.length()) {
                        throw new StorageException("past the end", real.location().where().withOffset(offset));
                    }
                    return real.read(offset, target, at, bytes);
                }), read("B-06", "reads past the end give -1", (real, offset, target, at,
                        bytes) -> offset >= real.length() ? -1 : real.read(offset, target, at, bytes)),
                read("B-03", "a read writes past the bytes asked for", (real, offset, target, at, bytes) -> {
                    long read = real.read(offset, target, at, bytes);
                    if (read == bytes && at + bytes < target.byteSize()) {
                        target.asSlice(at + bytes, 1).fill((byte) 0);
                    }
                    return read;
                }), read("B-03", "the offset in the target is ignored",
                        (real, offset, target, at, bytes) -> real.read(offset, target, 0, bytes)),
                read("B-02", "the last byte of a file is lost", (real, offset, target, at,
                        bytes) -> real.read(offset, target, at,
                                Math.max(0, Math.min(bytes, real.length() - 1 - offset)))),
                read("B-03", "more bytes are reported than were read", (real, offset, target, at,
                        bytes) -> offset < real.length() ? bytes : real.read(offset, target, at, bytes)),
                read("X-05", "a failed read gives zeros", (real, offset, target, at, bytes) -> {
                    try {
                        return real.read(offset, target, at, bytes);
                    } catch (StorageException _) {
                        target.asSlice(at, bytes).fill((byte) 0);
                        return bytes;
                    }
                }), read("X-05", "a failed read is the end of the file", (real, offset, target, at, bytes) -> {
                    try {
                        return real.read(offset, target, at, bytes);
                    } catch (StorageException _) {
                        return 0;
                    }
                }), read("X-05", "a failed read is a RuntimeException", (real, offset, target, at, bytes) -> {
                    try {
                        return real.read(offset, target, at, bytes);
                    } catch (StorageException e) {
                        throw new IllegalArgumentException(e.getMessage());
                    }
                }), read("B-02", "bytes after 100,000 are wrong", (real, offset, target, at, bytes) -> {
                    long read = real.read(offset, target, at, bytes);
                    if (offset > 100_000 && read > 0) {
                        target.asSlice(at, 1).fill((byte) 0x33);
                    }
                    return read;
                }), read("B-03", "offsets are rounded down to pages", (real, offset, target, at, bytes) -> real
                        .read(offset & ~4095L, target, at, bytes)),
                read("H-08", "a read clears the interrupt", (real, offset, target, at, bytes) -> {
                    Thread.interrupted();
                    return real.read(offset, target, at, bytes);
                }), StorageMutant.ofFile("H-05", first("threads share the position of a file"), file -> {
                    long[] position = {0};
                    return StorageMutant.reading(file, (real, offset, target, at, bytes) -> {
                        position[0] = offset;
                        Thread.yield();
                        return real.read(position[0], target, at, bytes);
                    });
                }));
    }

    private static StorageMutant file(String rule, String defect, UnaryOperator<StorageFile> broken) {
        return StorageMutant.ofFile(rule, first(defect), broken);
    }

    private static List<StorageMutant> files() {
        AtomicLong numbers = new AtomicLong();
        return List.of(file("B-08", "the length is cut to 32 bits", real -> new StorageForwarding.OfFile(real) {
            @Override
            public long length() {
                return super.length() & 0xFFFF_FFFFL;
            }
        }), file("V-02", "all versions have one identity", real -> new StorageForwarding.OfFile(real) {
            @Override
            public FileIdentity identity() {
                return FileIdentity.of("same");
            }

            @Override
            public FileIdentity currentIdentity() {
                return identity();
            }
        }), file("V-01", "each opening has an identity of its own", real -> new StorageForwarding.OfFile(real) {
            private final long number = numbers.incrementAndGet();

            @Override
            public FileIdentity identity() {
                return FileIdentity.of(super.identity() + "/" + number);
            }

            @Override
            public FileIdentity currentIdentity() {
                return FileIdentity.of(super.currentIdentity() + "/" + number);
            }
        }), file("V-02", "an identity is the length", real -> new StorageForwarding.OfFile(real) {
            @Override
            public FileIdentity identity() {
                return FileIdentity.of("" + length());
            }

            @Override
            public FileIdentity currentIdentity() {
                return identity();
            }
        }), file("V-08", "a replaced file is current", real -> new StorageForwarding.OfFile(real) {
            @Override
            public boolean isCurrent() {
                return true;
            }
        }), file("V-06", "no file is current", real -> new StorageForwarding.OfFile(real) {
            @Override
            public boolean isCurrent() {
                return false;
            }
        }), file("V-11", "the current identity is that of the opening", real -> new StorageForwarding.OfFile(real) {
            @Override
            public FileIdentity currentIdentity() {
                return identity();
            }
        }), file("V-11", "the current identity of another version fails", real -> new StorageForwarding.OfFile(real) {
            @Override
            public FileIdentity currentIdentity() {
                if (!super.currentIdentity().equals(identity())) {
                    throw new IllegalStateException("changed");
                }
                return identity();
            }
        }), file("H-03", "a closed file reads on", real -> new StorageForwarding.OfFile(real) {
            @Override
            public void close() {
                // Later.
            }
        }), file("H-02", "the second close fails", real -> new StorageForwarding.OfFile(real) {
            private boolean closed;

            @Override
            public void close() {
                if (closed) {
                    throw new IllegalStateException("closed");
                }
                closed = true;
                super.close();
            }
        }), file("H-03", "the length is gone after the close", real -> new StorageForwarding.OfFile(real) {
            private boolean closed;

            @Override
            public long length() {
                if (closed) {
                    throw new IllegalStateException("closed");
                }
                return super.length();
            }

            @Override
            public void close() {
                closed = true;
                super.close();
            }
        }), file("H-03", "the location is gone after the close", real -> new StorageForwarding.OfFile(real) {
            private boolean closed;

            @Override
            public Location location() {
                if (closed) {
                    throw new IllegalStateException("closed");
                }
                return super.location();
            }

            @Override
            public void close() {
                closed = true;
                super.close();
            }
        }), file("H-01", "the location is the parent's", real -> new StorageForwarding.OfFile(real) {
            @Override
            public Location location() {
                return super.location().parent().orElseThrow();
            }
        }), file("B-10", "the kind of storage has no name", real -> new StorageForwarding.OfFile(real) {
            @Override
            public String storageName() {
                return " ";
            }
        }), file("H-09", "a descriptor stays", real -> {
            Handle.forget();
            return real;
        }), StorageMutant.of("H-04", first("two files of one location close together"), memory -> {
            Map<Location, AtomicInteger> closed = new ConcurrentHashMap<>();
            return StorageMutant.storages(memory, storage -> new StorageForwarding.OfStorage(storage) {
                @Override
                public StorageFile open(Location location) {
                    AtomicInteger closes = closed.computeIfAbsent(location, _ -> new AtomicInteger());
                    int before = closes.get();
                    return new StorageForwarding.OfFile(super.open(location)) {
                        @Override
                        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
                            if (closes.get() != before) {
                                throw new IllegalStateException("closed");
                            }
                            return super.read(offset, target, targetOffset, bytes);
                        }

                        @Override
                        public void close() {
                            closes.incrementAndGet();
                            super.close();
                        }
                    };
                }
            });
        }), file("B-10", "preferred reads are negative", real -> new StorageForwarding.OfFile(real) {
            @Override
            public int preferredReadBytes() {
                return -1;
            }
        }));
    }

    private static StorageMutant storage(String rule, String defect, UnaryOperator<Storage> broken) {
        return StorageMutant.ofStorage(rule, first(defect), broken);
    }

    private static StorageMutant opening(String rule, String defect, UnaryOperator<RuntimeException> instead) {
        return storage(rule, defect, real -> new StorageForwarding.OfStorage(real) {
            @Override
            public StorageFile open(Location file) {
                try {
                    return super.open(file);
                } catch (StorageException e) {
                    throw instead.apply(e);
                }
            }
        });
    }

    private static StorageMutant provider(String rule, String defect, UnaryOperator<StorageProvider> broken) {
        return StorageMutant.of(rule, first(defect), broken::apply);
    }

    private static List<StorageMutant> places() {
        return List.of(opening("X-01", "what is missing is an IllegalArgumentException",
                e -> new IllegalArgumentException(e.getMessage())),
                opening("X-01", "what is missing is not named", _ -> new StorageException("404", Where.nowhere())),
                opening("X-01", "what is missing has no message",
                        e -> new StorageException("", ((StorageException) e).where())),
                storage("X-01", "what is missing is an empty file", real -> new StorageForwarding.OfStorage(real) {
                    @Override
                    public StorageFile open(Location file) {
                        return real.kind(file) == Kind.ABSENT
                                ? new MemoryFile(new MemoryStore(), file, new MemoryStore.Node(Kind.FILE,
                                        MemoryStore.Content.of(new byte[0])))
                                : super.open(file);
                    }
                }), storage("S-05", "nothing is a file", real -> new StorageForwarding.OfStorage(real) {
                    @Override
                    public Kind kind(Location location) {
                        Kind kind = super.kind(location);
                        return kind == Kind.ABSENT ? Kind.FILE : kind;
                    }
                }), storage("S-05", "a file is a directory", real -> new StorageForwarding.OfStorage(real) {
                    @Override
                    public Kind kind(Location location) {
                        Kind kind = super.kind(location);
                        return kind == Kind.FILE ? Kind.DIRECTORY : kind;
                    }
                }), storage("S-09", "a list leaves out the first entry", real -> new StorageForwarding.OfStorage(real) {
                    @Override
                    public List<StorageEntry> list(Location directory) {
                        List<StorageEntry> all = super.list(directory);
                        return all.isEmpty() ? all : all.subList(1, all.size());
                    }
                }),
                storage("S-09", "entries have the directory's location", real -> new StorageForwarding.OfStorage(real) {
                    @Override
                    public List<StorageEntry> list(Location directory) {
                        return super.list(directory).stream().map(e -> StorageEntry.of(directory, e.kind())).toList();
                    }
                }), storage("S-09", "a list has the directory itself", real -> new StorageForwarding.OfStorage(real) {
                    @Override
                    public List<StorageEntry> list(Location directory) {
                        List<StorageEntry> all = new ArrayList<>(super.list(directory));
                        all.add(StorageEntry.of(directory, Kind.DIRECTORY));
                        return all;
                    }
                }), storage("S-10", "a list of nothing is empty", real -> new StorageForwarding.OfStorage(real) {
                    @Override
                    public List<StorageEntry> list(Location directory) {
                        return real.kind(directory) == Kind.ABSENT ? List.of() : super.list(directory);
                    }
                }),
                storage("H-02", "the second close of a storage fails", real -> new StorageForwarding.OfStorage(real) {
                    private boolean closed;

                    @Override
                    public void close() {
                        if (closed) {
                            throw new IllegalStateException("closed");
                        }
                        closed = true;
                        super.close();
                    }
                }), provider("S-01", "schemes are in capitals", memory -> new StorageForwarding.OfProvider(memory) {
                    @Override
                    public Set<String> schemes() {
                        return Set.of("MEM");
                    }
                }), provider("S-01", "there are no schemes", memory -> new StorageForwarding.OfProvider(memory) {
                    @Override
                    public Set<String> schemes() {
                        return Set.of();
                    }
                }), provider("S-01", "it takes the scheme of local files",
                        memory -> new StorageForwarding.OfProvider(memory) {
                            @Override
                            public Set<String> schemes() {
                                return Set.of("mem", "file");
                            }
                        }),
                provider("S-01", "it is made for an SPI of the future",
                        memory -> new StorageForwarding.OfProvider(memory) {
                            @Override
                            public int spiVersion() {
                                return 99;
                            }
                        }),
                provider("S-02", "opening prints", memory -> new StorageForwarding.OfProvider(memory) {
                    @Override
                    public Storage open(StorageOptions options) {
                        System.out.println("acme storage");
                        return super.open(options);
                    }
                }), storage("S-13", "a pin fails for what is missing", real -> new StorageForwarding.OfStorage(real) {
                    @Override
                    public Location pin(Location location) {
                        return super.pin(location).resolve("pinned");
                    }
                }));
    }

    /// Files with other abilities than the storage's.
    private static <A> StorageMutant ability(String rule, String defect, Class<A> type, UnaryOperator<A> broken) {
        return file(rule, defect, real -> new StorageForwarding.OfFile(real) {
            @Override
            public <B> Optional<B> ability(Class<B> wanted) {
                Optional<B> found = super.ability(wanted);
                return wanted == type ? found.map(ability -> wanted.cast(broken.apply(type.cast(ability)))) : found;
            }
        });
    }

    private static List<StorageMutant> abilities() {
        return List.of(ability("Y-05", "a mapping starts at the file's begin", Mapping.class,
                real -> (offset, bytes, arena) -> real.map(0, bytes, arena)),
                ability("Y-06", "a mapping is of another arena", Mapping.class,
                        real -> (offset, bytes, _) -> real.map(offset, bytes, Arena.ofAuto())),
                ability("Y-02", "more bytes are cached than there are", CacheResidency.class,
                        real -> residency(real, 1, 0)),
                ability("Y-03", "cached reads are of the next page", CacheResidency.class,
                        real -> residency(real, 0, 8192)),
                ability("Y-04", "direct reads are of the file's begin", DirectReads.class, real -> new DirectReads() {
                    @Override
                    public boolean isDirect() {
                        return real.isDirect();
                    }

                    @Override
                    public long readDirect(long offset, MemorySegment target, long targetOffset, long bytes) {
                        return real.readDirect(0, target, targetOffset, bytes);
                    }
                }), file("Y-01", "a claimed ability is missing", real -> new StorageForwarding.OfFile(real) {
                    @Override
                    public <B> Optional<B> ability(Class<B> wanted) {
                        return wanted == Mapping.class ? Optional.empty() : super.ability(wanted);
                    }
                }));
    }

    private static CacheResidency residency(CacheResidency real, long more, long further) {
        return new CacheResidency() {
            @Override
            public long cachedBytes(long offset, long bytes) {
                return more > 0 ? bytes + more : real.cachedBytes(offset, bytes);
            }

            @Override
            public long readCached(long offset, MemorySegment target, long targetOffset, long bytes) {
                return real.readCached(offset + further, target, targetOffset, bytes);
            }
        };
    }
}
