package io.fastsafetensors.backend.cpu.load;

import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.TensorInfo;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// A checkpoint of [ShardSamples#everyDType] with what one rank makes of it.
final class ShardSample {
    private final Path checkpoint;
    private final Map<String, TensorInfo> infos = new LinkedHashMap<>();
    private final Map<String, byte[]> whole;
    private final Map<String, byte[]> converted = new ConcurrentHashMap<>();

    ShardSample(Path directory, long seed) {
        checkpoint = ShardSamples.everyDType(directory, seed);
        try (Loader loader = Loader.builder().build(); Weights weights = loader.load(checkpoint)) {
            whole = ShardSamples.all(weights);
            weights.names().forEach(name -> infos.put(name, weights.info(name)));
        }
    }

    Path checkpoint() {
        return checkpoint;
    }

    Map<String, TensorInfo> infos() {
        return infos;
    }

    byte[] whole(String name) {
        return whole.get(name);
    }

    /// What a rank's part must be.
    byte[] expected(String name, int dim, ProcessGroup group) {
        TensorInfo info = infos.get(name);
        return ShardSamples.part(whole.get(name), info.shape(), info.dtype().bits(), dim, group.rank(), group.size());
    }

    /// The conversion of the whole tensor by one rank, cut.
    byte[] converted(String name, int dim, DType dtype, ProcessGroup group) {
        TensorInfo info = infos.get(name);
        byte[] all = converted.computeIfAbsent(name + " as " + dtype, _ -> {
            try (Loader loader = Loader.builder().build(); Weights weights = loader.load(info.file())) {
                return ShardSamples.bytes(weights.get(name, GetOptions.as(dtype)));
            }
        });
        return ShardSamples.part(all, info.shape(), dtype.bits(), dim, group.rank(), group.size());
    }

    /// Loads in small blocks, so that tensors take many.
    static LoaderBuilder builder(String device, ProcessGroup group) {
        return Loader.builder().device(device.equals("cpu") ? Device.CPU : RemoteProvider.DEVICE).group(group)
                .blockBytes(8192);
    }
}
