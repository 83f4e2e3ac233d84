package io.fastsafetensors.testkit.group;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;

/// Every call of [Weights] that several ranks make together, on every tensor of a sample: each rank must get what slicing the
/// whole tensor gives, whichever way the ranks share the reading. Each rank of a group runs the same.
public final class ShardingCalls {
    private static final int DIMS = 3;
    private static final List<String> JOINED = List.of("BF16.1", "BF16.6");

    private final ShardSample sample;
    private final ProcessGroup group;
    private final Supplier<LoaderBuilder> builder;

    /// @param sample the same on every rank
    /// @param group this rank's; not closed here
    /// @param builder a loader of this rank with its group
    public ShardingCalls(ShardSample sample, ProcessGroup group, Supplier<LoaderBuilder> builder) {
        this.sample = sample;
        this.group = group;
        this.builder = builder;
    }

    /// All of them.
    ///
    /// @throws AssertionError if a rank got something else
    public void all(Distribution way) {
        parts(way);
        joinedAndPushed(way);
        together(way);
    }

    /// `getSharded`, whole tensors and parts along each dimension.
    public void parts(Distribution way) {
        for (int dim = -1; dim < DIMS; dim++) {
            try (Loader loader = builder.get().distribution(way).build();
                    Weights weights = loader.load(sample.checkpoint())) {
                assertEquals(sample.infos().keySet(), weights.names());
                for (TensorInfo info : sample.infos().values()) {
                    part(weights, info, dim);
                }
                assertTrue(group.size() == 1 || weights.plan().sharing().orElseThrow().distribution() == way);
            }
        }
    }

    private void part(Weights weights, TensorInfo info, int dim) {
        if (dim >= info.shape().rank()) {
            assertThrows(SliceException.class, () -> weights.getSharded(info.name(), dim));
        } else if (dim < 0 || ShardSamples.isWhole(info.dtype(), info.shape(), dim, group.size())) {
            Tensor part = weights.getSharded(info.name(), dim);
            assertEquals(info.dtype(), part.dtype());
            assertArrayEquals(sample.expected(info.name(), dim, group), ShardSamples.bytes(part),
                    () -> info + " dim " + dim + " rank " + group.rank() + " of " + group.size());
        }
    }

    /// `getShardedConcat` along two dimensions, and `push` to every rank.
    public void joinedAndPushed(Distribution way) {
        try (Loader loader = builder.get().distribution(way).build();
                Weights weights = loader.load(sample.checkpoint())) {
            for (int dim = 0; dim < 2; dim++) {
                Tensor joined = weights.getShardedConcat(JOINED, dim);
                assertArrayEquals(joined(dim), ShardSamples.bytes(joined), JOINED + " dim " + dim);
            }
            for (int destination = 0; destination < group.size(); destination++) {
                String name = "F32." + (destination % 2);
                Optional<Tensor> pushed = weights.push(name, destination);
                assertEquals(destination == group.rank(), pushed.isPresent());
                pushed.ifPresent(t -> assertArrayEquals(sample.whole(name), ShardSamples.bytes(t)));
            }
            assertThrows(IllegalArgumentException.class, () -> weights.push("wide", group.size()));
        }
    }

    /// The parts joined along a dimension, row by row.
    private byte[] joined(int dim) {
        long rows = 1;
        Shape first = Objects.requireNonNull(sample.infos().get(JOINED.getFirst())).shape();
        for (int d = 0; d < dim; d++) {
            rows *= first.dim(d);
        }
        List<byte[]> parts = JOINED.stream().map(name -> sample.expected(name, dim, group)).toList();
        byte[] joined = new byte[parts.stream().mapToInt(p -> p.length).sum()];
        int at = 0;
        for (int row = 0; row < rows; row++) {
            for (byte[] part : parts) {
                int bytes = (int) (part.length / rows);
                System.arraycopy(part, row * bytes, joined, at, bytes);
                at += bytes;
            }
        }
        return joined;
    }

    /// `getAll`, with whole tensors and cuts along all dimensions in turn.
    public void together(Distribution way) {
        try (Loader loader = builder.get().distribution(way).build();
                Weights weights = loader.load(sample.checkpoint())) {
            Map<String, Integer> dims = new LinkedHashMap<>();
            int next = 0;
            for (TensorInfo info : sample.infos().values()) {
                int dim = info.dtype().isSubByte() ? -1 : next++ % (info.shape().rank() + 1) - 1;
                dims.put(info.name(), dim);
            }
            Map<String, Tensor> all = weights.getAll(dims);
            assertEquals(new ArrayList<>(dims.keySet()), new ArrayList<>(all.keySet()));
            dims.forEach((name, dim) -> assertArrayEquals(sample.expected(name, dim, group),
                    ShardSamples.bytes(Objects.requireNonNull(all.get(name))), name));
        }
    }
}
