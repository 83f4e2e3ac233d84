package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ProgressBarTest {
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private long now;

    private Screen screen(boolean terminal) {
        return new Screen(System.out, new PrintStream(err, true, StandardCharsets.UTF_8), terminal);
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
        assertTrue(written().endsWith("\r\u001b[K"), "the line is wiped");
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
}
