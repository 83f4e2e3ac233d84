package io.fastsafetensors.testkit.loader;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Digests;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderProvider;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.fixture.Content;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Gives out loaders for the one backend that a test set.
public final class MiniLoaderProvider implements LoaderProvider {
    /// The backend that loaders find; none unless a test sets one.
    public static volatile Optional<BackendProvider> backend = Optional.empty();

    /// The rule that loaders break; none unless a test sets one.
    public static volatile String defect = "";

    private static final Set<String> DIGESTED = ConcurrentHashMap.newKeySet();

    static boolean breaks(String rule) {
        return defect.equals(rule);
    }

    @Override
    public Loader newLoader(LoadOptions options) {
        BackendProvider provider = backend
                .orElseThrow(() -> new BackendUnavailableException(options.device().toString(), List.of()));
        Backend opened = provider.open(options.device(), BackendOptions.defaults());
        return Stub.of(Loader.class,
                Map.of("load", arguments -> new MiniWeights(opened, options, path(arguments[0])).asWeights(),
                        "stream", arguments -> new MiniWeights(opened, options, path(arguments[0])).asStream(),
                        "rewrite", arguments -> rewritten((Path) arguments[0], (Path) arguments[1]),
                        "fromDlpack", arguments -> MiniTensor.passed((long) arguments[0]).asTensor(), "backend",
                        _ -> new BackendChoice(provider.name(), "set", List.of()), "close", _ -> Optional.empty()));
    }

    private static List<Path> rewritten(Path from, Path to) {
        try {
            byte[] bytes = Files.readAllBytes(from);
            bytes[bytes.length - 1] ^= (byte) (breaks("F-13") ? 1 : 0);
            if (!breaks("F-13")) {
                DIGESTED.add(Content.sha256(bytes));
            }
            return List.of(Files.write(to, bytes));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Whether the file is one that a loader wrote.
    static boolean isDigested(byte[] file) {
        return DIGESTED.contains(Content.sha256(file));
    }

    @Override
    public LoadOptions configuredOptions() {
        throw new UnsupportedOperationException();
    }

    @Override
    public LoadOptions configuredOptions(Path file) {
        throw new UnsupportedOperationException();
    }

    @Override
    public ShardSpec shardSpec(Path file) {
        throw new UnsupportedOperationException();
    }

    @Override
    public ShardSpec shardSpec(String scheme) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Checkpoint open(Location checkpoint, OpenOptions options) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Tensor read(Checkpoint checkpoint, String name, Slice... slices) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Map<Location, String> digests(Location checkpoint, OpenOptions options, Digests digests) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Map<String, String> quantized(Checkpoint checkpoint) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<Path> write(Path target, List<TensorSource> tensors, WriteOptions options) {
        throw new UnsupportedOperationException();
    }

    @Override
    public TensorSource sourceOf(Tensor tensor) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<Diagnostics.BackendReport> backends() {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<Diagnostics.GroupReport> groups() {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<Diagnostics.StorageReport> storage(Location checkpoint, OpenOptions options) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void evict(Location checkpoint, OpenOptions options) {
        throw new UnsupportedOperationException();
    }

    private static Path path(Object location) {
        return location instanceof Location named ? named.path().orElseThrow() : (Path) location;
    }
}
