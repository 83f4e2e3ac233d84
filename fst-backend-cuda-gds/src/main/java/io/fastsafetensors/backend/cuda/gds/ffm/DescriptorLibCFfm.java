package io.fastsafetensors.backend.cuda.gds.ffm;

import io.fastsafetensors.spi.ffm.Errno;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.Arena;
import java.nio.file.Path;

/// [DescriptorLibC] on this process's C library; 64-bit Linux only.
public final class DescriptorLibCFfm implements DescriptorLibC {
    private static final NativeLibrary LIBC = NativeLibrary.standard();
    private static final int O_DIRECT_X86 = 0x4000;
    private static final int O_DIRECT_ARM = 0x10000;
    /// Longer than any of the C library's messages.
    private static final int LONGEST_MESSAGE = 256;

    // int open(const char *pathname, int flags, ...)
    private static final WordFunction OPEN = LIBC.words("open");
    // int close(int fd)
    private static final WordFunction CLOSE = LIBC.words("close");
    // char *strerror(int errnum)
    private static final WordFunction STRERROR = LIBC.words("strerror");

    /// Binds on first use; the class's initialiser fails where a function is missing.
    public DescriptorLibCFfm() {
    }

    @Override
    public int o_direct() {
        return System.getProperty("os.arch").equals("aarch64") ? O_DIRECT_ARM : O_DIRECT_X86;
    }

    @Override
    public int open(Path path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) OPEN.call(arena.allocateFrom(path.toString()).address(), flags);
        }
    }

    @Override
    public int close(int fd) {
        return (int) CLOSE.call(fd);
    }

    @Override
    public int errno() {
        return Errno.last();
    }

    @Override
    public String strerror(int errno) {
        try (Arena arena = Arena.ofConfined()) {
            return RawMemory.view(STRERROR.call(errno), LONGEST_MESSAGE, arena).getString(0);
        }
    }
}
