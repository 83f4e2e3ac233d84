package io.fastsafetensors.core.storage.cache;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;

import org.jspecify.annotations.Nullable;

/// A directory of entries, shared by processes that may be killed at any moment. Each entry is two files: `KEY.parts`,
/// a list that grows by one record for each part that was written, and `KEY.ID.data`, a sparse copy of the remote file.
/// What is read is compared with the checksums of the list, so no lock is needed for the bytes to be right; the lock
/// file only keeps two processes from making room at the same time. Thread-safe.
///
/// The bound is kept by asking for room before each write ([#reserve]), in steps so that the directory is looked at
/// once for many writes. Processes that write at the same time may exceed it together by a step each.
public final class CacheDirectory {
    static final String PARTS = ".parts";
    static final String DATA = ".data";
    /// The end of the name of a list that is being made.
    static final String TEMPORARY = ".tmp";
    private static final String LOCK = "lock";
    private static final System.Logger LOG = System.getLogger("io.fastsafetensors.core.cache");
    /// Never forgotten: a process has one or two, and each keeps the count of what is under way.
    private static final Map<CacheSettings, CacheDirectory> KNOWN = new ConcurrentHashMap<>();
    /// How much may be written between two looks at what all processes have written.
    private static final long LARGEST_STEP = 256L << 20;
    /// The bound divided by this is the most that a process is granted in advance.
    private static final int STEPS = 16;
    /// The age from which a file that nobody names is a killed process's; a younger one may be about to be named.
    private static final Duration ABANDONED = Duration.ofHours(1);
    private static final int LOCK_TRIES = 100;
    private static final long LOCK_PAUSE_MILLIS = 10;

    private final Path directory;
    /// Bytes, or [CacheSettings#AUTOMATIC].
    private final long most;
    /// Whether something that cannot be kept was told of.
    private final AtomicBoolean told = new AtomicBoolean();
    /// How often each entry is open in this process, by key.
    private final Map<String, Integer> used = new ConcurrentHashMap<>();
    /// What each list held when it had so many bytes.
    private final Map<Path, Counted> counted = new HashMap<>();
    /// Bytes that may be written before the directory is looked at again.
    private long allowance;
    /// What was granted and is not listed yet.
    private long underWay;

    /// @param listBytes the length of the list then
    /// @param heldBytes what it said is held, with the list itself
    private record Counted(long listBytes, long heldBytes) {
    }

    private CacheDirectory(CacheSettings settings) {
        this.directory = settings.directory();
        this.most = settings.bytes();
    }

    /// The directory that settings name; one object for all who use it in this process.
    public static CacheDirectory of(CacheSettings settings) {
        return KNOWN.computeIfAbsent(settings, CacheDirectory::new);
    }

    /// Where it is.
    public Path path() {
        return directory;
    }

    /// The path of a file of the directory.
    Path resolve(String name) {
        return directory.resolve(name);
    }

    /// Makes the directory, for this user alone.
    void create() throws IOException {
        if (!Files.isDirectory(directory)) {
            FileAttribute<?>[] mode = directory.getFileSystem().supportedFileAttributeViews().contains("posix")
                    ? new FileAttribute<?>[] {
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
                    } : new FileAttribute<?>[0];
            Files.createDirectories(directory, mode);
        }
    }

    /// Something could not be kept. Told once: a full disk refuses every file.
    void unusable(String location, Exception why) {
        LOG.log(told.getAndSet(true) ? Level.DEBUG : Level.WARNING, () -> "the cache " + directory + " cannot keep "
                + location + " (" + why.getClass().getSimpleName() + ": " + why.getMessage()
                + "); the load goes on without it");
    }

    /// An entry is open in this process, and not to be removed by it.
    void use(String key) {
        used.merge(key, 1, Integer::sum);
    }

    /// The entry may be removed by this process again, once as many have let it go as have used it.
    void release(String key) {
        used.computeIfPresent(key, (_, count) -> count == 1 ? null : count - 1);
    }

