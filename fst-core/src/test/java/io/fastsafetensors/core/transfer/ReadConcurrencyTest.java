package io.fastsafetensors.core.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;

class ReadConcurrencyTest {
    private static final long BLOCK = 8 << 20;
    private static final double SECOND = 1e9;

    private int working;

    /// Runs readers against a link whose rate depends on their number alone, on a clock of its own.
    ///
    /// @param rate bytes in a second by number of readers
    private double run(ReadConcurrency pace, double seconds, IntToDoubleFunction rate) {
        long now = 1;
        double begin = now;
        double bytes = 0;
        while ((now - begin) / SECOND < seconds) {
            now += (long) (BLOCK / rate.applyAsDouble(working) * SECOND);
            bytes += BLOCK;
            working += pace.arrived(BLOCK, now);
            while (pace.leaves()) {
                working--;
            }
        }
        return bytes / ((now - begin) / SECOND);
    }

    private static IntToDoubleFunction link(double bandwidth, double latencySeconds) {
        return readers -> Math.min(bandwidth, readers * BLOCK / latencySeconds);
    }

    @Test
    void the_number_grows_within_two_seconds_to_what_latency_needs() {
        working = 16;
        ReadConcurrency pace = new ReadConcurrency(16, 128);
        // 0.5 s for each answer: 16 readers reach 0.27 GB/s, 64 all of the link's 1 GB/s.
        run(pace, 2, link(1e9, 0.5));
        assertTrue(working >= 64, () -> working + " readers");
    }

    @Test
    void a_number_that_serves_stays() {
        working = 16;
        ReadConcurrency pace = new ReadConcurrency(16, 128);
        run(pace, 10, link(1e9, 0.05));
        // Now and then twice as many are tried.
        assertTrue(pace.peak() <= 32, () -> pace.peak() + " readers");
    }

    @Test
    void more_readers_that_make_it_slower_are_taken_back() {
        working = 8;
        ReadConcurrency pace = new ReadConcurrency(8, 64);
        double rate = run(pace, 10, readers -> readers <= 16 ? readers * 5e7 : 4e8);
        assertTrue(working <= 16, () -> working + " readers");
        assertTrue(rate > 6e8, () -> rate + " bytes in a second");
    }

    @Test
    void a_link_that_becomes_slow_to_answer_gets_more_readers_later() {
        working = 16;
        ReadConcurrency pace = new ReadConcurrency(16, 128);
        run(pace, 3, link(1e9, 0.05));
        assertTrue(pace.peak() <= 32, () -> pace.peak() + " readers");
        run(pace, 60, link(1e9, 0.5));
        assertTrue(working >= 64, () -> working + " readers");
    }

    @Test
    void a_fixed_number_is_left_alone() {
        working = 4;
        ReadConcurrency pace = new ReadConcurrency(4, 4);
        run(pace, 2, readers -> readers * 1e8);
        assertEquals(4, working);
        assertFalse(pace.isOneTooMany());
        assertEquals(4, pace.peak());
    }
}
