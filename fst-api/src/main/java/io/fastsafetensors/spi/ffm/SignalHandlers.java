package io.fastsafetensors.spi.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;

/// Keeps the process's signal handlers as they are around native code that installs its own.
///
/// The JVM lives on some signals: a thread that meets a safepoint or a null reference in compiled code gets SIGSEGV. A
/// compiler inside a driver's library (LLVM in PoCL and in AMD's) takes these signals over for its own crash reports, each
/// until it comes once; when it comes to two threads at a time, the process dies. The JDK's `libjsig`, preloaded, prevents
/// that from outside; a library cannot ask its users for it.
public final class SignalHandlers {
    private static final boolean LINUX = System.getProperty("os.name").equals("Linux");
    /// The real-time signals above are nobody's business here.
    private static final int LAST_SIGNAL = 31;
    /// At least `sizeof(struct sigaction)`, which is 152 with glibc on x86-64 and ARM.
    private static final long STRUCT_BYTES = 256;
    /// One call at a time: two that overlap would take each other's changes for what was there before.
    private static final Object TURN = new Object();

    private SignalHandlers() {
    }

    private static final class Holder {
        // int sigaction(int signum, const struct sigaction *act, struct sigaction *oldact)
        private static final WordFunction SIGACTION = NativeLibrary.standard().words("sigaction");
    }

    /// Calls, and puts back what the call changed; on Linux, elsewhere it only calls. Other threads see the changes
    /// meanwhile, and wait for their turn if they come here too.
    ///
    /// @throws LinkageError if native access is denied
    public static <T> T kept(Supplier<T> call) {
        if (!LINUX) {
            return call.get();
        }
        synchronized (TURN) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment before = read(arena);
                try {
                    return call.get();
                } finally {
                    restore(before, read(arena));
                }
            }
        }
    }

    private static MemorySegment read(Arena arena) {
        MemorySegment actions = arena.allocate((LAST_SIGNAL + 1) * STRUCT_BYTES, 8);
        for (int signal = 1; signal <= LAST_SIGNAL; signal++) {
            Holder.SIGACTION.call(signal, 0, actions.address() + signal * STRUCT_BYTES);
        }
        return actions;
    }

    private static void restore(MemorySegment before, MemorySegment after) {
        for (int signal = 1; signal <= LAST_SIGNAL; signal++) {
            long at = signal * STRUCT_BYTES;
            if (before.asSlice(at, STRUCT_BYTES).mismatch(after.asSlice(at, STRUCT_BYTES)) >= 0) {
                Holder.SIGACTION.call(signal, before.address() + at, 0);
            }
        }
    }
}
