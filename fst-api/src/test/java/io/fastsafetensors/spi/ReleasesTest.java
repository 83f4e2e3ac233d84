package io.fastsafetensors.spi;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReleasesTest {
    private final List<String> taken = new ArrayList<>();

    private Runnable step(String name) {
        return () -> taken.add(name);
    }

    private static Runnable failing(Throwable why) {
        return () -> {
            switch (why) {
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                default -> throw new IllegalArgumentException(why);
            }
        };
    }

    @Test
    void every_step_is_taken_and_the_first_failure_carries_the_others() {
        IllegalStateException first = new IllegalStateException("first");
        AssertionError second = new AssertionError("second");
        Releases releases = new Releases().run(step("a")).run(failing(first)).run(step("b")).run(failing(second))
                .run(step("c"));
        assertSame(first, assertThrows(IllegalStateException.class, releases::finish));
        assertArrayEquals(new Throwable[] {second}, first.getSuppressed());
        assertEquals(List.of("a", "b", "c"), taken);
    }

    @Test
    void an_error_keeps_nothing_from_being_released_and_is_thrown_as_it_is() {
        OutOfMemoryError first = new OutOfMemoryError("first");
        Releases releases = new Releases().run(failing(first)).run(step("a"));
        assertSame(first, assertThrows(OutOfMemoryError.class, releases::finish));
        assertEquals(List.of("a"), taken);
    }

    @Test
    void one_failure_thrown_by_several_steps_is_told_once() {
        IllegalStateException same = new IllegalStateException("same");
        Releases releases = new Releases().run(failing(same)).run(failing(same));
        assertSame(same, assertThrows(IllegalStateException.class, releases::finish));
        assertSame(same, releases.because(same));
        assertEquals(0, same.getSuppressed().length);
    }

    @Test
    void a_step_says_whether_it_failed() {
        Releases releases = new Releases();
        assertTrue(releases.attempt(step("a")));
        assertFalse(releases.attempt(failing(new IllegalStateException())));
        new Releases().run(step("b")).finish();
    }
}
