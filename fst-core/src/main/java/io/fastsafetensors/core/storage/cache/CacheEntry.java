package io.fastsafetensors.core.storage.cache;

import io.fastsafetensors.core.digest.Sha256;
import io.fastsafetensors.core.storage.cache.PartTable.CachedPart;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// The copy of one version of one remote file, and what it holds of it. Bytes are written first and listed afterwards, and
/// what is read is compared with the list: so neither a killed writer, nor another process, nor a full disk, nor a disk that
/// returns other bytes, makes wrong ones of them. A failure of the cache is logged and switches the entry off; it fails no
/// load. Thread-safe.
///
/// The list is the truth about the copy: a record is appended, in one call, after the bytes that it is about. A record
/// that was cut by a kill is passed over; bytes without a record are fetched again. Other processes append to the same
/// list, and [#refresh()] finds what they have added.
///
/// The protocol, in the order in which a write happens: room is asked for, the bytes go to the copy, one record goes
/// to the end of the list, and only then the table says that they are held. A reader of the copy checks every byte
/// that it uses against the table's checksums, at the price of a CRC-32C.
final class CacheEntry implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger("io.fastsafetensors.core.cache");
    /// Times that the list may be unreadable, or be removed by another process, while it is opened.
    private static final int TRIES = 5;
    /// Bytes that are verified at a time.
    private static final long STEP = 8 << 20;

    private final CacheDirectory directory;
    private final EntryHead head;
    private final PartTable parts;
    private final Path list;
    private final Path data;
    private final StorageFile local;
    /// Whether a damaged copy was told of.
    private final AtomicBoolean told = new AtomicBoolean();
    /// Bytes that this process has written.
    private final LongAdder stored = new LongAdder();
    /// Bytes that other processes, or earlier loads, had written when this was opened.
    private long inherited;
    /// Bytes of the list that were read.
    private long listed;
    /// Off after a failure, until the entry is opened again.
    private volatile boolean writable = true;

    /// Holds no descriptor but the one for reading the copy: a checkpoint has many files.
    private CacheEntry(CacheDirectory directory, EntryHead head, StorageFile local) {
        this.directory = directory;
        this.head = head;
        this.parts = new PartTable(head.id(), head.fileLength());
        this.list = directory.resolve(head.key() + CacheDirectory.PARTS);
        this.data = directory.resolve(head.dataName());
        this.listed = head.bytes();
        this.local = local;
    }

    /// Opens or makes the entry of a version.
    ///
    /// @param storage opens local paths
    /// @return null if the cache cannot be used, which is logged
    static @Nullable CacheEntry open(CacheDirectory directory, Storage storage, Location location,
            FileIdentity identity, long fileLength) {
        String key = key(location, identity, fileLength);
        directory.use(key);
        try {
            directory.create();
            CacheEntry entry = open(directory, storage, key, location, identity, fileLength);
            entry.refresh();
            entry.inherited = entry.parts.bytes();
            Files.setLastModifiedTime(directory.resolve(key + CacheDirectory.PARTS), FileTime.from(Instant.now()));
            return entry;
        } catch (IOException | StorageException e) {
            directory.release(key);
            directory.unusable(location.toString(), e);
            return null;
        }
    }

    /// Secrets of an address are part of the key, as they may say which file it is, and cannot be read off it.
    ///
    /// Another version is another entry, and the old one goes when room is made.
    private static String key(Location location, FileIdentity identity, long fileLength) {
        String text = location.address() + "\n" + identity + "\n" + fileLength;
        return Sha256.hex(text.getBytes(StandardCharsets.UTF_8));
    }

    /// The copy is given its full length at once, and is sparse. A list that cannot be understood is made again.
    ///
    /// @throws IOException if the files of the entry cannot be made or read
    private static CacheEntry open(CacheDirectory directory, Storage storage, String key, Location location,
            FileIdentity identity, long fileLength) throws IOException {
        Path path = directory.resolve(key + CacheDirectory.PARTS);
        for (int attempt = 1;; attempt++) {
            EntryHead head = head(path);
            if (head != null && head.key().equals(key) && head.fileLength() == fileLength) {
                Path data = directory.resolve(head.dataName());
                try (RandomAccessFile copy = new RandomAccessFile(data.toFile(), "rw")) {
                    if (copy.length() != fileLength) {
                        copy.setLength(fileLength);
                    }
                }
                return new CacheEntry(directory, head, storage.open(Location.of(data)));
            }
            if (attempt == TRIES) {
                throw new IOException("the list of parts " + path + " cannot be read");
            }
            Files.deleteIfExists(path);
            create(directory, path, EntryHead.encode(ThreadLocalRandom.current().nextLong(), fileLength, key,
                    location.toString(), identity.toString()));
        }
    }

    /// The head of a list; null if there is no list, or none that can be understood.
    private static @Nullable EntryHead head(Path path) throws IOException {
        try (FileChannel list = FileChannel.open(path)) {
            ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(list.size(), EntryHead.MOST_BYTES))
                    .order(ByteOrder.LITTLE_ENDIAN);
            fill(list, bytes, 0);
            return EntryHead.decode(bytes.flip());
        } catch (NoSuchFileException _) {
            return null;
        }
    }

    /// Reads as much as there is.
    private static void fill(FileChannel channel, ByteBuffer bytes, long from) throws IOException {
        long at = from;
        while (bytes.hasRemaining()) {
            int count = channel.read(bytes, at);
            if (count < 0) {
                return;
            }
            at += count;
        }
    }

    /// Makes a list whose head is whole from its first moment, unless another process is quicker.
    ///
    /// By a link rather than a rename: a link fails where another process has made the list meanwhile, a rename would
    /// replace it.
    private static void create(CacheDirectory directory, Path path, ByteBuffer head) throws IOException {
        Path temporary = directory.resolve(
                Long.toHexString(ThreadLocalRandom.current().nextLong()) + CacheDirectory.TEMPORARY);
        try {
            try (FileChannel file =
                    FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                while (head.hasRemaining()) {
                    file.write(head);
                }
            }
            try {
                Files.createLink(path, temporary);
            } catch (FileAlreadyExistsException _) {
                // That one is as good.
                return;
            } catch (UnsupportedOperationException | IOException _) {
                // No links here. Who loses its list to another one writes to a file that nobody reads.
                Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
            }
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /// Looks for parts that others have written.
    ///
    /// Reads only what was appended since. Failing changes nothing.
    synchronized void refresh() {
        try (FileChannel channel = FileChannel.open(list)) {
            long size = channel.size();
            if (size > listed) {
                ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(size - listed, Integer.MAX_VALUE - 64))
                        .order(ByteOrder.LITTLE_ENDIAN);
                fill(channel, bytes, listed);
                listed += parts.addAll(bytes.flip());
            }
        } catch (IOException e) {
            LOG.log(Level.DEBUG, () -> "the list of parts of " + head.location() + " cannot be read", e);
        }
    }

    /// The copy, to be read where parts are held.
    StorageFile local() {
        return local;
    }

    /// The copy's file; sparse until the entry is whole.
    Path path() {
        return data;
    }

    /// Removes the entry, because its content lies elsewhere now.
    void remove() {
        writable = false;
        directory.remove(head.key(), head.dataName());
    }

    /// Changes while others write.
    PartTable parts() {
        return parts;
    }

    /// Whether every byte of the remote file is held.
    boolean isWhole() {
        return parts.heldUntil(0, head.fileLength()) == head.fileLength();
    }

    /// Makes a whole copy one that others may rely on, who have no checksums: it is on the disk, and parts that another
    /// process has written, whose bytes a crash of the system may have taken, are what they should be.
    ///
    /// @return false if parts have to be fetched again, or it cannot be written
    boolean settle() {
        long length = head.fileLength();
        boolean own = inherited == 0 && stored.sum() == length;
        try (FileChannel copy = FileChannel.open(data, StandardOpenOption.WRITE); Arena arena = Arena.ofShared()) {
            copy.force(true);
            MemorySegment step = arena.allocate(Math.min(STEP, length));
            for (long at = 0; at < length && !own; at += STEP) {
                long to = Math.min(length, at + STEP);
                if (!read(at, to, step) || !verify(at, to, step, -at)) {
                    return false;
                }
            }
            return true;
        } catch (IOException e) {
            directory.unusable(head.location(), e);
            return false;
        }
    }

    /// All of a range of the copy; false if the copy ends early.
    private boolean read(long from, long to, MemorySegment target) {
        for (long at = from; at < to;) {
            long got = local.read(at, target, at - from, to - at);
            if (got == 0) {
                return false;
            }
            at += got;
        }
        return true;
    }

    /// Whether bytes that were read from the copy are those that were written to it. Parts that are not are forgotten.
    ///
    /// Checksums are of pieces: where a range begins or ends inside one, the rest of that piece is read too.
    ///
    /// @param target has the bytes from `from` to `to` of the file
    /// @param shift where the first byte of the file would lie in `target`
    boolean verify(long from, long to, MemorySegment target, long shift) {
        ByteBuffer bytes = target.asSlice(from + shift, to - from).asByteBuffer();
        CRC32C crc = new CRC32C();
        for (long at = from; at < to;) {
            CachedPart part = parts.at(at);
            if (part == null) {
                return false;
            }
            long begin = part.pieceStart(at);
            long end = part.pieceEnd(at);
            crc.reset();
            boolean read = beside(begin, Math.min(end, from), crc);
            bytes.limit((int) (Math.min(end, to) - from)).position((int) (Math.max(begin, from) - from));
            crc.update(bytes);
            read &= beside(Math.max(begin, to), end, crc);
            if (!read || (int) crc.getValue() != part.checksum(at)) {
                parts.remove(part);
                warn("differs at " + begin + " from what was written");
                return false;
            }
            at = Math.min(end, part.end());
        }
        return true;
    }

    /// The copy could not be used for a part. Told once; a copy that was damaged as a whole has many.
    void warn(String what) {
        LOG.log(told.getAndSet(true) ? Level.DEBUG : Level.WARNING,
                () -> "the cache's copy of " + head.location() + " " + what + "; such parts are fetched again");
    }

    /// Adds bytes of a piece that lie outside of what was read.
    private boolean beside(long from, long to, CRC32C crc) {
        if (from >= to) {
            return true;
        }
        try (Arena arena = Arena.ofShared()) {
            MemorySegment scratch = arena.allocate(to - from);
            if (!read(from, to, scratch)) {
                return false;
            }
            crc.update(scratch.asByteBuffer());
            return true;
        }
    }

    /// Writes bytes that were fetched to the copy, if there is room. Called by the reader that fetched them, which pays
    /// for the write: there is no queue whose memory would have to be bounded.
    ///
    /// What cannot be written switches writing off for this entry and costs the load nothing else.
    ///
    /// @param offset the first byte's in the file
    /// @param source stays the caller's; read before this returns
    void store(long offset, MemorySegment source, long sourceOffset, long bytes) {
        if (!writable) {
            return;
        }
        ByteBuffer content = source.asSlice(sourceOffset, bytes).asByteBuffer();
        CachedPart part = CachedPart.of(offset, content);
        ByteBuffer record = part.encode(head.id());
        long room = bytes + record.remaining();
        if (!directory.reserve(room)) {
            return;
        }
        try {
            try (FileChannel target = FileChannel.open(data, StandardOpenOption.WRITE)) {
                long at = offset;
                while (content.hasRemaining()) {
                    at += target.write(content, at);
                }
            }
            try (FileChannel records = FileChannel.open(list, StandardOpenOption.APPEND)) {
                // One call, so that records of several writers do not mix.
                if (records.write(record) < record.limit()) {
                    throw new IOException("there is no room for the record");
                }
            }
            parts.add(part);
            stored.add(bytes);
        } catch (NoSuchFileException e) {
            writable = false;
            LOG.log(Level.DEBUG, () -> "another process has removed " + head.location() + " from the cache", e);
        } catch (IOException e) {
            writable = false;
            directory.unusable(head.location(), e);
        } finally {
            directory.written(room);
        }
    }

    @Override
    public void close() {
        writable = false;
        directory.release(head.key());
        local.close();
    }
}
