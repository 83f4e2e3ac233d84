package io.fastsafetensors.cli.ffm;

import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.IntSupplier;

/// Asks 64-bit Linux for the width of a terminal.
public final class WindowSize {
    private static final int UNKNOWN = -1;

    private WindowSize() {
    }

    private static final class Calls {
        private static final long TIOCGWINSZ = 0x5413;
        private static final int WINSIZE_BYTES = 8;
        private static final int WS_COL = 2;

        // int ioctl(int fd, unsigned long request, ...); struct winsize {unsigned short ws_row, ws_col, ...}
        private static final WordFunction IOCTL = NativeLibrary.standard().words("ioctl");

        private static int columns(int descriptor) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment size = arena.allocate(WINSIZE_BYTES, 8);
                int status = (int) IOCTL.call(descriptor, TIOCGWINSZ, size.address());
                return status < 0 ? UNKNOWN : Short.toUnsignedInt(size.get(JAVA_SHORT, WS_COL));
            }
        }
    }

    /// The columns of a terminal, asked again at each call: 0 if the terminal does not know, negative if the descriptor
    /// is no terminal or the system cannot tell.
    public static IntSupplier columnsOf(int descriptor) {
        try {
            Calls.columns(descriptor);
            return () -> Calls.columns(descriptor);
        } catch (IllegalCallerException | LinkageError e) {
            System.getLogger("io.fastsafetensors.cli").log(Level.DEBUG, "no native calls", e);
            return () -> UNKNOWN;
        }
    }
}
