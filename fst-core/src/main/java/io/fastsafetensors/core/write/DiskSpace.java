package io.fastsafetensors.core.write;

import io.fastsafetensors.core.linux.ffm.LibC;
import io.fastsafetensors.core.linux.ffm.PlatformLibC;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// Gives a new file its space before anything is written: a disk that is too small says so at once, and writes that do
/// not grow the file may run side by side (ext4 lets one at a time extend a file). Thread-safe.
///
/// `fallocate` rather than a sparse length: only reserved blocks make a full disk fail at once.
final class DiskSpace {
    private static final int EINTR = 4;
    private static final int EFBIG = 27;
    private static final int ENOSPC = 28;
    private static final int EDQUOT = 122;
    /// Times that a signal may interrupt the call before the file is written without its space.
    private static final int TRIES = 100;

    private final @Nullable LibC c;

    /// @param c the calls, null where there are none
    DiskSpace(@Nullable LibC c) {
        this.c = c;
    }

    private static final class Holder {
        private static final DiskSpace PLATFORM = new DiskSpace(PlatformLibC.instance());
    }

    /// This machine's.
    static DiskSpace platform() {
        return Holder.PLATFORM;
    }

    /// Makes an empty file `bytes` long, its content zeros. Does nothing where the file system cannot.
    ///
    /// Opens and closes the file, which drops this process's locks on it.
    ///
    /// @throws IOException if there is not as much room
    void reserve(Path file, long bytes) throws IOException {
        if (c == null || bytes == 0) {
            return;
        }
        requireRoom(file, bytes);
        int fd = c.open(Location.of(file).bytes(), LibC.O_WRONLY | LibC.O_CLOEXEC);
        if (fd < 0) {
            return;
        }
        try {
            allocate(c, fd, bytes);
        } finally {
            c.close(fd);
        }
    }

    /// Asks before it takes: the kernel hands out all there is before it finds that it is not enough, and until that is
    /// given back nobody else on the machine can write.
    private static void requireRoom(Path file, long bytes) throws IOException {
        Path directory = file.toAbsolutePath().getParent();
        // Not by the file store, which is looked for in the table of mounts: in a change of root there may be none.
        long usable = directory == null ? 0 : directory.toFile().getUsableSpace();
        // 0 says that it is not known.
        if (usable > 0 && bytes > usable) {
            throw new IOException("No space left on device: it takes " + bytes + " bytes, and " + usable + " are free");
        }
    }

    /// Only what says that there is no room is an error: a file system that cannot reserve is written to all the same.
    private static void allocate(LibC c, int fd, long bytes) throws IOException {
        for (int attempt = 0; c.fallocate(fd, 0, 0, bytes) != 0; attempt++) {
            int errno = c.errno();
            switch (errno) {
                case ENOSPC -> throw new IOException("No space left on device: it takes " + bytes + " bytes");
                case EDQUOT -> throw new IOException("Disk quota exceeded: it takes " + bytes + " bytes");
                case EFBIG -> throw new IOException("File too large: it takes " + bytes
                        + " bytes, more than the file system or the process's limit (ulimit -f) allows");
                default -> {
                    if (errno != EINTR || attempt == TRIES) {
                        return;
                    }
                }
            }
        }
    }
}
