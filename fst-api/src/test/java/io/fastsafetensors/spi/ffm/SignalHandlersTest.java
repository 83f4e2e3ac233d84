package io.fastsafetensors.spi.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@EnabledOnOs(OS.LINUX)
class SignalHandlersTest {
    private static final int SIGFPE = 8;
    private static final int SIGUSR2 = 12;
    private static final long SIG_IGN = 1;
    private static final WordFunction SIGACTION = NativeLibrary.standard().words("sigaction");
    private static final WordFunction SIGNAL = NativeLibrary.standard().words("signal");

    private static long handler(int signal) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment action = arena.allocate(256, 8);
            SIGACTION.call(signal, 0, action.address());
            return action.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    @Test
    void what_a_call_changes_is_put_back() {
        long before = handler(SIGUSR2);
        assertNotEquals(SIG_IGN, before);
        long inside = SignalHandlers.kept(() -> {
            SIGNAL.call(SIGUSR2, SIG_IGN);
            return handler(SIGUSR2);
        });
        assertEquals(SIG_IGN, inside);
        assertEquals(before, handler(SIGUSR2));
    }

    @Test
    void also_after_a_failure() {
        long before = handler(SIGUSR2);
        assertThrows(IllegalStateException.class, () -> SignalHandlers.kept(() -> {
            SIGNAL.call(SIGUSR2, SIG_IGN);
            throw new IllegalStateException();
        }));
        assertEquals(before, handler(SIGUSR2));
    }

    @Test
    void calls_that_overlap_put_back_what_was_there_before_all_of_them() throws InterruptedException {
        long before = handler(SIGUSR2);
        Runnable calls = () -> {
            for (int i = 0; i < 300; i++) {
                SignalHandlers.kept(() -> SIGNAL.call(SIGUSR2, SIG_IGN));
            }
        };
        Thread other = Thread.ofPlatform().start(calls);
        calls.run();
        other.join();
        assertEquals(before, handler(SIGUSR2));
    }

    /// The JVM gets SIGFPE for it.
    @Test
    void the_jvm_still_gets_its_own() {
        long before = handler(SIGFPE);
        assertEquals("done", SignalHandlers.kept(() -> "done"));
        assertEquals(before, handler(SIGFPE));
        int zero = Integer.parseInt("0");
        assertThrows(ArithmeticException.class, () -> assertEquals(0, 1 / zero));
    }
}
