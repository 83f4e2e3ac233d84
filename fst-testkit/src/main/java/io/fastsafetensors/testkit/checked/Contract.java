package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.spi.Capability;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// The state of one checked provider: its claims, what is live, and what was found. Thread-safe.
@SuppressWarnings("ReferenceEquality") // What counts is which object it is.
final class Contract {
    /// The space of host addresses. Device pointers are in space 0, and each object without pointers is one of its own.
    static final Object HOST = new Object();

    private final Violations violations = new Violations();
    private final boolean forwardsMisuse;
    private final Map<Object, NavigableMap<Long, Range>> spaces = new HashMap<>();
    private final Set<Object> handedOut = Collections.newSetFromMap(new IdentityHashMap<>());
    private volatile Set<Capability> claims = Set.of();

    /// Bytes that are live.
    ///
    /// @param end the first byte behind
    /// @param owner what they belong to
    record Range(long end, Object owner) {
    }

    Contract(boolean forwardsMisuse) {
        this.forwardsMisuse = forwardsMisuse;
    }

    Violations violations() {
        return violations;
    }

    boolean forwardsMisuse() {
        return forwardsMisuse;
    }

    void claims(Set<Capability> claimed) {
        claims = claimed;
    }

    boolean claims(Capability capability) {
        return claims.contains(capability);
    }

    CheckedCall call(String what) {
        return new CheckedCall(this, what);
    }

    /// Reports and throws unless the backend kept the check.
    void require(boolean kept, Check check, String detail) {
        if (!kept) {
            throw violations.add(check, detail);
        }
    }

    /// Takes bytes of an address space for an owner.
    void take(Object space, long start, long bytes, Object owner) {
        if (bytes == 0) {
            return;
        }
        Object other;
        synchronized (spaces) {
            NavigableMap<Long, Range> live = spaces.computeIfAbsent(space, _ -> new TreeMap<>());
            other = overlapping(live, start, start + bytes);
            if (other == null) {
                live.put(start, new Range(start + bytes, owner));
            }
        }
        require(other == null, Check.SHARED_MEMORY,
                bytes + " bytes at " + Long.toHexString(start) + " belong to " + other + " too");
    }

    private static @Nullable Object overlapping(NavigableMap<Long, Range> live, long start, long end) {
        Map.Entry<Long, Range> below = live.lowerEntry(end);
        return below != null && below.getValue().end > start ? below.getValue().owner : null;
    }

    /// Gives up what an owner has at an address.
    void release(Object space, long start, Object owner) {
        synchronized (spaces) {
            NavigableMap<Long, Range> live = spaces.get(space);
            Range range = live == null ? null : live.get(start);
            if (live != null && range != null && range.owner == owner) {
                live.remove(start);
                if (live.isEmpty()) {
                    spaces.remove(space);
                }
            }
        }
    }

    /// Who has an address; null if nobody has.
    @Nullable
    Object ownerOf(Object space, long address) {
        synchronized (spaces) {
            NavigableMap<Long, Range> live = spaces.get(space);
            Map.Entry<Long, Range> below = live == null ? null : live.floorEntry(address);
            return below != null && below.getValue().end > address ? below.getValue().owner : null;
        }
    }

    /// Sees an object that the backend handed out for the first time.
    <T> T fresh(T object, String what) {
        boolean added;
        synchronized (handedOut) {
            added = handedOut.add(object);
        }
        require(added, Check.OBJECT_TWICE, what + " is an object that was handed out before and is open");
        return object;
    }

    /// The object is closed: the backend may hand it out again.
    void forget(Object object) {
        synchronized (handedOut) {
            handedOut.remove(object);
        }
    }
}
