package io.fastsafetensors.spi.storage;

import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// One version of one file, open for reading at offsets by many threads at once. Everything that a load takes from a file,
/// header and data, comes through one of these, so what was judged is what is read.
///
/// Reads retry what may be retried (interrupted calls, lost connections). Failures are
/// [io.fastsafetensors.error.StorageException]s that name location and offset. After [#close()] every call but
/// [#location()], [#length()] and [#identity()] throws [IllegalStateException].
public interface StorageFile extends AutoCloseable {
    /// Where it was opened.
    Location location();

    /// Its length in bytes when it was opened.
    long length();

    /// Its identity when it was opened.
    FileIdentity identity();

    /// Whether the identity tells versions apart for good, so that bytes may be kept under it after this file was closed. Not
    /// so where a storage knows little of its files, such as an HTTP server without ETags.
    default boolean hasLastingIdentity() {
        return true;
    }

    /// The identity of the open file now; asked after each block that was read. Cheap: a storage whose reads fail by
    /// themselves when the file is another version has nothing to ask, which is the default.
    default FileIdentity currentIdentity() {
        return identity();
    }

    /// Whether its location still names this version; asked once at the end of a load. A location that names nothing any
    /// more still counts as this version, since what was read was it.
    default boolean isCurrent() {
        return currentIdentity().equals(identity());
    }

    /// Reads bytes of the file into native memory; blocks until at least one is there.
    ///
    /// @param offset the first byte's offset in the file
    /// @param target native memory that any thread may access
    /// @param targetOffset where in `target` the first byte goes
    /// @param bytes the most bytes to read, at least 1; `target` has room for them
    /// @return how many were read: at least 1, or 0 at or past the end of the file
    /// @throws io.fastsafetensors.error.StorageException if the storage fails, or the file is another version now
    long read(long offset, MemorySegment target, long targetOffset, long bytes);

    /// The kind of storage in a word or two, such as `ext4` or `s3`.
    String storageName();

    /// How the file is read, and why that way, for people.
    default String reason() {
        return storageName();
    }

    /// The bytes that one read should ask for, 0 without a preference.
    default int preferredReadBytes() {
        return 0;
    }

    /// How many reads at a time serve this file best, 0 without a preference.
    default int preferredParallelReads() {
        return 0;
    }

    /// What the file can do besides reading: [CacheResidency], [DirectReads], [Mapping], [DescriptorAccess]. A file that
    /// implements such an interface has the ability; one that has it only at times overrides this.
    ///
    /// @return the ability; it ends with this file
    default <A> Optional<A> ability(Class<A> type) {
        return type.isInstance(this) ? Optional.of(type.cast(this)) : Optional.empty();
    }

    /// Closes it. Idempotent, from any thread, after every read has returned.
    @Override
    void close();
}
