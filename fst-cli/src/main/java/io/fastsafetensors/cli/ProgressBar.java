package io.fastsafetensors.cli;

import io.fastsafetensors.api.ProgressListener;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/// A line on standard error that shows how far a transfer is; nothing at all where that is no terminal. Follows the
/// terminal's width. Thread-safe.
final class ProgressBar implements ProgressListener, AutoCloseable {
    private static final int WIDEST = 30;
    private static final int NARROWEST = 8;
    private static final long REDRAW_NANOS = 100_000_000;
    private static final String TO_COLUMN_1 = "\r";
    private static final String ERASE_BELOW = "\u001b[J";

    private final Screen screen;
    private final Terminal terminal;
    private final String label;
    private final Thread atExit = new Thread(this::stop, "fst-progress");
    private final LongSupplier nanos;
    private final Consumer<Map<String, Long>> overflows;
    private long start;
    private long drawn;
    private int shown;
    private boolean stopped;

    ProgressBar(String label, Screen screen) {
        this(label, screen, System::nanoTime);
    }

    /// @param overflows told of what overflowed
    ProgressBar(String label, Screen screen, Consumer<Map<String, Long>> overflows) {
        this(label, screen, System::nanoTime, overflows);
    }

    /// @param nanos the clock
    ProgressBar(String label, Screen screen, LongSupplier nanos) {
        this(label, screen, nanos, _ -> {
        });
    }

    private ProgressBar(String label, Screen screen, LongSupplier nanos, Consumer<Map<String, Long>> overflows) {
        this.overflows = overflows;
        this.screen = screen;
        this.terminal = screen.errTerminal();
        this.label = label;
        this.nanos = nanos;
        this.start = nanos.getAsLong();
        this.drawn = start - REDRAW_NANOS;
        this.stopped = !terminal.isPresent();
        if (!stopped) {
            // Ctrl-C ends the JVM wherever it is: the prompt then gets a line of its own.
            Runtime.getRuntime().addShutdownHook(atExit);
        }
    }

    /// Begins again: speed and remaining time count from now.
    synchronized void restart() {
        start = nanos.getAsLong();
    }

    @Override
    public synchronized void progress(long bytesDone, long bytesTotal) {
        long now = nanos.getAsLong();
        if (stopped || now - drawn < REDRAW_NANOS || bytesTotal <= 0) {
            return;
        }
        drawn = now;
        draw(Math.min(bytesDone, bytesTotal), bytesTotal, (now - start) / 1e9);
    }

    @Override
    public void overflowed(Map<String, Long> counts) {
        overflows.accept(counts);
    }

    private void draw(long done, long total, double seconds) {
        // The last column stays free: some terminals wrap as soon as it is taken.
        int room = terminal.columns() - 1;
        String percent = " " + 100 * done / total + " %";
        List<String> facts = List.of("  " + Sizes.human(done) + " of " + Sizes.human(total),
                "  " + Sizes.speed(done, seconds), remaining(done, total, seconds));
        StringBuilder tail = new StringBuilder(percent);
        int bare = label.length() + 1;
        for (String fact : facts) {
            if (bare + NARROWEST + tail.length() + fact.length() <= room) {
                tail.append(fact);
            }
        }
        int width = Math.clamp(room - bare - tail.length(), 0, WIDEST);
        int filled = (int) (width * done / total);
        String bar = "━".repeat(filled) + Screen.Style.FAINT.apply("─".repeat(width - filled), terminal);
        boolean fits = bare + width + tail.length() <= room;
        erase();
        shown = fits ? bare + width + tail.length() : Math.min(room, percent.length() - 1);
        screen.err().print(fits ? label + " " + bar + tail : percent.substring(1, 1 + Math.max(0, shown)));
        screen.err().flush();
    }

    /// At the speed so far.
    private static String remaining(long done, long total, double seconds) {
        return done <= 0 ? "" : "  " + Sizes.time(seconds * (total - done) / done) + " left";
    }

    /// Wipes the line, and the rows into which a terminal that became narrower has broken it.
    private void erase() {
        int columns = Math.max(1, terminal.columns());
        int rowsAbove = Math.max(0, (shown - 1) / columns);
        screen.err().print(TO_COLUMN_1 + (rowsAbove == 0 ? "" : "\u001b[" + rowsAbove + "A") + ERASE_BELOW);
    }

    private synchronized void stop() {
        if (!stopped) {
            stopped = true;
            erase();
            screen.err().flush();
        }
    }

    /// Wipes the line.
    @Override
    public void close() {
        if (terminal.isPresent()) {
            stop();
            try {
                Runtime.getRuntime().removeShutdownHook(atExit);
            } catch (IllegalStateException e) {
                // The JVM is ending: the hook has run or is running, and does the same.
                return;
            }
        }
    }
}
