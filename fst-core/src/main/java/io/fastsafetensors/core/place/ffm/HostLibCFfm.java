package io.fastsafetensors.core.place.ffm;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.Arena;

/// [HostLibC] on this process's C library; 64-bit Linux only.
final class HostLibCFfm implements HostLibC {
    private static final NativeLibrary LIBC = NativeLibrary.standard();
    private static final long THIS_THREAD = 0;

    // int madvise(void *addr, size_t length, int advice)
    private static final WordFunction MADVISE = LIBC.words("madvise");
    // int sched_setaffinity(pid_t pid, size_t cpusetsize, const cpu_set_t *mask)
    private static final WordFunction SCHED_SETAFFINITY = LIBC.words("sched_setaffinity");

    /// Binds on first use; the class's initialiser fails where a function or native access is missing.
    HostLibCFfm() {
    }

    @Override
    public int madvise(long address, long length, int advice) {
        return (int) MADVISE.call(address, length, advice);
    }

    @Override
    public int sched_setaffinity(long... mask) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) SCHED_SETAFFINITY.call(THIS_THREAD, mask.length * JAVA_LONG.byteSize(),
                    arena.allocateFrom(JAVA_LONG, mask).address());
        }
    }
}
