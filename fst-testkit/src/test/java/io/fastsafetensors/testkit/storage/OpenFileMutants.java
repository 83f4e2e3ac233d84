package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;

/// Defects of closing, of threads and of what is left.
final class OpenFileMutants {
    private static final CountDownLatch NEVER = new CountDownLatch(1);

    private OpenFileMutants() {
    }

    static List<StorageMutant> all() {
        return List.of(
                StorageMutant.ofFile("H-01", "a location is another one", file -> new StorageForwarding.OfFile(file) {
                    @Override
                    public Location location() {
                        return Location.of(super.location().address() + "?");
                    }
                }).besides("H-03"),
                StorageMutant.ofFile("H-02", "closing a file twice fails", OpenFileMutants::closedOnce)
                        .besides("H-04", "H-07", "Y-06", "Y-09"),
                StorageMutant.ofStorage("H-02", "closing a storage twice fails", storage -> {
                    AtomicBoolean closed = new AtomicBoolean();
                    return PlaceMutants.closing(storage, () -> checkOnce(closed));
                }), StorageMutant.ofFile("H-03", "a closed file is at its end", file -> closed(file, false)),
                StorageMutant.ofFile("H-03", "a closed file reads on", file -> closed(file, true)).besides("Y-09"),
                StorageMutant.ofStorage("H-04", "a location is opened once for all", OpenFileMutants::sharing)
                        .amongOthers(),
                StorageMutant.ofFile("H-05", "threads share a position", Positioned::new).besides("H-09", "Y-10"),
                StorageMutant.ofRead("H-05", "the reads of one thread are lost",
                        (real, offset, target, targetOffset, bytes) -> lost() ? bytes
                                : real.read(offset, target, targetOffset, bytes))
                        .besides("H-06", "V-14", "Y-10"),
                StorageMutant.ofStorage("H-06", "threads share the request", Requesting::new),
                StorageMutant.ofStorage("H-07", "threads that close at once close the next file", Slots::new),
                StorageMutant.ofRead("H-08", "an interrupt closes the file",
                        (real, offset, target, targetOffset, bytes) -> {
                            if (Thread.currentThread().isInterrupted()) {
                                real.close();
                                throw new StorageException("interrupted", real.location().where());
                            }
                            return real.read(offset, target, targetOffset, bytes);
                        }),
                StorageMutant.ofRead("H-08", "an interrupt is swallowed",
                        (real, offset, target, targetOffset, bytes) -> Thread.interrupted()
                                ? real.read(offset, target, targetOffset, bytes)
                                : real.read(offset, target, targetOffset, bytes)),
                StorageMutant.ofStorage("H-09", "a descriptor is left",
                        storage -> whenUsed(storage, Handle::forget)).besides("X-06"),
                StorageMutant.ofStorage("H-09", "a thread is left",
                        storage -> whenUsed(storage,
                                () -> Thread.ofPlatform().daemon().name("idle")
                                        .start(() -> PlaceMutants.awaitQuietly(NEVER))))
                        .besides("X-06"),
                StorageMutant.ofStorage("H-10", "descriptors are closed with the storage", Hoarding::new),
                StorageMutant.ofStorage("H-11", "a failed opening leaves a descriptor",
                        storage -> new StorageForwarding.OfStorage(storage) {
                            @Override
                            public StorageFile open(Location file) {
                                if (real.kind(file) != Kind.FILE) {
                                    Handle.forget();
                                }
                                return super.open(file);
                            }
                        }));
    }

    private static boolean lost() {
        return Thread.currentThread().getName().equals("testkit-2");
    }

    private static void checkOnce(AtomicBoolean closed) {
        if (!closed.compareAndSet(false, true)) {
            throw new IllegalStateException("closed already");
        }
    }

    private static StorageFile closedOnce(StorageFile file) {
        AtomicBoolean closed = new AtomicBoolean();
        return new StorageForwarding.OfFile(file) {
            @Override
            public void close() {
                checkOnce(closed);
                super.close();
            }
        };
    }

    private static StorageFile closed(StorageFile file, boolean readsOn) {
        AtomicBoolean closed = new AtomicBoolean();
        return new StorageForwarding.OfFile(file) {
            @Override
            public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
                return closed.get() && !readsOn ? 0 : super.read(offset, target, targetOffset, bytes);
            }

            @Override
            public void close() {
                closed.set(true);
                if (!readsOn) {
                    super.close();
                }
            }
        };
    }

    private static Storage sharing(Storage storage) {
        Map<Location, StorageFile> open = new ConcurrentHashMap<>();
        return new StorageForwarding.OfStorage(storage) {
            @Override
            public StorageFile open(Location file) {
                return open.computeIfAbsent(file, _ -> new StorageForwarding.OfFile(super.open(file)) {
                    @Override
                    public void close() {
                        open.remove(file);
                        super.close();
                    }
                });
            }
        };
    }

    private static Storage whenUsed(Storage storage, Runnable first) {
        AtomicBoolean used = new AtomicBoolean();
        return new StorageForwarding.OfStorage(storage) {
            @Override
            public StorageFile open(Location file) {
                StorageFile opened = super.open(file);
                if (used.compareAndSet(false, true)) {
                    first.run();
                }
                return opened;
            }
        };
    }

    private static void pause() {
        LockSupport.parkNanos(100_000);
    }

    /// Seeks, then reads.
    private static final class Positioned extends StorageForwarding.OfFile {
        private volatile long position;

        Positioned(StorageFile real) {
            super(real);
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            position = offset;
            if (bytes > 1 && Thread.currentThread().getName().startsWith("testkit-")) {
                pause();
            }
            return super.read(position, target, targetOffset, bytes);
        }
    }

    /// Keeps what is asked for in a field.
    private static final class Requesting extends StorageForwarding.OfStorage {
        private volatile Location request;

        Requesting(Storage real) {
            super(real);
            this.request = Location.of("mem://host/none");
        }

        @Override
        public StorageFile open(Location file) {
            request = file;
            if (Thread.currentThread().getName().startsWith("testkit-")) {
                pause();
            }
            return super.open(request);
        }
    }

    /// Numbers files as a kernel numbers descriptors: the lowest free one is next.
    private static final class Slots extends StorageForwarding.OfStorage {
        private final Map<Integer, StorageFile> files = new ConcurrentHashMap<>();

        Slots(Storage real) {
            super(real);
        }

        @Override
        public synchronized StorageFile open(Location file) {
            StorageFile opened = super.open(file);
            int slot = 0;
            while (files.putIfAbsent(slot, opened) != null) {
                slot++;
            }
            int number = slot;
            AtomicBoolean closed = new AtomicBoolean();
            return new StorageForwarding.OfFile(opened) {
                @Override
                public void close() {
                    if (!closed.get()) {
                        LockSupport.parkNanos(1_000_000);
                        closed.set(true);
                        StorageFile now = files.remove(number);
                        if (now != null) {
                            now.close();
                        }
                    }
                }
            };
        }
    }

    /// Keeps a descriptor for each file until it is closed itself.
    private static final class Hoarding extends StorageForwarding.OfStorage {
        private final Queue<Handle> handles = new ConcurrentLinkedQueue<>();

        Hoarding(Storage real) {
            super(real);
        }

        @Override
        public StorageFile open(Location file) {
            StorageFile opened = super.open(file);
            handles.add(Handle.open());
            return opened;
        }

        @Override
        public void close() {
            handles.forEach(Handle::close);
            super.close();
        }
    }
}