    /// Asks for room for bytes that are about to be written; removes the entries that were not used for the longest time.
    ///
    /// Never waits for room: bytes for which there is none are used by the load and not kept.
    ///
    /// @return whether there is room; then the caller says when they are listed, by [#written(long)]
    synchronized boolean reserve(long bytes) {
        if (bytes > allowance) {
            allowance = makeRoom(bytes);
        }
        if (bytes > allowance) {
            return false;
        }
        allowance -= bytes;
        underWay += bytes;
        return true;
    }

    /// Bytes for which room was asked are written and listed, or will never be.
    synchronized void written(long bytes) {
        underWay -= bytes;
    }

    /// Makes room under the lock, with some in advance.
    ///
    /// Under two locks: this object, for the threads of the process, and the lock file, for other processes.
    ///
    /// @return how many bytes may be written; 0 if it cannot be known
    private long makeRoom(long bytes) {
        try (FileChannel channel =
                FileChannel.open(resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock lock = lock(channel)) {
            if (lock == null) {
                // Somebody else makes room; these bytes are not kept.
                return 0;
            }
            long bound = bound();
            long step = Math.max(bytes, Math.min(LARGEST_STEP, bound / STEPS));
            return Math.max(0, Math.min(step, bound - underWay - shrink(bound - underWay - step, false)));
        } catch (IOException e) {
            LOG.log(Level.DEBUG, () -> "the cache " + directory + " cannot make room", e);
            return 0;
        }
    }

    /// The lock dies with the process that has it; null if another one keeps it for long.
    private static @Nullable FileLock lock(FileChannel channel) throws IOException {
        for (int i = 0; i < LOCK_TRIES; i++) {
            try {
                FileLock lock = channel.tryLock();
                if (lock != null) {
                    return lock;
                }
                Thread.sleep(LOCK_PAUSE_MILLIS);
            } catch (OverlappingFileLockException _) {
                // Another object of this process has it, with another bound.
                LockSupport.parkNanos(LOCK_PAUSE_MILLIS * 1_000_000);
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
                return null;
            }
        }
        return null;
    }

    /// The most bytes of all entries; unless it is set, half of what would be free without the cache, so that it does
    /// not shrink as the cache fills.
    private long bound() throws IOException {
        if (most != CacheSettings.AUTOMATIC) {
            return most;
        }
        long held = 0;
        for (Entry entry : entries()) {
            held += entry.heldBytes();
        }
        return (Files.getFileStore(directory).getUsableSpace() + held) / 2;
    }

    /// Removes entries until the others have no more than so many bytes.
    ///
    /// @param all whether those go that this process has open, too
    /// @return how many bytes are left
    private long shrink(long target, boolean all) throws IOException {
        List<Entry> entries = entries();
        entries.sort(Comparator.comparing(Entry::lastUsed));
        long held = entries.stream().mapToLong(Entry::heldBytes).sum();
        for (Entry entry : entries) {
            if (held <= target) {
                break;
            }
            if (all || !used.containsKey(entry.key())) {
                remove(entry);
                held -= entry.heldBytes();
            }
        }
        return held;
    }

    /// A process that has the copy open goes on reading it, as the file system keeps what is open.
    ///
    /// @throws IOException if a file cannot be removed
    private void remove(Entry entry) throws IOException {
        // The list goes first: data without a list is swept, and read by nobody.
        Files.deleteIfExists(resolve(entry.key() + PARTS));
        Files.deleteIfExists(resolve(entry.dataName()));
    }

    /// Removes an entry whose content lies elsewhere now; failing is only a waste of room.
    void remove(String key, String dataName) {
        try {
            Files.deleteIfExists(resolve(key + PARTS));
            Files.deleteIfExists(resolve(dataName));
        } catch (IOException e) {
            LOG.log(Level.DEBUG, () -> "an entry of the cache " + directory + " cannot be removed", e);
        }
    }

    /// An entry as the directory has it.
    ///
    /// @param key its key
    /// @param dataName the name of its copy
    /// @param location the remote file
    /// @param version the version of it
    /// @param fileBytes the length of the remote file
    /// @param heldBytes how many of them are held
    /// @param lastUsed when it was opened or written for the last time
    public record Entry(String key, String dataName, String location, String version, long fileBytes, long heldBytes,
            Instant lastUsed) {
    }

    /// What there is, in any order. Leftovers of processes that were killed are removed.
    ///
    /// Reads every list; what each holds is counted again only where it has grown.
    ///
    /// @throws IOException if the directory cannot be read
    private List<Entry> entries() throws IOException {
        List<Entry> found = new ArrayList<>();
        Set<String> named = new HashSet<>();
        Set<Path> lists = new HashSet<>();
        List<Path> others = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                if (file.getFileName().toString().endsWith(PARTS)) {
                    lists.add(file);
                } else {
                    others.add(file);
                }
            }
        } catch (NoSuchFileException _) {
            return found;
        }
        for (Path list : lists) {
            Entry entry = entry(list);
            if (entry != null) {
                found.add(entry);
                named.add(entry.dataName());
            }
        }
        synchronized (counted) {
            counted.keySet().retainAll(lists);
        }
        for (Path other : others) {
            sweep(other, named);
        }
        return found;
    }

    /// Removes what no list names: at once where its list is gone, else after an hour.
    private static void sweep(Path file, Set<String> named) throws IOException {
        String name = file.getFileName().toString();
        boolean orphan = name.endsWith(DATA) && !named.contains(name)
                && !Files.exists(file.resolveSibling(name.substring(0, name.indexOf('.')) + PARTS));
        boolean other = (name.endsWith(DATA) || name.endsWith(TEMPORARY)) && !named.contains(name);
        if (orphan || (other && isAbandoned(file))) {
            Files.deleteIfExists(file);
        }
    }

    /// One that is gone by now is nobody's any more and needs no removing.
    private static boolean isAbandoned(Path file) throws IOException {
        try {
            return Files.getLastModifiedTime(file).toInstant().isBefore(Instant.now().minus(ABANDONED));
        } catch (NoSuchFileException _) {
            return false;
        }
    }

    /// An entry; null if its list is not whole, or was removed meanwhile.
    private @Nullable Entry entry(Path list) throws IOException {
        try {
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(list)).order(ByteOrder.LITTLE_ENDIAN);
            EntryHead head = EntryHead.decode(bytes);
            if (head == null) {
                if (isAbandoned(list)) {
                    Files.deleteIfExists(list);
                }
                return null;
            }
            FileTime used = Files.getLastModifiedTime(list);
            return new Entry(head.key(), head.dataName(), head.location(), head.version(), head.fileLength(),
                    held(list, head, bytes), used.toInstant());
        } catch (NoSuchFileException _) {
            return null;
        }
    }

    /// Counted again only where the list has grown: lists of large models have many records.
    private long held(Path list, EntryHead head, ByteBuffer bytes) {
        synchronized (counted) {
            Counted known = counted.get(list);
            if (known == null || known.listBytes() != bytes.limit()) {
                PartTable parts = new PartTable(head.id(), head.fileLength());
                parts.addAll(bytes.position(head.bytes()));
                known = new Counted(bytes.limit(), parts.bytes() + bytes.limit());
                counted.put(list, known);
            }
            return known.heldBytes();
        }
    }

    /// What the directory holds, the entry that was used last first.
    ///
    /// @throws StorageException if it cannot be read
    public List<Entry> list() {
        try {
            List<Entry> entries = entries();
            entries.sort(Comparator.comparing(Entry::lastUsed).reversed());
            return entries;
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    /// Removes the entries that were not used for the longest time until no more than so many bytes are held; also those
    /// that are in use, which go on and fetch again what they need.
    ///
    /// @return how many bytes are held then
    /// @throws StorageException if entries cannot be removed
    public synchronized long prune(long bytes) {
        try {
            allowance = 0;
            return shrink(bytes, true);
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    /// For who asked about the cache itself; loads go on without it.
    private StorageException unreadable(IOException e) {
        return new StorageException("cannot read or change the cache's directory (" + e.getClass().getSimpleName()
                + "); check who owns it", Where.file(directory), e);
    }

    @Override
    public String toString() {
        return directory.toString();
    }
}
