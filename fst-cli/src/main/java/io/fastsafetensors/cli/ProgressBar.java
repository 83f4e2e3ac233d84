package io.fastsafetensors.cli;

import io.fastsafetensors.api.ProgressListener;
import org.jspecify.annotations.Nullable;

/// A line on a terminal's standard error that grows; nothing at all elsewhere. One thread at a time.
final class ProgressBar implements ProgressListener, AutoCloseable {
    private static final int WIDTH = 30;
    private static final long REDRAW_NANOS = 100_000_000;
    private static final String ERASE_LINE = "\r\u001b[K";

    private final @Nullable Screen screen;
    private final String label;
    private final long start = System.nanoTime();
    private long drawn = start - REDRAW_NANOS;

    ProgressBar(String label, Screen screen) {
        this.screen = screen.terminal() ? screen : null;
        this.label = label;
    }

    @Override
    public void progress(long bytesDone, long bytesTotal) {
        long now = System.nanoTime();
        if (screen == null || now - drawn < REDRAW_NANOS || bytesTotal <= 0) {
            return;
        }
        drawn = now;
        int filled = (int) (WIDTH * Math.min(bytesDone, bytesTotal) / bytesTotal);
        screen.err().print(ERASE_LINE + label + " " + "━".repeat(filled)
                + screen.styled(Screen.Style.FAINT, "─".repeat(WIDTH - filled)) + " " + 100 * bytesDone / bytesTotal
                + " %  " + Sizes.speed(bytesDone, (now - start) / 1e9));
        screen.err().flush();
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
