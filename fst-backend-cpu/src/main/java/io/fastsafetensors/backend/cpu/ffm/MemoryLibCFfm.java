package io.fastsafetensors.backend.cpu.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.spi.ffm.Errno;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/// [MemoryLibC] on this process's C library; 64-bit Linux only.
public final class MemoryLibCFfm implements MemoryLibC {
    private static final NativeLibrary LIBC = NativeLibrary.standard();
    private static final int NO_FILE = -1;

    // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
    private static final MethodHandle MMAP = LIBC.bind("mmap",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG),
            Errno.option());
    // int munmap(void *addr, size_t length)
    private static final MethodHandle MUNMAP = LIBC.bind("munmap",
            FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG), Errno.option());
    // int madvise(void *addr, size_t length, int advice)
    private static final MethodHandle MADVISE = LIBC.bind("madvise",
            FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT), Errno.option());
    // int getpagesize(void)
    private static final MethodHandle GETPAGESIZE = LIBC.bind("getpagesize", FunctionDescriptor.of(JAVA_INT));

    /// Binds on first use; the class's initialiser fails where a function or native access is missing.
    public MemoryLibCFfm() {
    }

    @Override
    public long mmap(long length, int prot, int flags) {
        try {
            return (long) MMAP.invokeExact(Errno.capture(), 0L, length, prot, flags, NO_FILE, 0L);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public int munmap(long address, long length) {
        try {
            return (int) MUNMAP.invokeExact(Errno.capture(), address, length);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public int madvise(long address, long length, int advice) {
        try {
            return (int) MADVISE.invokeExact(Errno.capture(), address, length, advice);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public int getpagesize() {
        try {
            return (int) GETPAGESIZE.invokeExact();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public int errno() {
        return Errno.last();
    }
}
