package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class SizesTest {
    @Test
    void sizes_are_read_with_and_without_units() {
        assertEquals(0, Sizes.parse("-", "0"));
        assertEquals(4096, Sizes.parse("-", "4096"));
        assertEquals(12, Sizes.parse("-", " 12 B "));
        assertEquals(5_000, Sizes.parse("-", "5KB"));
        assertEquals(65_536, Sizes.parse("-", "64KiB"));
        assertEquals(7_000_000, Sizes.parse("-", "7mb"));
        assertEquals(8L << 20, Sizes.parse("-", "8 MiB"));
        assertEquals(1_500_000_000, Sizes.parse("-", "1.5GB"));
        assertEquals(8L << 30, Sizes.parse("-", "8GiB"));
        assertEquals(1L << 40, Sizes.parse("-", "1TiB"));
        assertEquals(Long.MAX_VALUE, Sizes.parse("-", "9223372036854775807"));
    }

    @Test
    void anything_else_is_refused_by_the_options_name() {
        for (String text : List.of("", "GiB", "-1", "1.2.3", "8GiBB", "12 parsecs", "9223372036854775808", "1e3", ".",
                "٣", "9999999TiB")) {
            UsageException e = assertThrows(UsageException.class, () -> Sizes.parse("--budget", text), text);
            assertTrue(e.getMessage().startsWith("--budget: \"" + text + "\""), e.getMessage());
        }
    }

    @Test
    void people_get_units() {
        assertEquals("0 B", Sizes.human(0));
        assertEquals("1023 B", Sizes.human(1023));
        assertEquals("1.00 KiB", Sizes.human(1024));
        assertEquals("1.50 MiB", Sizes.human(3L << 19));
        assertEquals("12.0 GiB", Sizes.human(12L << 30));
        assertEquals("8.00 EiB", Sizes.human(Long.MAX_VALUE));
        assertEquals("1 tensor", Sizes.count(1, "tensor"));
        assertEquals("128,256 tensors", Sizes.count(128_256, "tensor"));
        assertEquals("2.38 GB/s", Sizes.speed(2_380_000_000L, 1));
        assertEquals("12.0 ms", Sizes.time(0.012));
        assertEquals("1.20 s", Sizes.time(1.2));
    }

    @Test
    void numbers_have_exactly_the_digits_asked_for() {
        assertEquals("0.000000", Sizes.fixed(0, 6));
        assertEquals("0.050", Sizes.fixed(0.05, 3));
        assertEquals("2.00", Sizes.fixed(1.999, 2));
        assertEquals("-1.5", Sizes.fixed(-1.46, 1));
        assertEquals("0.0", Sizes.fixed(-0.01, 1));
        assertEquals("3", Sizes.fixed(2.5, 0));
        assertEquals("Infinity", Sizes.fixed(Double.POSITIVE_INFINITY, 2));
    }
}
