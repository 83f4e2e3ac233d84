package io.fastsafetensors.core.memory;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;

/// Things that are made for the first who asks for a key, shared by all who ask while it is held, and disposed of
/// after the last. Thread-safe.
///
/// @param <K> what they are shared by
/// @param <T> what is shared
public final class Registry<K, T> {
    private final Function<K, T> make;
    private final Consumer<T> dispose;
    private final Map<K, Entry<T>> entries = new HashMap<>();

    private static final class Entry<T> {
        private final T value;
        private int holders = 1;

        Entry(T value) {
            this.value = value;
        }
    }

    /// @param make makes one, quickly: everybody else waits
    /// @param dispose ends one that nobody holds any more
    public Registry(Function<K, T> make, Consumer<T> dispose) {
        this.make = make;
        this.dispose = dispose;
    }

    /// One hold on what belongs to `key`.
    public synchronized T hold(K key) {
        Entry<T> entry = entries.get(key);
        if (entry == null) {
            entry = new Entry<>(make.apply(key));
            entries.put(key, entry);
        } else {
            entry.holders++;
        }
        return entry.value;
    }

    /// One hold less; the last disposes of it.
    public void release(K key) {
        T last = null;
        synchronized (this) {
            Entry<T> entry = entries.get(key);
            if (entry == null) {
                throw new AssertionError("released more often than held: " + key);
            }
            if (--entry.holders == 0) {
                entries.remove(key);
                last = entry.value;
            }
        }
        if (last != null) {
            dispose.accept(last);
        }
    }
}
