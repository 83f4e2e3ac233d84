package io.fastsafetensors.core.storage;

import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Makes the bytes of a file that no storage holds out of the bytes of other files, when they are read. Everything that
/// plans and reads files works on it as on any other; see [SourceFiles#derive]. Thread-safe, holds nothing open.
public interface DerivedSource {
    /// The files that it is made of.
    List<Location> parts();

    /// Its length in bytes.
    long length();

    /// The kind of its bytes in a word or two.
    String name();

    /// How it is read, for people.
    String reason();

    /// Opens it.
    ///
    /// Called for each opening; what the reads share, such as windows, is made here and released by the result's
    /// close.
    ///
    /// @param parts the open files, in the order of [#parts()]; the caller closes them after the result
    Bytes open(List<StorageFile> parts);

    /// The bytes of an open one. Reads run on many threads at once.
    interface Bytes extends AutoCloseable {
        /// As [StorageFile#read(long, MemorySegment, long, long)].
        long read(long offset, MemorySegment target, long targetOffset, long bytes);

        /// As [StorageFile#ability(Class)].
        default <A> Optional<A> ability(Class<A> type) {
            return type.isInstance(this) ? Optional.of(type.cast(this)) : Optional.empty();
        }

        /// Releases what reads share. Idempotent, after every read has returned.
        @Override
        void close();
    }

    /// An open [DerivedSource] as a file: uses its parts until it is closed. Its identity is its name alone: whether
    /// its bytes are of one version is asked of the parts, each by its own user of it.
    ///
    /// Closing it releases the parts after the bytes that were made of them; each part may stay open for others.
    final class Opened implements StorageFile {
        private final Location location;
        private final DerivedSource source;
        private final List<SourceFile> used = new ArrayList<>();
        private final Bytes bytes;

        /// Opens every part, and closes those that are open if one cannot be.
        Opened(Location location, DerivedSource source, List<SourceFile> parts) {
            this.location = location;
            this.source = source;
            try {
                List<StorageFile> open = new ArrayList<>(parts.size());
                for (SourceFile part : parts) {
                    open.add(part.retain());
                    used.add(part);
                }
                this.bytes = source.open(open);
            } catch (RuntimeException | Error e) {
                releaseParts(new Releases()).because(e);
                throw e;
            }
        }

        private Releases releaseParts(Releases releases) {
            used.forEach(part -> releases.run(part::release));
            used.clear();
            return releases;
        }

        @Override
        public Location location() {
            return location;
        }

        @Override
        public long length() {
            return source.length();
        }

        @Override
        public FileIdentity identity() {
            return FileIdentity.of(location.toString());
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long count) {
            return bytes.read(offset, target, targetOffset, Math.clamp(source.length() - offset, 0, count));
        }

        @Override
        public String storageName() {
            return source.name();
        }

        @Override
        public String reason() {
            return source.reason();
        }

        @Override
        public <A> Optional<A> ability(Class<A> type) {
            return bytes.ability(type);
        }

        @Override
        public void close() {
            releaseParts(new Releases().run(bytes::close)).finish();
        }
    }
}
