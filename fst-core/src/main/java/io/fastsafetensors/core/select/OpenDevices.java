package io.fastsafetensors.core.select;

import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.select.Providers.BrokenProvider;
import io.fastsafetensors.core.select.Providers.FoundBackend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.types.Device;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The devices that this process has open. Loaders of the same device through the same backend with the same switches
/// share one, and with it its context and its staging memory.
final class OpenDevices {
    private static final Map<Key, SharedBackend> OPEN = new HashMap<>();

    /// @param provider the provider's class and name: two class loaders' worth of a backend are two backends
    private record Key(Class<?> provider, String name, Device device, BackendOptions options) {
        // Those of a record are linked at run time, in each process's first load.
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Key that && provider.equals(that.provider) && name.equals(that.name)
                    && device.equals(that.device) && options.equals(that.options);
        }

        @Override
        public int hashCode() {
            return 31 * provider.hashCode() + device.hashCode();
        }
    }

    private OpenDevices() {
    }

    /// One hold on the opened device; the caller releases it.
    ///
    /// @throws BrokenProvider if the provider cannot open any device
    /// @throws io.fastsafetensors.error.BackendException if this one cannot be opened
    static SharedBackend open(FoundBackend found, Device device, BackendOptions options) throws BrokenProvider {
        BackendProvider provider = Objects.requireNonNull(found.provider(), found.name());
        Key key = new Key(provider.getClass(), found.name(), device, options);
        synchronized (OPEN) {
            SharedBackend shared = OPEN.get(key);
            if (shared == null || !shared.tryRetain()) {
                shared = new SharedBackend(Providers.open(found, device, options), closing -> forget(key, closing));
                OPEN.put(key, shared);
            }
            return shared;
        }
    }

    private static void forget(Key key, SharedBackend closing) {
        synchronized (OPEN) {
            OPEN.remove(key, closing);
        }
    }
}
