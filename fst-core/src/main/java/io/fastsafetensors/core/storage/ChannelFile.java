package io.fastsafetensors.core.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.OpenFile;
import io.fastsafetensors.spi.storage.SharedChannel;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// A file through the JDK alone: one of another file system than the default one, or any where Linux's calls are not to be
/// had. Threads that read are never interrupted, since an interrupt would close the channel for all of them.
///
/// The JDK does not tell which file a channel has open; its identity is that of the path, taken before and after opening.
///
/// Where the file system has no positional reads, one thread reads at a time.
///
/// An interrupt of a thread in a channel operation closes the channel for everybody; the channel is then opened
/// again, if the path still names the same version, and the operation is repeated. Mapping works without native
/// access, since the JDK itself maps.
final class ChannelFile extends OpenFile implements Mapping {
    /// Times that a file may be replaced between the two looks at it before that is an error.
    private static final int MOST_TRIES = 100;

    private final Path path;
    private final long length;
    private final FileIdentity identity;
    private final String storageName;
    /// Why it is not read by Linux's calls, for people.
    private final String reason;
    /// Whether the channel reads at offsets; if not, [#reading] keeps threads apart.
    private final boolean hasPositions;
    private final ReentrantLock reading = new ReentrantLock();
    /// Opens itself again when an interrupt has closed it, by [#openAgain()].
    private final SharedChannel channel;

    private ChannelFile(Location location, Path path, SeekableByteChannel channel, FileIdentity identity, String why)
            throws IOException {
        super(location);
        this.path = path;
        this.channel = new SharedChannel(channel, this::openAgain);
        this.length = channel.size();
        this.identity = identity;
        this.storageName = location.isLocal() ? Files.getFileStore(path).type() : location.scheme();
        this.reason = "buffered: " + why;
        this.hasPositions = channel instanceof FileChannel;
    }

    /// Opens a path of any file system.
    ///
    /// The identity is asked before and after opening; only if both are the same is it that of the open file. A path
    /// that is replaced between the two is opened again.
    ///
    /// @param why why this way
    /// @throws StorageException if it cannot be opened, or is no regular file
    static ChannelFile open(Location location, String why) {
        return SharedChannel.apartFromInterrupts(() -> tryToOpen(location, why));
    }

    /// @throws StorageException if it cannot be opened, or is replaced each time that it is
    private static ChannelFile tryToOpen(Location location, String why) {
        Path path = location.path().orElseThrow(() -> new IllegalArgumentException(location + " is no path"));
        try {
            // A link that is turned while this runs must not be followed twice.
            Path real = location.isLocal() ? path.toRealPath() : path;
            for (int attempt = 0;; attempt++) {
                ChannelFile file = tryOpen(location, real, why);
                if (file != null) {
                    return file;
                }
                if (attempt == MOST_TRIES) {
                    throw new StorageException("the file is being replaced again and again; wait for its writer",
                            location.where());
                }
            }
        } catch (IOException e) {
            throw new StorageException("cannot open: " + Errnos.describe(e), location.where(), e);
        }
    }

    /// The open file; null if the path named another one after it was opened than before.
    private static @Nullable ChannelFile tryOpen(Location location, Path real, String why) throws IOException {
        if (!Files.readAttributes(real, BasicFileAttributes.class).isRegularFile()) {
            throw new StorageException("not a regular file", location.where().withOffset(0));
        }
        FileIdentity before = LocalIdentity.of(real);
        SeekableByteChannel channel = channel(real, location.isLocal());
        try {
            if (before.equals(LocalIdentity.of(real))) {
                return new ChannelFile(location, real, channel, before, why);
            }
        } catch (IOException | RuntimeException | Error e) {
            channel.close();
            throw e;
        }
        channel.close();
        return null;
    }

