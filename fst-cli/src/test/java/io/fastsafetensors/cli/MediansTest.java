package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class MediansTest {
    @Test
    void the_middle_one_of_an_odd_number() {
        assertEquals(2.0, Medians.median(List.of(9.0, 2.0, 1.0), value -> value));
        assertEquals(7, Medians.medianLong(List.of(7L), value -> value));
    }

    @Test
    void between_the_middle_ones_of_an_even_number() {
        assertEquals(2.5, Medians.median(List.of(9.0, 2.0, 3.0, 1.0), value -> value));
        assertEquals(2, Medians.medianLong(List.of(9L, 2L, 3L, 1L), value -> value));
        assertEquals(9, Medians.maxLong(List.of(9L, 2L), value -> value));
    }
}
