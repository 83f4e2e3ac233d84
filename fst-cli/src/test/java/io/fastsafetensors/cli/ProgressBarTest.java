package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class ProgressBarTest {
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private long now;

    private Screen screen(Terminal terminal) {
        return new Screen(System.out, new PrintStream(err, true, StandardCharsets.UTF_8), Terminal.NONE, terminal);
    }

    private Screen screen(boolean terminal) {
        return screen(terminal ? Terminal.of(120, true) : Terminal.NONE);
    }

    private String written() {
        return err.toString(StandardCharsets.UTF_8);
    }

    @Test
    void a_terminal_sees_bytes_speed_and_remaining_time() {
        try (ProgressBar bar = new ProgressBar("loading", screen(true), () -> now)) {
            now = 5_000_000;
            bar.progress(1L << 30, 4L << 30);
            String line = written();
            assertTrue(line.contains("loading") && line.contains(" 25 %") && line.contains("1.00 GiB of 4.00 GiB")
                    && line.contains(" GB/s") && line.endsWith(" left"), line);
            now += 99_000_000;
            bar.progress(2L << 30, 4L << 30);
            assertEquals(line, written(), "not more often than somebody can read");
            now += 1_000_000;
            bar.progress(2L << 30, 4L << 30);
            assertTrue(written().contains(" 50 %"), written());
        }
        assertTrue(written().endsWith("\r\u001b[J"), "the line is wiped");
    }

    @Test
    void the_remaining_time_is_at_the_speed_since_the_start() {
        try (ProgressBar bar = new ProgressBar("loading", screen(true), () -> now)) {
            now = 200_000_000;
            bar.progress(1, 3);
            String left = written().substring(written().lastIndexOf("GB/s") + 4).replace(" left", "").strip();
            assertEquals(Sizes.time(0.4), left, "two thirds are left after 0.2 s");
        }
    }

    @Test
    void nobody_watching_sees_nothing() {
        try (ProgressBar bar = new ProgressBar("loading", screen(false))) {
            bar.progress(1, 2);
        }
        assertEquals("", written());
    }

    @Test
    void a_load_of_nothing_is_no_division_by_zero() {
        try (ProgressBar bar = new ProgressBar("loading", screen(true))) {
            bar.progress(0, 0);
            bar.progress(0, 5);
        }
        assertTrue(written().contains(" 0 %"), written());
    }

    @Test
    void it_stays_on_one_line_of_any_terminal() {
        for (int columns : new int[] {1, 2, 5, 9, 20, 40, 60, 79, 80, 81, 200}) {
            for (String label : new String[] {"loading", "a label that is longer than some terminals are wide"}) {
                err.reset();
                try (ProgressBar bar = new ProgressBar(label, screen(Terminal.of(columns, true)))) {
                    bar.progress(3L << 30, 4L << 30);
                    String line = visible(written());
                    assertTrue(Width.of(line) < Math.max(2, columns), columns + " columns: " + line);
                    assertTrue(columns < 6 || line.contains("75 %"), columns + " columns: " + line);
                }
            }
        }
    }

    @Test
    void what_fits_is_shown() {
        try (ProgressBar bar = new ProgressBar("loading", screen(Terminal.of(50, false)))) {
            bar.progress(1L << 30, 4L << 30);
            String line = visible(written());
            assertTrue(line.contains("1.00 GiB of 4.00 GiB") && !line.contains("left"), line);
        }
    }

    @Test
    void a_terminal_without_colours_has_a_bar() {
        try (ProgressBar bar = new ProgressBar("loading", screen(Terminal.of(80, false)))) {
            bar.progress(1, 2);
        }
        assertTrue(written().contains("━") && !written().contains("m─"), written());
    }

    @Test
    void rows_that_a_narrower_terminal_made_are_wiped() {
        AtomicInteger columns = new AtomicInteger(100);
        try (ProgressBar bar = new ProgressBar("loading", screen(new Terminal(columns::get, false)))) {
            bar.progress(1L << 30, 4L << 30);
            columns.set((Width.of(visible(written())) + 2) / 3);
        }
        assertTrue(written().endsWith("\r\u001b[2A\u001b[J"), "two rows above the last one");
    }

    /// Without what moves the cursor, erases or colours.
    private static String visible(String text) {
        return text.replaceAll("\u001b\\[[0-9]*[A-Za-z]", "").replace("\r", "");
    }
}
