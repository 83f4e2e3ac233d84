package io.fastsafetensors.testkit.fault;

import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/// Counts what was opened and not closed, and remembers where it was opened. Thread-safe.
public final class OpenObjects {
    /// The kinds of objects that are counted.
    public enum Kind {
        /// Backends.
        BACKEND,
        /// Device buffers.
        BUFFER,
        /// Staging buffers.
        STAGING,
        /// Copy streams.
        STREAM,
        /// Fences.
        FENCE,
        /// Files opened for direct reads.
        DIRECT_FILE,
        /// Registrations of the caller's memory.
        REGISTRATION
    }

    private record Opened(Kind kind, Throwable where) {
    }

    private static final int FRAMES = 4;
    private static final List<Class<?>> OWN = List.of(OpenObjects.class, FaultyBackend.class, FaultyStream.class,
            FaultyStorage.class, FaultyBackendProvider.class);

    private final Map<Object, Opened> open = new ConcurrentHashMap<>();

    /// Counts nothing yet.
    public OpenObjects() {
    }

    /// Counts an object as open.
    ///
    /// @return the ticket that closes it again; a second close does nothing
    Runnable opened(Kind kind) {
        Object key = new Object();
        open.put(key, new Opened(kind, new Throwable(kind + " opened here")));
        return () -> open.remove(key);
    }

    /// How many objects of a kind are open.
    public long count(Kind kind) {
        return open.values().stream().filter(o -> o.kind == kind).count();
    }

    /// How many objects are open.
    public long total() {
        return open.size();
    }

    /// The counts that are not 0.
    public Map<Kind, Long> counts() {
        return open.values().stream()
                .collect(Collectors.groupingBy(Opened::kind, () -> new EnumMap<>(Kind.class), Collectors.counting()));
    }

    /// Where each open object was opened; empty if none is.
    public String describe() {
        return open.values().stream().map(OpenObjects::line).sorted().collect(Collectors.joining("\n"));
    }

    /// The first frames outside the decorator itself: who opened it.
    private static String line(Opened opened) {
        return opened.kind + " opened at "
                + Arrays.stream(opened.where.getStackTrace()).dropWhile(OpenObjects::isOwn).limit(FRAMES)
                        .map(StackTraceElement::toString).collect(Collectors.joining(" < "));
    }

    private static boolean isOwn(StackTraceElement frame) {
        return OWN.stream().anyMatch(own -> frame.getClassName().equals(own.getName()));
    }
}
