package io.fastsafetensors.cli;

import io.fastsafetensors.api.ProgressListener;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// A line on a terminal's standard error that grows; nothing at all elsewhere. One thread at a time.
final class ProgressBar implements ProgressListener, AutoCloseable {
    private static final int WIDTH = 30;
    private static final long REDRAW_NANOS = 100_000_000;
    private static final String ERASE_LINE = "\r\u001b[K";

    private final @Nullable Screen screen;
    private final String label;
    private final LongSupplier nanos;
    private long start;
    private long drawn;

    ProgressBar(String label, Screen screen) {
        this(label, screen, System::nanoTime);
    }

    /// @param nanos the clock
    ProgressBar(String label, Screen screen, LongSupplier nanos) {
        this.screen = screen.terminal() ? screen : null;
        this.label = label;
        this.nanos = nanos;
        this.start = nanos.getAsLong();
        this.drawn = start - REDRAW_NANOS;
    }

    /// Begins again: speed and remaining time count from now.
    void restart() {
        start = nanos.getAsLong();
    }

    @Override
    public void progress(long bytesDone, long bytesTotal) {
        long now = nanos.getAsLong();
        if (screen == null || now - drawn < REDRAW_NANOS || bytesTotal <= 0) {
            return;
        }
        drawn = now;
        int filled = (int) (WIDTH * Math.min(bytesDone, bytesTotal) / bytesTotal);
        double seconds = (now - start) / 1e9;
        screen.err().print(ERASE_LINE + label + " " + "━".repeat(filled)
                + screen.styled(Screen.Style.FAINT, "─".repeat(WIDTH - filled)) + " " + 100 * bytesDone / bytesTotal
                + " %  " + Sizes.human(bytesDone) + " of " + Sizes.human(bytesTotal) + "  "
                + Sizes.speed(bytesDone, seconds) + "  " + remaining(bytesDone, bytesTotal, seconds));
        screen.err().flush();
    }

    /// At the speed so far.
    private static String remaining(long bytesDone, long bytesTotal, double seconds) {
        return bytesDone <= 0 ? "" : Sizes.time(seconds * (bytesTotal - bytesDone) / bytesDone) + " left";
    }

    /// Wipes the line.
    @Override
    public void close() {
        if (screen != null) {
            screen.err().print(ERASE_LINE);
            screen.err().flush();
        }
    }
}
