package io.fastsafetensors.spi;

/// One file opened for direct reads. Many threads may read at once. [#close()] is idempotent and waits for reads in
/// flight. Closing the backend closes it: afterwards a read is an [IllegalStateException], and closing it harmless. An
/// interrupt does not end a read.
public interface DirectFile extends AutoCloseable {
    /// File offsets, sizes and buffer offsets that are multiples of this avoid a detour through the host.
    long alignment();

    /// Reads bytes of the file into device memory; blocks until they are there.
    ///
    /// @return how many bytes were read: less than asked for only at the end of the file
    /// @throws io.fastsafetensors.error.BackendException naming file, offset and status
    long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes);

    @Override
    void close();
}
