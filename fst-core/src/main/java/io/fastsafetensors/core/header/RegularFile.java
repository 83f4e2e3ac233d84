package io.fastsafetensors.core.header;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;

/// Opens regular files only: on a pipe the open itself could wait for ever.
final class RegularFile {
    private RegularFile() {
    }

    /// A channel for reading, which the caller closes.
    ///
    /// @throws StorageException if there is no such file, or it is something else, or it cannot be opened
    static FileChannel open(Path file) {
        Where where = Where.file(file).withOffset(0);
        try {
            if (Files.readAttributes(file, BasicFileAttributes.class).isRegularFile()) {
                return FileChannel.open(file, StandardOpenOption.READ);
            }
        } catch (NoSuchFileException e) {
            throw new StorageException("no such file; check the path", where, e);
        } catch (IOException e) {
            throw new StorageException("cannot open the file: " + e, where, e);
        }
        throw new StorageException("not a regular file", where);
    }
}
