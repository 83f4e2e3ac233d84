package io.fastsafetensors.core.storage;

import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
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
}
