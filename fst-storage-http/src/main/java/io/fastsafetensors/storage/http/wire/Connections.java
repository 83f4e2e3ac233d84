package io.fastsafetensors.storage.http.wire;

import java.io.IOException;
import java.time.Duration;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// A pool of connections, by server. One daemon thread, started with the first connection, closes those whose deadline has
/// passed and those that nobody has used for a while. Thread-safe.
final class Connections implements AutoCloseable {
    /// Servers and what lies between forget idle connections after a minute or so.
    private static final Duration IDLE = Duration.ofSeconds(20);
    private static final int MOST_IDLE = 128;
    private static final long SHORTEST_STEP = 5_000_000;
    private static final long LONGEST_STEP = 250_000_000;

    private final Duration connectTimeout;
    private final Duration readTimeout;
    private final Proxies proxies;
    private final Map<String, Deque<Connection>> idle = new ConcurrentHashMap<>();
    private final AtomicInteger idleCount = new AtomicInteger();
    private final Set<Connection> all = ConcurrentHashMap.newKeySet();
    private @Nullable Thread watch;
    private volatile boolean closed;

    Connections(HttpSettings settings) {
        this.connectTimeout = settings.seconds("http.connectTimeout", "10");
        this.readTimeout = settings.seconds("http.readTimeout", "30");
        this.proxies = new Proxies(settings);
    }

    static String text(Duration time) {
        return time.toMillis() % 1000 == 0 ? time.toSeconds() + " s" : time.toMillis() + " ms";
    }

    /// A connection to a server: an idle one if there is one, else a new one.
    ///
    /// @throws IOException if it cannot be made
    Connection take(Address server) throws IOException {
        Deque<Connection> waiting = idle.get(server.server());
        Connection found = waiting == null ? null : waiting.pollFirst();
        if (found != null) {
            idleCount.decrementAndGet();
            return found;
        }
        Connection made = new Connection(server, proxies.of(server), readTimeout);
        if (!watch(made)) {
            made.close();
            throw new IllegalStateException("the storage is closed");
        }
        try {
            made.connect(connectTimeout);
        } catch (IOException | RuntimeException e) {
            discard(made);
            throw e;
        }
        return made;
    }

    /// How a server is reached, for messages.
    String route(Address server) {
        Optional<Proxies.Proxy> proxy = proxies.of(server);
        return server.server() + proxy.map(through -> " through proxy " + through).orElse("");
    }

    /// Takes a connection back whose answer was read.
    void release(Address server, Connection connection) {
        if (closed || !connection.finish() || !count()) {
            discard(connection);
            return;
        }
        connection.setIdle(System.nanoTime());
        idle.computeIfAbsent(server.server(), _ -> new ConcurrentLinkedDeque<>()).addFirst(connection);
        if (closed) {
            discard(connection);
        }
    }

    private boolean count() {
        return idleCount.getAndUpdate(now -> Math.min(MOST_IDLE, now + 1)) < MOST_IDLE;
    }

    /// Closes a connection in an unknown state.
    void discard(Connection connection) {
        all.remove(connection);
        connection.close();
    }

    private synchronized boolean watch(Connection connection) {
        if (closed) {
            return false;
        }
        all.add(connection);
        if (watch == null) {
            watch = Thread.ofPlatform().daemon().name("fst-http-deadlines").start(this::run);
        }
        return true;
    }

    private void run() {
        long step = Math.clamp(Math.min(connectTimeout.toNanos(), readTimeout.toNanos()) / 8, SHORTEST_STEP,
                LONGEST_STEP);
        while (!closed) {
            LockSupport.parkNanos(step);
            long now = System.nanoTime();
            for (Connection connection : all) {
                if (connection.isLate(now)) {
                    connection.closeLate();
                }
            }
            for (Deque<Connection> waiting : idle.values()) {
                closeUnused(waiting, now);
            }
        }
    }

    private void closeUnused(Deque<Connection> waiting, long now) {
        Connection oldest = waiting.peekLast();
        while (oldest != null && now - oldest.idleSince() > IDLE.toNanos()) {
            // Another thread may have taken it meanwhile.
            if (waiting.removeLastOccurrence(oldest)) {
                idleCount.decrementAndGet();
                discard(oldest);
            }
            oldest = waiting.peekLast();
        }
    }

    /// Closes every connection, also those in use.
    @Override
    public void close() {
        Thread running;
        synchronized (this) {
            closed = true;
            running = watch;
            watch = null;
        }
        if (running != null) {
            LockSupport.unpark(running);
            boolean interrupted = false;
            while (running.isAlive()) {
                try {
                    running.join();
                } catch (InterruptedException _) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        List.copyOf(all).forEach(this::discard);
        idle.clear();
    }
}
