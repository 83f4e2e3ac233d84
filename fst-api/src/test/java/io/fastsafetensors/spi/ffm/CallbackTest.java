package io.fastsafetensors.spi.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;

class CallbackTest {
    @Test
    void native_code_reaches_java_by_the_address() {
        List<Long> seen = new ArrayList<>();
        long function = Callback.of("a test", seen::add);
        WordFunction.at(function).call(5);
        WordFunction.at(function).call(-1);
        assertEquals(List.of(5L, -1L), seen);
    }

    @Test
    void what_is_thrown_is_logged_and_goes_no_further() {
        Logger log = Logger.getLogger("io.fastsafetensors.spi");
        List<String> said = new ArrayList<>();
        Handler handler = new Handler() {
            @Override
            public void publish(LogRecord entry) {
                said.add(entry.getMessage() + ": " + entry.getThrown().getMessage());
                throw new IllegalStateException("the log is broken too");
            }

            @Override
            public void flush() {
            }

            @Override
            public void close() {
            }
        };
        log.addHandler(handler);
        log.setUseParentHandlers(false);
        try {
            WordFunction.at(Callback.of("a test", _ -> {
                throw new AssertionError("no way");
            })).call(1);
            assertEquals(List.of("a test failed: no way"), said);
        } finally {
            log.removeHandler(handler);
            log.setUseParentHandlers(true);
        }
    }
}
