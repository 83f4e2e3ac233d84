package io.fastsafetensors.core.write.ffm;

import io.fastsafetensors.spi.ffm.Errno;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// [SpaceLibC] on this process's C library; 64-bit Linux only.
public final class SpaceLibCFfm implements SpaceLibC {
    private static final NativeLibrary LIBC = NativeLibrary.standard();

    // int open(const char *pathname, int flags, ...)
    private static final WordFunction OPEN = LIBC.words("open");
    // int close(int fd)
    private static final WordFunction CLOSE = LIBC.words("close");
    // int fallocate(int fd, int mode, off_t offset, off_t len)
    private static final WordFunction FALLOCATE = LIBC.words("fallocate");

    /// Binds on first use; the class's initialiser fails where a function is missing.
    public SpaceLibCFfm() {
    }

    @Override
    public int open(byte[] path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(path.length + 1L);
            MemorySegment.copy(path, 0, text, ValueLayout.JAVA_BYTE, 0, path.length);
            return (int) OPEN.call(text.address(), flags);
        }
    }

    @Override
    public int close(int fd) {
        return (int) CLOSE.call(fd);
    }

    @Override
    public int fallocate(int fd, int mode, long offset, long length) {
        return (int) FALLOCATE.call(fd, mode, offset, length);
    }

    @Override
    public int errno() {
        return Errno.last();
    }
}
