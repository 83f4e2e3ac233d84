package io.fastsafetensors.core.write;

import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.core.digest.Sha256;
import io.fastsafetensors.core.storage.Errnos;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A checkpoint being written: a file, or shards and an index. Headers are made first, so every tensor has its place and
/// tensors may come in any order, each one's bytes in theirs. Every file is complete and durable before the first one
/// appears under its name; the index appears last; closing before that leaves what was there. Not thread-safe.
///
/// Memory is bounded whatever the size of the checkpoint: bytes are written as they come, by [PageWriter] or through
/// the page cache.
public final class CheckpointOutput implements AutoCloseable {
    /// Digested while still in the processor's cache; also the most that the JDK copies out of a heap buffer at a time.
    private static final int WINDOW = 1 << 20;

    /// Shards that are open at a time. Tensors come in the order of the files, or nearly: more have no use.
    private static final int MOST_OPEN = 4;

    /// The file, or the directory of the shards and the index.
    private final Path target;
    private final Layout layout;
    private final boolean digests;
    private final List<ShardWriter> shards = new ArrayList<>();
    /// In the order of the files, which is the order in which writing costs the fewest seeks.
    private final Map<String, Place> places = new LinkedHashMap<>();
    /// Null where writes go through the page cache.
    private final @Nullable PageWriter pages;
    /// The one used last is at the end. The first shard of all is not among them: it stays open until the index is there.
    private final ArrayDeque<ShardWriter> open = new ArrayDeque<>();
    /// Null until it is written; the last to be published.
    private @Nullable AtomicFile index;

    /// A tensor's place, and how much of it is there.
    private static final class Place {
        private final ShardWriter shard;
        private final TensorSpec item;
        private final long position;
        /// Bytes so far: the offset in the tensor of the next one.
        private long written;
        /// Of the bytes so far; made with the first of them.
        private @Nullable MessageDigest digest;

        private Place(ShardWriter shard, TensorSpec item, long position) {
            this.shard = shard;
            this.item = item;
            this.position = position;
        }
    }

    /// Plans the files; touches none.
    ///
    /// @param target the file, whose directory exists, or the directory for shards, made if need be
    /// @param layout which files there will be; a tensor's name is in one of them only
    /// @param options alignment, digests
    /// @param pastCache whether to bypass the page cache (O_DIRECT)
    /// @throws FormatException if a header is too large
    /// @throws UnsupportedFeatureException if the target is no path of this machine's own file systems
    public CheckpointOutput(Path target, Layout layout, WriteOptions options, boolean pastCache) {
        if (!target.getFileSystem().equals(FileSystems.getDefault())) {
            throw new UnsupportedFeatureException("checkpoints are not written into the file system \""
                    + target.getFileSystem().provider().getScheme()
                    + "\", where no file appears whole or not at all; write"
                    + " to a path of this machine and copy it", Where.file(target));
        }
        this.target = target;
        this.layout = layout;
        this.digests = options.digests();
        for (Layout.Part part : layout.parts()) {
            Path file = layout.isInDirectory() ? Location.of(target).resolve(part.name()).path().orElseThrow() : target;
            ShardWriter shard = new ShardWriter(file, part.items(), options.withMetadata(part.metadata()));
            shards.add(shard);
            long position = shard.dataStart();
            for (TensorSpec item : shard.items()) {
                places.put(item.name(), new Place(shard, item, position));
                position += item.byteSize();
            }
        }
        this.pages = pastCache ? new PageWriter() : null;
    }

    /// Every tensor, in the order that costs the fewest seeks.
    List<TensorSpec> items() {
        return places.values().stream().map(place -> place.item).toList();
    }

    /// The file that a tensor goes into.
    ///
    /// @return its path after everything was published
    Path fileOf(String tensor) {
        return place(tensor).shard.target();
    }

    /// Makes the directory of shards, so that what cannot be written is found out before anything is read.
    ///
    /// @throws StorageException if a file cannot be made there
    public void begin() {
        try {
            if (layout.isInDirectory()) {
                Files.createDirectories(target);
            }
            if (layout.isInDirectory() && layout.index().isEmpty()
                    && Files.exists(target.resolve(Layout.Index.FILE_NAME))) {
                throw new StorageException("cannot write a checkpoint without tensors next to the index of another one;"
                        + " write into a fresh directory", Location.of(target).where());
            }
            file(shards.getFirst());
        } catch (IOException e) {
            throw failure(e, shards.getFirst().target());
        }
    }

    /// The file of a shard, ready to be written to. The one that was not written to for the longest time is parked for it.
    private AtomicFile file(ShardWriter shard) throws IOException {
        ShardWriter keeper = shards.getFirst();
        if (shard == keeper) {
            return shard.file(null);
        }
        if (open.peekLast() != shard) {
            open.remove(shard);
            open.addLast(shard);
            if (open.size() > MOST_OPEN) {
                park(open.getFirst());
            }
        }
        return shard.file(file(keeper));
    }

    /// Closes a shard's file for now. What is gathered is written first, since it may be that shard's.
    private void park(ShardWriter shard) throws IOException {
        if (open.remove(shard)) {
            flush();
            AtomicFile file = shard.begun();
            if (file != null) {
                file.park();
            }
        }
    }

    /// What was gathered is with the kernel then; nothing to do where nothing is gathered.
    private void flush() {
        if (pages != null) {
            pages.flush();
        }
    }