    /// A channel with positional reads where the file system has one.
    ///
    /// A local path was resolved before, so a link found now was put there meanwhile, and is not followed.
    private static SeekableByteChannel channel(Path path, boolean local) throws IOException {
        OpenOption[] options = local ? new OpenOption[] {StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS}
                : new OpenOption[] {StandardOpenOption.READ};
        try {
            return FileChannel.open(path, options);
        } catch (UnsupportedOperationException e) {
            return Files.newByteChannel(path, options);
        } catch (NoSuchFileException e) {
            throw e;
        } catch (IOException e) {
            if (local) {
                throw e;
            }
            // A zip file system unpacks an entry next to the zip for a file channel, where it may not be allowed to.
            return Files.newByteChannel(path, options);
        }
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public FileIdentity identity() {
        return identity;
    }

    @Override
    public FileIdentity currentIdentity() {
        requireOpen();
        return SharedChannel.apartFromInterrupts(this::identityNow);
    }

    /// A file that was removed while it is open has not changed.
    private FileIdentity identityNow() {
        try {
            return LocalIdentity.of(path);
        } catch (NoSuchFileException e) {
            return identity;
        } catch (IOException e) {
            throw new StorageException("cannot look at the file: " + Errnos.describe(e), location().where(), e);
        }
    }

    @Override
    public boolean isCurrent() {
        requireOpen();
        return SharedChannel.apartFromInterrupts(this::namesThis);
    }

    /// Whether the location, its links followed again, names the version that is open.
    private boolean namesThis() {
        try {
            return LocalIdentity.of(location().path().orElseThrow()).equals(identity);
        } catch (IOException e) {
            // Nothing there any more, or nothing that can be asked.
            return true;
        }
    }

    @Override
    public String storageName() {
        return storageName;
    }

    @Override
    public String reason() {
        return reason;
    }

    /// Buffers of the JDK have at most 2 GiB: one call reads no more.
    @Override
    public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
        requireOpen();
        ByteBuffer into = target.asSlice(targetOffset, Math.min(bytes, Integer.MAX_VALUE)).asByteBuffer();
        try {
            return Math.max(0, channel.run(from -> {
                into.rewind();
                return from instanceof FileChannel file ? file.read(into, offset) : readAt(from, offset, into);
            }));
        } catch (IOException e) {
            throw new StorageException("read failed: " + Errnos.describe(e), location().where().withOffset(offset), e);
        }
    }

    /// A channel without positional reads has one position for all threads.
    private int readAt(SeekableByteChannel from, long offset, ByteBuffer into) throws IOException {
        reading.lock();
        try {
            from.position(offset);
            return from.read(into);
        } finally {
            reading.unlock();
        }
    }

    /// A channel that an interrupt closed, opened again, unless the path names another version by now: then what was
    /// read before and what would come do not belong together.
    private SeekableByteChannel openAgain() throws IOException {
        requireOpen();
        SeekableByteChannel again = channel(path, location().isLocal());
        boolean same = false;
        try {
            FileIdentity now = LocalIdentity.of(path);
            if (!now.equals(identity)) {
                throw new StorageException("the file " + identity.changeTo(now)
                        + " while it was being read, and an interrupt closed the version that was open; load it again",
                        location().where());
            }
            same = true;
        } finally {
            if (!same) {
                again.close();
            }
        }
        return again;
    }

    /// Mappings alone, and of local files alone: the JDK has neither O_DIRECT reads at any alignment nor a count of
    /// cached pages.
    @Override
    public <A> Optional<A> ability(Class<A> type) {
        boolean maps = type == Mapping.class && location().isLocal() && hasPositions;
        return maps ? Optional.of(type.cast(this)) : Optional.empty();
    }

    @Override
    public MemorySegment map(long offset, long bytes, Arena arena) {
        requireOpen();
        if (!hasPositions) {
            throw new StorageException("cannot map: the file system has no file channels", location().where());
        }
        try {
            return channel.run(from -> ((FileChannel) from).map(MapMode.READ_ONLY, offset, bytes, arena));
        } catch (IOException e) {
            throw new StorageException("cannot map: " + Errnos.describe(e), location().where(), e);
        }
    }

    /// Reads in flight fail.
    @Override
    protected synchronized void release() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new StorageException("cannot close: " + Errnos.describe(e), location().where(), e);
        }
    }
}
