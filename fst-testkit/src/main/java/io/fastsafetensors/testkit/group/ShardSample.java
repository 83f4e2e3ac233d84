package io.fastsafetensors.testkit.group;

import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.TensorInfo;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/// A checkpoint of [ShardSamples#everyDType] with what one rank makes of it. Thread-safe.
public final class ShardSample {
    private final Supplier<LoaderBuilder> alone;
    private final Path checkpoint;
    private final Map<String, TensorInfo> infos = new LinkedHashMap<>();
    private final Map<String, byte[]> whole;
    private final Map<String, byte[]> converted = new ConcurrentHashMap<>();

    /// @param directory made, and filled with the checkpoint
    /// @param seed the same gives the same
    /// @param alone a loader of one rank
    public ShardSample(Path directory, long seed, Supplier<LoaderBuilder> alone) {
        this.alone = alone;
        checkpoint = ShardSamples.everyDType(directory, seed);
        try (Loader loader = alone.get().build(); Weights weights = loader.load(checkpoint)) {
            whole = ShardSamples.all(weights);
            weights.names().forEach(name -> infos.put(name, weights.info(name)));
        }
    }

    /// The checkpoint's directory.
    public Path checkpoint() {
        return checkpoint;
    }

    /// All tensors, in the checkpoint's order.
    public Map<String, TensorInfo> infos() {
        return Collections.unmodifiableMap(infos);
    }

    private TensorInfo info(String name) {
        return Objects.requireNonNull(infos.get(name), name);
    }

    /// The bytes of a whole tensor; not to be changed.
    public byte[] whole(String name) {
        return Objects.requireNonNull(whole.get(name), name);
    }

    /// What a rank's part must be.
    ///
    /// @param dim -1 for the whole tensor
    public byte[] expected(String name, int dim, ProcessGroup group) {
        TensorInfo info = info(name);
        return ShardSamples.part(whole(name), info.shape(), info.dtype().bits(), dim, group.rank(), group.size());
    }

    /// The conversion of the whole tensor by one rank, cut.
    public byte[] converted(String name, int dim, DType dtype, ProcessGroup group) {
        TensorInfo info = info(name);
        byte[] all = converted.computeIfAbsent(name + " as " + dtype, _ -> {
            try (Loader loader = alone.get().build(); Weights weights = loader.load(info.file())) {
                return ShardSamples.bytes(weights.get(name, GetOptions.as(dtype)));
            }
        });
        return ShardSamples.part(all, info.shape(), dtype.bits(), dim, group.rank(), group.size());
    }
}
