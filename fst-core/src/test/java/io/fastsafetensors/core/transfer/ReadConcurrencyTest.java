package io.fastsafetensors.core.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.NavigableMap;
import java.util.PriorityQueue;
import java.util.TreeMap;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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

    /// Readers that each ask for a block, wait for the answer's latency, and then share the link with the others; both
    /// may change while they read.
    private static final class Simulation {
        private final ReadConcurrency pace;
        private final PriorityQueue<Long> answers = new PriorityQueue<>();
        private final NavigableMap<Long, Long> arrivals = new TreeMap<>();
        private long now = 1;
        private long linkFree = 1;
        private long latency;
        private double bytesInNano;
        private long received;

        Simulation(ReadConcurrency pace, int first, double bandwidth, double latencySeconds) {
            this.pace = pace;
            link(bandwidth, latencySeconds);
            ask(first);
        }

        void link(double bandwidth, double latencySeconds) {
            bytesInNano = bandwidth / SECOND;
            latency = (long) (latencySeconds * SECOND);
        }

        private void ask(int readers) {
            for (int i = 0; i < readers; i++) {
                answers.add(now + latency);
            }
        }

        /// Goes on for so long.
        Simulation run(double seconds) {
            long end = now + (long) (seconds * SECOND);
            while (Math.max(answers.element(), linkFree) < end) {
                now = Math.max(answers.remove(), linkFree) + (long) (BLOCK / bytesInNano);
                linkFree = now;
                received += BLOCK;
                arrivals.put(now, received);
                ask(pace.arrived(BLOCK, now));
                if (!pace.leaves()) {
                    ask(1);
                }
            }
            now = Math.max(now, end);
            return this;
        }

        /// Bytes in a second over the last seconds.
        double rate(double seconds) {
            long from = now - (long) (seconds * SECOND);
            return (received - arrivals.floorEntry(from).getValue()) / seconds;
        }
    }

    /// What requests in flight can bring: the link's bandwidth, or one window for each latency.
    private static double arithmetic(double bandwidth, double latencySeconds, int readers) {
        return Math.min(bandwidth, readers * BLOCK / (latencySeconds + BLOCK / bandwidth));
    }

    private static void requireRate(Simulation simulation, double bandwidth, double latencySeconds) {
        double rate = simulation.rate(1);
        double due = 0.8 * arithmetic(bandwidth, latencySeconds, 64);
        assertTrue(rate >= due,
                () -> String.format("%.2f GB/s after two seconds, %.2f are due at %.1f GB/s and %.0f ms",
                        rate / 1e9, due / 1e9, bandwidth / 1e9, latencySeconds * 1e3));
    }

    @ParameterizedTest
    @CsvSource({"0.5, 0.05", "1.5, 0.05", "3, 0.05", "6, 0.05", "1, 0.2", "2, 0.2"})
    void a_load_reaches_the_rate_of_its_link_within_two_seconds(double gigabytes, double latencySeconds) {
        double bandwidth = gigabytes * 1e9;
        Simulation simulation = new Simulation(new ReadConcurrency(16, 64), 16, bandwidth, latencySeconds);
        requireRate(simulation.run(3), bandwidth, latencySeconds);
    }

    @ParameterizedTest
    @CsvSource({"0.5, 0.05", "1.5, 0.05", "3, 0.05", "6, 0.05", "1, 0.2", "2, 0.2"})
    void a_delay_that_appears_in_the_middle_is_made_up_for_within_two_seconds(double gigabytes, double latencySeconds) {
        double bandwidth = gigabytes * 1e9;
        for (double before = 0.5; before < 4; before += 0.25) {
            Simulation simulation = new Simulation(new ReadConcurrency(16, 64), 16, bandwidth, 0.001).run(before);
            simulation.link(bandwidth, latencySeconds);
            requireRate(simulation.run(3), bandwidth, latencySeconds);
        }
    }

    @ParameterizedTest
    @CsvSource({"0.5, 0.05", "1.5, 0.05", "3, 0.05", "6, 0.05", "1, 0.2", "2, 0.2"})
    void the_end_of_a_delay_is_made_use_of_within_two_seconds(double gigabytes, double latencySeconds) {
        double bandwidth = gigabytes * 1e9;
        for (double before = 0.5; before < 4; before += 0.25) {
            Simulation simulation = new Simulation(new ReadConcurrency(16, 64), 16, bandwidth, latencySeconds)
                    .run(before);
            simulation.link(bandwidth, 0.001);
            requireRate(simulation.run(3), bandwidth, 0.001);
        }
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
