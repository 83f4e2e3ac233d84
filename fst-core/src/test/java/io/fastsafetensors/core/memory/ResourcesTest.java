package io.fastsafetensors.core.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.LoadInterruptedException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class ResourcesTest {
    private final List<String> released = new ArrayList<>();

    private Resources of(String... names) {
        Resources resources = new Resources();
        for (String name : names) {
            resources.add(() -> {
                released.add(name);
                if (name.startsWith("bad")) {
                    throw new IllegalStateException(name);
                }
            });
        }
        return resources;
    }

    @Test
    void the_last_is_released_first_and_each_once() {
        Resources resources = of("a", "b", "c");
        resources.close();
        resources.close();
        assertEquals(List.of("c", "b", "a"), released);
    }

    @Test
    void what_fails_keeps_nothing_else_and_is_told_once() {
        Resources resources = of("a", "bad1", "b", "bad2");
        IllegalStateException e = assertThrows(IllegalStateException.class, resources::close);
        assertEquals("bad2", e.getMessage());
        assertEquals("bad1", e.getSuppressed()[0].getMessage());
        resources.close();
        assertEquals(List.of("bad2", "b", "bad1", "a"), released);
    }

    @Test
    void what_is_handed_over_is_released_by_who_took_it() {
        Resources taken;
        try (Resources resources = of("a", "b")) {
            taken = resources.handOver();
        }
        assertEquals(List.of(), released);
        taken.close();
        assertEquals(List.of("b", "a"), released);
    }

    @Test
    void a_reference_count_that_has_ended_does_not_come_back() {
        References references = new References();
        references.retain("it");
        assertTrue(!references.release() && references.release());
        assertTrue(!references.tryRetain());
        assertEquals("it is closed",
                assertThrows(IllegalStateException.class, () -> references.retain("it")).getMessage());
        assertThrows(AssertionError.class, references::release);
    }

    @Test
    void waiting_is_interrupted_with_the_status_kept() {
        Thread.currentThread().interrupt();
        LoadInterruptedException e = assertThrows(LoadInterruptedException.class,
                () -> Waits.interruptibly(new CountDownLatch(1)::await, "bytes"));
        assertTrue(Thread.interrupted());
        assertTrue(e.getMessage().contains("bytes"), e.getMessage());
    }

    @Test
    void a_close_on_an_interrupted_thread_does_not_wait_for_ever_and_keeps_the_status() {
        Thread.currentThread().interrupt();
        assertTrue(!Waits.toClose(new CountDownLatch(1)));
        assertTrue(Thread.interrupted());
        assertTrue(Waits.toClose(new CountDownLatch(0)));
    }
}