    /// Appends to the bytes of a tensor.
    ///
    /// @throws StorageException if writing fails
    /// @throws FormatException if the tensor has fewer bytes than that
    /// @param tensor its name
    /// @param bytes consumed up to the limit; only read, and not kept
    public void append(String tensor, ByteBuffer bytes) {
        Place place = place(tensor);
        if (bytes.remaining() > place.item.byteSize() - place.written) {
            throw mismatch(place, "more than " + place.item.byteSize());
        }
        try {
            while (bytes.hasRemaining()) {
                int limit = bytes.limit();
                bytes.limit(Math.min(limit, bytes.position() + WINDOW));
                write(place, bytes);
                bytes.limit(limit);
            }
        } catch (IOException e) {
            throw failure(e, place.shard.target());
        }
    }

    /// One window: digested and written while it is in the cache.
    private void write(Place place, ByteBuffer bytes) throws IOException {
        int count = bytes.remaining();
        MessageDigest digest = digests ? digestOf(place) : null;
        if (digest != null) {
            digest.update(bytes.duplicate());
        }
        long position = place.position + place.written;
        AtomicFile file = file(place.shard);
        if (pages != null) {
            pages.write(file, position, bytes);
        } else {
            for (long at = position; bytes.hasRemaining();) {
                at += file.channel().write(bytes, at);
            }
        }
        place.written += count;
        if (digest != null && place.written == place.item.byteSize()) {
            place.shard.putDigest(file, place.item.name(), Sha256.hex(digest));
        }
        if (place.shard.wrote(count)) {
            complete(place.shard);
        }
    }

    private static MessageDigest digestOf(Place place) {
        MessageDigest digest = place.digest;
        if (digest == null) {
            digest = Sha256.create();
            place.digest = digest;
        }
        return digest;
    }

    /// Makes a shard durable when its last byte came, and lets its descriptors go.
    private void complete(ShardWriter shard) throws IOException {
        flush();
        file(shard).complete();
        park(shard);
    }

    /// Makes sure that all of a tensor was written.
    ///
    /// @throws FormatException if not
    void requireWhole(String tensor) {
        Place place = place(tensor);
        if (place.written != place.item.byteSize()) {
            throw mismatch(place, Long.toString(place.written));
        }
    }

    /// Puts everything in place.
    ///
    /// Renaming several files is not one step: a crash between two of them leaves some new and some old, which the
    /// message says where this process lives to tell.
    ///
    /// @return the files written, the index last
    /// @throws StorageException if that fails
    /// @throws FormatException if a tensor is not whole
    public List<Path> publish() {
        places.keySet().forEach(this::requireWhole);
        List<Path> files = new ArrayList<>();
        Path at = target;
        int published = 0;
        try {
            List<AtomicFile> written = new ArrayList<>();
            for (ShardWriter shard : shards) {
                at = shard.target();
                if (shard.dataBytes() == 0) {
                    complete(shard);
                }
                files.add(at);
                AtomicFile file = shard.begun();
                if (file == null) {
                    throw new AssertionError(at + " is whole and was never begun");
                }
                written.add(file);
            }
            if (layout.index().isPresent()) {
                Layout.Index last = layout.index().orElseThrow();
                at = Location.of(target).resolve(last.name()).path().orElseThrow();
                files.add(at);
                written.add(writeIndex(at, last));
            }
            for (AtomicFile file : written) {
                at = file.target();
                file.publish();
                published++;
            }
            written.getLast().syncDirectory();
        } catch (IOException e) {
            throw published == 0 ? failure(e, at)
                    : failure(e, at,
                            published + " of " + files.size() + " files are new already and the others are not:"
                                    + " write the checkpoint again");
        }
        return List.copyOf(files);
    }

    /// Complete, and not yet under its name.
    ///
    /// Readers go by the index, so it is renamed last: before that they find the old index with the old shards.
    private AtomicFile writeIndex(Path path, Layout.Index keys) throws IOException {
        ByteBuffer text = keys.encode(layout.parts());
        AtomicFile file = AtomicFile.create(path, text.remaining(), shards.getFirst().begun());
        index = file;
        while (text.hasRemaining()) {
            file.channel().write(text);
        }
        // Locked until it is published, last of all: it stands for the shards when the first of them has its name.
        file.complete();
        return file;
    }

    /// Removes what was not published.
    @Override
    public void close() {
        try {
            if (pages != null) {
                pages.close();
            }
        } finally {
            for (ShardWriter shard : shards) {
                closeQuietly(shard::close);
            }
            AtomicFile last = index;
            if (last != null) {
                closeQuietly(last::close);
            }
        }
    }

    /// A close that throws what files throw.
    private interface Closing {
        void close() throws IOException;
    }

    /// A temporary file that stays is a waste of room, and no reason to hide why the writing failed.
    private static void closeQuietly(Closing file) {
        try {
            file.close();
        } catch (IOException e) {
            System.getLogger(CheckpointOutput.class.getName()).log(System.Logger.Level.WARNING,
                    "a temporary file could not be removed", e);
        }
    }

    /// @throws IllegalArgumentException if the layout has no such tensor
    private Place place(String tensor) {
        Place place = places.get(tensor);
        if (place == null) {
            throw new IllegalArgumentException("no tensor \"" + Printable.escape(tensor) + "\" was announced");
        }
        return place;
    }

    static StorageException failure(IOException e, Path file) {
        return failure(e, file, "what was there before is still there");
    }

    /// @param state what is true of the files now, for people
    private static StorageException failure(IOException e, Path file, String state) {
        return new StorageException("cannot write: " + (e instanceof NoSuchFileException ? "no such directory"
                : Errnos.describe(e)) + "; " + state, Location.of(file).where(), e);
    }

    /// @param count how many bytes came, for people
    private static FormatException mismatch(Place place, String count) {
        TensorSpec item = place.item;
        return new FormatException(FormatError.INVALID_TENSOR_VIEW, "its source wrote " + count + " bytes, but "
                + item.dtype() + " " + item.shape() + " has " + item.byteSize(),
                Where.file(place.shard.target()).withTensor(item.name()));
    }
}
