package acme.box;

import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import java.util.Set;

/// Serves locations such as `box://shelf/model.safetensors` from [Box].
public final class BoxProvider implements StorageProvider {
    @Override
    public Set<String> schemes() {
        return Set.of("box");
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public Storage open(StorageOptions options) {
        return new BoxStorage();
    }
}
