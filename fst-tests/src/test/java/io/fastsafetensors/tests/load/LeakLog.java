package io.fastsafetensors.tests.load;

import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/// Listens to what the leak detector says.
final class LeakLog implements AutoCloseable {
    private static final Logger LOG = Logger.getLogger("io.fastsafetensors.leaks");

    private final StringBuffer said = new StringBuffer();
    private final Handler handler = new Handler() {
        @Override
        public void publish(LogRecord entry) {
            said.append(entry.getMessage()).append('\n');
        }

        @Override
        public void flush() {
        }

        @Override
        public void close() {
        }
    };

    LeakLog() {
        LOG.addHandler(handler);
        LOG.setUseParentHandlers(false);
    }

    /// Collects garbage until it was said, for some seconds at most.
    boolean waitFor(String text) throws InterruptedException {
        for (int i = 0; i < 100 && said.indexOf(text) < 0; i++) {
            System.gc();
            Thread.sleep(20);
        }
        return said.indexOf(text) >= 0;
    }

    long count(String text) {
        return said.toString().lines().filter(line -> line.contains(text)).count();
    }

    @Override
    public void close() {
        LOG.removeHandler(handler);
        LOG.setUseParentHandlers(true);
    }

    /// All of it.
    @Override
    public String toString() {
        return said.toString();
    }
}
