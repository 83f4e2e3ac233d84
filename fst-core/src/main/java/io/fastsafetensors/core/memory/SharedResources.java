package io.fastsafetensors.core.memory;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;

/// Reference-counted resources by key: made when a key is first retained, shared while there are references, disposed of
/// after the last release. Thread-safe.
///
/// Between the last release and the end of the disposal a new resource of the same key may be made: the two may exist at
/// the same time, and neither knows of the other.
///
/// The table's lock is held while a resource is made, so that two threads that want the same one get one; it is not
/// held while one is disposed of, because that may wait for threads that use the table.
///
/// @param <K> the keys
/// @param <T> the resources
public final class SharedResources<K, T> {
    private final Function<K, T> make;
    private final Consumer<T> dispose;
    private final Map<K, Entry<T>> entries = new HashMap<>();

    /// References are counted under the table's lock, so they never come back from none.
    private static final class Entry<T> {
        private final T value;
        private int references = 1;

        Entry(T value) {
            this.value = value;
        }
    }

    /// @param make makes one, quickly: all other threads wait
    /// @param dispose ends one that has no reference any more
    public SharedResources(Function<K, T> make, Consumer<T> dispose) {
        this.make = make;
        this.dispose = dispose;
    }

    /// One reference more to the resource of `key`.
    public synchronized T retain(K key) {
        Entry<T> entry = entries.get(key);
        if (entry == null) {
            entry = new Entry<>(make.apply(key));
            entries.put(key, entry);
        } else {
            entry.references++;
        }
        return entry.value;
    }

    /// One reference less; the last disposes of the resource.
    ///
    /// By key rather than by resource: who releases has the key that it retained with, also where the resource failed
    /// to be used.
    public void release(K key) {
        T last = null;
        synchronized (this) {
            Entry<T> entry = entries.get(key);
            if (entry == null) {
                throw new AssertionError("released more often than retained: " + key);
            }
            if (--entry.references == 0) {
                entries.remove(key);
                last = entry.value;
            }
        }
        if (last != null) {
            dispose.accept(last);
        }
    }
}
