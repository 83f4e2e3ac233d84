package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cuda.gds.ffm.CuFile;
import io.fastsafetensors.backend.cuda.gds.ffm.CuFileDescr;
import io.fastsafetensors.backend.cuda.gds.ffm.CuFileError;
import io.fastsafetensors.backend.cuda.gds.ffm.DescriptorLibC;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.storage.DescriptorAccess;
import io.fastsafetensors.spi.storage.StorageFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/// A file's descriptor and its handle of cuFile.
///
/// @param fd the descriptor, open with `O_DIRECT` where the filesystem has that
/// @param fh the handle
record OpenHandle(Libraries libraries, int fd, long fh) implements AutoCloseable {
    private static final int EINVAL = 22;

    /// The libraries needed to open a handle.
    ///
    /// @param c the C library
    /// @param cuFile cuFile, its driver open
    /// @param cuda the device
    record Libraries(DescriptorLibC c, CuFile cuFile, CurrentContext cuda) {
    }

    /// The path of a file that is open, whatever its location names now.
    ///
    /// @throws BackendException if its storage has no descriptors
    static Path pathOf(StorageFile file) {
        return file.ability(DescriptorAccess.class).map(access -> Path.of("/proc/self/fd/" + access.descriptor()))
                .orElseThrow(() -> new BackendException("storage of the kind " + file.storageName()
                        + " has no file descriptors, which cuFile reads from", where(file)));
    }

    static Where where(StorageFile file) {
        return file.location().where().withBackend(GdsBackendProvider.NAME);
    }

    /// Opens a file once more, with the flags that cuFile wants, and registers it.
    ///
    /// @throws BackendException with the reason if it cannot be opened, or cuFile does not take it
    static OpenHandle open(Libraries libraries, StorageFile source) {
        Where where = where(source);
        Path file = pathOf(source);
        DescriptorLibC c = libraries.c();
        int flags = DescriptorLibC.O_RDONLY | DescriptorLibC.O_CLOEXEC;
        int fd = c.open(file, flags | c.o_direct());
        if (fd < 0 && c.errno() == EINVAL) {
            // No O_DIRECT on this filesystem; cuFile can do without since CUDA 12.2.
            fd = c.open(file, flags);
        }
        if (fd < 0) {
            throw new BackendException("cannot open: " + c.strerror(c.errno()), where);
        }
        try {
            int opened = fd;
            return new OpenHandle(libraries, opened,
                    libraries.cuda().with(() -> register(libraries, opened, where)));
        } catch (RuntimeException | Error e) {
            c.close(fd);
            throw e;
        }
    }

    private static long register(Libraries libraries, int fd, Where where) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment fh = arena.allocate(ValueLayout.ADDRESS);
            CuFileError error = libraries.cuFile().cuFileHandleRegister(fh, CuFileDescr.ofDescriptor(fd, arena));
            if (error.err() != 0) {
                throw CuFileStatus.failure("cuFileHandleRegister", error, libraries.cuda(), where);
            }
            return fh.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    /// Ends the handle, then the descriptor. Called once, when no read is under way.
    @Override
    public void close() {
        try {
            libraries.cuda().with(() -> {
                libraries.cuFile().cuFileHandleDeregister(fh);
                return fd;
            });
        } finally {
            // Nothing was written, so nothing can be lost that a failure would tell of.
            libraries.c().close(fd);
        }
    }
}
