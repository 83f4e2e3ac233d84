package io.fastsafetensors.spi.base;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class LifetimeTest {
    private final List<String> released = Collections.synchronizedList(new ArrayList<>());
    private final Lifetime backend = Lifetime.of("the backend", () -> released.add("backend"));

    private Runnable releasing(String what) {
        return () -> released.add(what);
    }

    @Test
    void a_second_close_releases_nothing() {
        Lifetime buffer = backend.memory("the buffer", releasing("buffer"));
        buffer.close();
        buffer.close();
        backend.close();
        backend.close();
        assertEquals(List.of("buffer", "backend"), released);
    }

    @Test
    void what_is_closed_says_so() {
        Lifetime buffer = backend.memory("the buffer", releasing("buffer"));
        buffer.requireOpen();
        buffer.close();
        assertEquals("the buffer is closed",
                assertThrows(IllegalStateException.class, buffer::requireOpen).getMessage());
        assertThrows(IllegalStateException.class, () -> buffer.using(() -> 1));
        backend.requireOpen();
    }

    @Test
    void closing_a_backend_closes_work_before_memory_and_the_newest_first() {
        backend.memory("a", releasing("buffer 1"));
        backend.work("b", releasing("stream 1"));
        backend.memory("c", releasing("buffer 2"));
        backend.work("d", releasing("stream 2"));
        backend.close();
        assertEquals(List.of("stream 2", "stream 1", "buffer 2", "buffer 1", "backend"), released);
    }

    @Test
    void nothing_opens_in_what_is_closed_and_what_was_taken_is_released() {
        backend.close();
        assertThrows(IllegalStateException.class, () -> backend.memory("late", releasing("late")));
        assertEquals(List.of("backend", "late"), released);
    }

    @Test
    void a_failed_release_keeps_nothing_else_from_being_released() {
        IllegalArgumentException first = new IllegalArgumentException("first");
        backend.memory("good", releasing("good"));
        backend.memory("bad", () -> {
            throw first;
        });
        backend.work("worse", () -> {
            throw new IllegalStateException("second");
        });
        IllegalStateException told = assertThrows(IllegalStateException.class, backend::close);
        assertEquals("second", told.getMessage());
        assertSame(first, told.getSuppressed()[0]);
        assertEquals(List.of("good", "backend"), released);
        assertDoesNotThrow(backend::close);
    }

    @Test
    void memory_that_is_in_use_stays_and_a_later_close_releases_it() {
        AtomicBoolean inUse = new AtomicBoolean(true);
        Lifetime staging = backend.memory("the staging", () -> {
            if (inUse.get()) {
                throw new StillInUseException("the staging", null);
            }
            released.add("staging");
        });
        assertThrows(StillInUseException.class, staging::close);
        staging.requireOpen();
        assertThrows(StillInUseException.class, backend::close);
        assertTrue(backend.isClosed());
        assertEquals(List.of(), released);
        inUse.set(false);
        backend.close();
        assertEquals(List.of("staging", "backend"), released);
    }

    @SuppressWarnings("MustBeClosed") // The lifetime closes it.
    @Test
    void an_arena_ends_before_its_memory_is_released() {
        Arena arena = Arena.ofShared();
        Lifetime buffer = backend.memory("the buffer", arena, () -> released.add("alive: " + arena.scope().isAlive()));
        buffer.close();
        assertEquals(List.of("alive: false"), released);
        Arena closed = Arena.ofShared();
        Lifetime twice = backend.memory("the buffer", closed, releasing("all the same"));
        closed.close();
        twice.close();
        assertEquals("all the same", released.getLast());
    }

    @Test
    void closing_waits_for_work_that_uses_it() throws InterruptedException {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch leave = new CountDownLatch(1);
        Lifetime file = backend.work("the file", releasing("file"));
        Thread user = Thread.ofPlatform().start(() -> file.using(() -> {
            inside.countDown();
            assertDoesNotThrow(() -> leave.await());
            return released.add("used");
        }));
        inside.await();
        Thread closer = Thread.ofPlatform().start(backend::close);
        while (!backend.isClosed() || closer.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        assertEquals(List.of(), released);
        leave.countDown();
        user.join();
        closer.join();
        assertEquals(List.of("used", "file", "backend"), released);
    }

    @Test
    void work_does_not_close_what_it_uses() {
        assertThrows(IllegalStateException.class, () -> backend.using(() -> {
            backend.close();
            return 1;
        }));
        assertFalse(backend.isClosed());
    }

    @Test
    void threads_that_close_at_once_release_once() throws InterruptedException {
        for (int round = 0; round < 200; round++) {
            AtomicInteger count = new AtomicInteger();
            Lifetime root = Lifetime.of("root", count::incrementAndGet);
            Lifetime child = root.memory("child", count::incrementAndGet);
            List<Thread> threads = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                Runnable close = t % 2 == 0 ? child::close : root::close;
                threads.add(Thread.ofPlatform().start(close));
            }
            for (Thread each : threads) {
                each.join();
            }
            assertEquals(2, count.get());
        }
    }
}
