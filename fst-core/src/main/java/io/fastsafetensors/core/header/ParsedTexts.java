package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.ref.SoftReference;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The headers and indexes that a loader has parsed, with their text: a file that is loaded again is read again, and
/// parsed again only if one byte of the text is another. Parsing is most of what happens before the first block of a
/// load is read.
///
/// Kept texts go with the loader, by [#clear()] and when the heap is short. Files of storages without paths are not
/// kept: memory that the caller gave would stay reachable. Thread-safe.
public final class ParsedTexts {
    /// Enough for the headers of some hundred thousand tensors.
    private static final int MOST_BYTES = 32 << 20;

    private final int mostBytes;
    /// Softly, as a whole: the heap's need goes first.
    private SoftReference<Kept> kept = new SoftReference<>(null);

    /// The texts that are kept now.
    private static final class Kept {
        /// The least recently used first.
        private final Map<Location, Parsed> texts = new LinkedHashMap<>(16, 0.75f, true);
        private long bytes;

        void put(Location location, Parsed parsed, int mostBytes) {
            Parsed former = texts.remove(location);
            bytes += parsed.text.length - (former == null ? 0 : former.text.length);
            texts.put(location, parsed);
            Iterator<Parsed> oldest = texts.values().iterator();
            while (bytes > mostBytes) {
                bytes -= oldest.next().text.length;
                oldest.remove();
            }
        }
    }

    private ParsedTexts(int mostBytes) {
        this.mostBytes = mostBytes;
    }

    /// Keeps what a loader parses.
    public static ParsedTexts ofLoader() {
        return new ParsedTexts(MOST_BYTES);
    }

    /// Keeps nothing: for a file that is opened once.
    public static ParsedTexts none() {
        return new ParsedTexts(0);
    }

    /// A text and what it means. Immutable.
    private static final class Parsed {
        /// From the file's first byte.
        private final byte[] text;
        /// What the ranges of a header were judged by.
        private final long fileLength;
        private final boolean lenient;
        /// How long a header might be.
        private final long longest;
        private final Object value;

        Parsed(byte[] text, long fileLength, boolean lenient, long longest, Object value) {
            this.text = text;
            this.fileLength = fileLength;
            this.lenient = lenient;
            this.longest = longest;
            this.value = value;
        }

        boolean isOf(FileBytes file, boolean leniently, long cap) {
            return fileLength == file.length() && lenient == leniently && longest == cap && file.startsWith(text);
        }
    }

    /// The header of an open file; read on the calling thread.
    ///
    /// @throws io.fastsafetensors.error.FormatException as [HeaderReader#read]
    /// @throws io.fastsafetensors.error.StorageException if it cannot be read
    FileHeader header(StorageFile open, OpenOptions options) {
        FileBytes file = new FileBytes(open, mostBytes);
        Parsed known = known(file.location());
        if (known != null && known.value instanceof FileHeader header
                && known.isOf(file, options.lenient(), options.maxHeaderBytes())) {
            return header;
        }
        FileHeader header = HeaderReader.read(file, options);
        keep(file, header.dataStart(), options.lenient(), options.maxHeaderBytes(), header);
        return header;
    }

    /// The index in an open file.
    ///
    /// @param onShard told the name of each shard, as by [ShardIndex#read]
    /// @throws io.fastsafetensors.error.FormatException as [ShardIndex#read]
    /// @throws io.fastsafetensors.error.StorageException if it cannot be read
    ShardIndex index(StorageFile open, Consumer<String> onShard) {
        FileBytes file = new FileBytes(open, mostBytes);
        Parsed known = known(file.location());
        if (known != null && known.value instanceof ShardIndex index && known.isOf(file, false, 0)) {
            index.shards().forEach(onShard);
            return index;
        }
        ShardIndex index = ShardIndex.read(file, onShard);
        keep(file, file.length(), false, 0, index);
        return index;
    }

    private synchronized @Nullable Parsed known(Location location) {
        Kept all = kept.get();
        return all == null ? null : all.texts.get(location);
    }

    /// @param bytes the length of the text
    private void keep(FileBytes file, long bytes, boolean lenient, long longest, Object value) {
        byte[] text = file.location().path().isPresent() ? file.recorded(bytes) : null;
        if (text != null) {
            keep(file.location(), new Parsed(text, file.length(), lenient, longest, value));
        }
    }

    private synchronized void keep(Location location, Parsed parsed) {
        Kept all = kept.get();
        if (all == null) {
            all = new Kept();
            kept = new SoftReference<>(all);
        }
        all.put(location, parsed, mostBytes);
    }

    /// Forgets everything.
    public synchronized void clear() {
        kept = new SoftReference<>(null);
    }
}
