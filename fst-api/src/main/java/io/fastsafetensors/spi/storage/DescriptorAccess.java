package io.fastsafetensors.spi.storage;

/// The ability of a [StorageFile] to lend its file descriptor, for direct storage such as cuFile.
public interface DescriptorAccess {
    /// The descriptor, open for reading. It stays the file's: the borrower neither closes it nor uses it after the file was
    /// closed. `/proc/self/fd/N` opens the same file once more, with other flags.
    int descriptor();
}
