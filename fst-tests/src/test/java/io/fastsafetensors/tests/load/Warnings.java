package io.fastsafetensors.tests.load;

import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/// Listens to what fst warns of, and keeps it from the console.
final class Warnings implements AutoCloseable {
    private static final Logger LOG = Logger.getLogger("io.fastsafetensors");

    private final StringBuffer said = new StringBuffer();
    private final Handler handler = new Handler() {
        @Override
        public void publish(LogRecord entry) {
            if (entry.getLevel().intValue() >= Level.WARNING.intValue()) {
                said.append(entry.getMessage()).append(entry.getThrown() == null ? "" : ": " + entry.getThrown())
                        .append('\n');
            }
        }

        @Override
        public void flush() {
        }

        @Override
        public void close() {
        }
    };

    Warnings() {
        LOG.addHandler(handler);
        LOG.setUseParentHandlers(false);
    }

    boolean contains(String text) {
        return said.indexOf(text) >= 0;
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
