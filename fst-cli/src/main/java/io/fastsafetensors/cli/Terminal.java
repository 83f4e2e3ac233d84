package io.fastsafetensors.cli;

import io.fastsafetensors.cli.ffm.WindowSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.function.IntSupplier;

/// One of the process's streams as its reader sees it: a terminal of some width, or [#NONE].
///
/// @param size the columns now, 0 if there is no terminal
/// @param colours whether it shows colours
public record Terminal(IntSupplier size, boolean colours) {
    /// A file, a pipe, or nobody.
    public static final Terminal NONE = new Terminal(() -> 0, false);

    private static final int USUAL_COLUMNS = 80;

    /// A terminal of a fixed width.
    static Terminal of(int columns, boolean colours) {
        return new Terminal(() -> columns, colours);
    }

    /// What a file descriptor is connected to. `TERM=dumb` is no terminal, since lines cannot be redrawn there; `NO_COLOR`
    /// takes the colours away and nothing else.
    static Terminal of(int descriptor) {
        if (!isDevice(descriptor) || "dumb".equals(System.getenv("TERM"))) {
            return NONE;
        }
        IntSupplier columns = WindowSize.columnsOf(descriptor);
        if (columns.getAsInt() < 0) {
            return NONE;
        }
        boolean colours = Objects.requireNonNullElse(System.getenv("NO_COLOR"), "").isEmpty();
        // A terminal that does not know its width says 0.
        return new Terminal(() -> columns.getAsInt() <= 0 ? USUAL_COLUMNS : columns.getAsInt(), colours);
    }

    // Spares pipes and files the native call, and with it the binding of a function.
    private static boolean isDevice(int descriptor) {
        try {
            String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
            return target.startsWith("/dev/") && !target.equals("/dev/null");
        } catch (IOException e) {
            return false;
        }
    }

    /// Whether there is a terminal.
    boolean isPresent() {
        return columns() > 0;
    }

    /// Its width now, 0 if there is none.
    int columns() {
        return size.getAsInt();
    }
}
