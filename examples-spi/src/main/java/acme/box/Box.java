package acme.box;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/// A database of this process: bytes by their addresses. A value never changes; another one takes its place.
public final class Box {
    private static final AtomicLong VERSIONS = new AtomicLong();
    private static final Map<String, Value> VALUES = new ConcurrentHashMap<>();

    /// @param version no two values have the same
    record Value(long version, byte[] bytes) {
    }

    private Box() {
    }

    /// Stores bytes under an address such as `box://shelf/name`.
    public static void put(String address, byte[] bytes) {
        VALUES.put(address, new Value(VERSIONS.incrementAndGet(), bytes.clone()));
    }

    /// Removes what has this address.
    public static void remove(String address) {
        VALUES.remove(address);
    }

    static Optional<Value> get(String address) {
        return Optional.ofNullable(VALUES.get(address));
    }
}
