package io.fastsafetensors.gpu.ffm;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;

/// [PageLibC] on this process's C library; 64-bit Linux only.
public final class PageLibCFfm implements PageLibC {
    private static final NativeLibrary LIBC = NativeLibrary.standard();
    private static final int NO_FILE = -1;

    // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
    private static final WordFunction MMAP = LIBC.words("mmap");
    // int munmap(void *addr, size_t length)
    private static final WordFunction MUNMAP = LIBC.words("munmap");
    // int madvise(void *addr, size_t length, int advice)
    private static final WordFunction MADVISE = LIBC.words("madvise");

    /// Binds on first use; the class's initialiser fails where a function or native access is missing.
    public PageLibCFfm() {
    }

    @Override
    public long mmap(long length, int prot, int flags) {
        return MMAP.call(0, length, prot, flags, NO_FILE, 0);
    }

    @Override
    public int munmap(long address, long length) {
        return (int) MUNMAP.call(address, length);
    }

    @Override
    public int madvise(long address, long length, int advice) {
        return (int) MADVISE.call(address, length, advice);
    }
}
