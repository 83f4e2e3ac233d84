package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.cli.CopyLimit;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;

/// Context shared by all sections: the device, the checkpoint that most of them load, and where results go. Used by one
/// thread.
final class Bench implements AutoCloseable {
    private final BenchSettings settings;
    private final Report report;
    private final Backend backend;
    private final Checkpoints checkpoints;
    private Optional<Path> sharded = Optional.empty();

    Bench(BenchSettings settings, Report report) {
        this.settings = settings;
        this.report = report;
        try (Loader loader = builder().build()) {
            backend = open(loader.backend().name(), loader.device());
        }
        checkpoints = new Checkpoints(settings.directory(), settings.bytes());
    }

    private static Backend open(String name, Device device) {
        return provider(name).open(device, BackendOptions.defaults());
    }

    private static BackendProvider provider(String name) {
        return ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get)
                .filter(provider -> provider.name().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalStateException("no provider of the backend " + name));
    }

    BenchSettings settings() {
        return settings;
    }

    Report report() {
        return report;
    }

    /// The device as its backend sees it, beside any loader.
    Backend backend() {
        return backend;
    }

    Checkpoints checkpoints() {
        return checkpoints;
    }

    /// The checkpoint in four shards, on disk and in the page cache.
    Path sharded() {
        Path path = sharded.orElseGet(() -> {
            long start = System.nanoTime();
            Path written = checkpoints.sharded();
            Checkpoints.sync(written);
            report.say("wrote " + written + " in " + Report.number((System.nanoTime() - start) / 1e9) + " s");
            return written;
        });
        sharded = Optional.of(path);
        PageCacheState.warm(path);
        return path;
    }

    /// A loader's options for this run's device.
    LoaderBuilder builder() {
        LoaderBuilder builder = Loader.builder().device(settings.device());
        settings.backend().ifPresent(builder::backend);
        return builder;
    }

    /// Two devices of this run's type, its own first; empty if there is one only. Host memory stands for two.
    Optional<List<Device>> pair() {
        Device first = settings.device();
        if (first.isCpu()) {
            return Optional.of(List.of(first, first));
        }
        return provider(backend.name()).probe().found()
                .flatMap(found -> found.devices().stream().map(DeviceInfo::device)
                        .filter(other -> !other.equals(first)).findFirst())
                .map(other -> List.of(first, other));
    }

    /// Another device of the same backend; closed by the caller.
    Backend open(Device device) {
        return open(backend.name(), device);
    }

    /// Copies about half of a checkpoint's size, but at least 64 MiB of each copy size.
    CopyLimit copyLimit() {
        return new CopyLimit(backend, settings.bytes() / 2);
    }

    @Override
    public void close() {
        checkpoints.close();
        backend.close();
    }
}
