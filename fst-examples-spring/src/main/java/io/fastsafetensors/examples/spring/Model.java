package io.fastsafetensors.examples.spring;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import jakarta.annotation.PreDestroy;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;

/// Holds the weights of a model. They load while the service starts and answers already; what asks for a tensor waits for
/// its bytes only. Thread-safe.
@Component
public class Model implements ProgressListener {
    private final Loader loader;
    private final Thread loading;
    private volatile @Nullable Weights weights;
    private volatile @Nullable FstException failure;
    private volatile boolean loaded;
    private volatile long done;
    private volatile long total;

    Model(@Value("${fst.checkpoint}") String checkpoint, @Value("${fst.device:auto}") String device) {
        this.loader = Loader.builder().device(Device.parse(device)).progress(this).build();
        // Headers may come from far away: not on the thread that starts the service.
        this.loading = Thread.ofVirtual().name("model").start(() -> load(Location.of(checkpoint)));
    }

    private void load(Location checkpoint) {
        try {
            Weights begun = loader.load(checkpoint);
            weights = begun;
            begun.awaitAll();
            loaded = true;
        } catch (FstException e) {
            failure = e;
        }
    }

    @Override
    public void progress(long bytesDone, long bytesTotal) {
        done = bytesDone;
        total = bytesTotal;
    }

    /// The weights, as soon as their headers are read.
    public Optional<Weights> weights() {
        return Optional.ofNullable(weights);
    }

    /// Whether every byte is there.
    public boolean isLoaded() {
        return loaded;
    }

    /// Why the load failed.
    public Optional<FstException> failure() {
        return Optional.ofNullable(failure);
    }

    /// Bytes loaded so far.
    public long bytesDone() {
        return done;
    }

    /// Bytes to load, 0 until headers are read.
    public long bytesTotal() {
        return total;
    }

    /// Frees the memory when the service stops.
    @PreDestroy
    void close() throws InterruptedException {
        weights().ifPresent(Weights::close);
        loading.join();
        weights().ifPresent(Weights::close);
        loader.close();
    }
}
