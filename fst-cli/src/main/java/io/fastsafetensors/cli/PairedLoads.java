package io.fastsafetensors.cli;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.Location;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// Loads the tensors of two checkpoints pair by pair, some at a time, whatever files each has them in. The next ones are
/// read while those before are compared.
final class PairedLoads {
    /// Bytes of both checkpoints that are loaded together, but at least one pair.
    private static final long GROUP_BYTES = 64L << 20;

    private final Location left;
    private final Location right;
    private final OpenOptions options;

    PairedLoads(Location left, Location right, OpenOptions options) {
        this.left = left;
        this.right = right;
        this.options = options;
    }

    /// Tensors that are loaded together.
    private record Group(List<TensorPair> pairs, Weights a, Weights b) implements AutoCloseable {
        @Override
        public void close() {
            try (a) {
                b.close();
            }
        }
    }

    /// Compares the values of every pair.
    ///
    /// @param report takes each pair with how its values differ, an empty text if they do not
    void compare(List<TensorPair> pairs, ProgressListener progress, BiConsumer<TensorPair, String> report) {
        long total = pairs.stream().mapToLong(TensorPair::byteSize).sum();
        long done = 0;
        List<List<TensorPair>> groups = groups(pairs);
        Group next = groups.isEmpty() ? null : load(groups.getFirst());
        try {
            for (int i = 0; next != null; i++) {
                try (Group group = next) {
                    next = null;
                    next = i + 1 < groups.size() ? load(groups.get(i + 1)) : null;
                    for (TensorPair pair : group.pairs()) {
                        report.accept(pair, difference(pair, group));
                        done += pair.byteSize();
                        progress.progress(done, total);
                    }
                }
            }
        } finally {
            close(next);
        }
    }

    private static void close(@Nullable Group group) {
        if (group != null) {
            group.close();
        }
    }

    private static String difference(TensorPair pair, Group group) {
        try (Tensor a = group.a().get(pair.name()); Tensor b = group.b().get(pair.name())) {
            return ValueComparison.difference(a, b);
        }
    }

    private Group load(List<TensorPair> pairs) {
        String[] names = pairs.stream().map(TensorPair::name).toArray(String[]::new);
        Weights a = load(left, names);
        try {
            return new Group(pairs, a, load(right, names));
        } catch (RuntimeException | Error e) {
            a.close();
            throw e;
        }
    }

    private Weights load(Location path, String[] names) {
        try (Loader loader = Loader.builder().open(options).select(Selection.names(names)).build()) {
            return loader.load(path);
        }
    }

    private static List<List<TensorPair>> groups(List<TensorPair> pairs) {
        List<List<TensorPair>> groups = new ArrayList<>();
        List<TensorPair> group = new ArrayList<>();
        long bytes = 0;
        for (TensorPair pair : pairs) {
            if (!group.isEmpty() && bytes + pair.byteSize() > GROUP_BYTES) {
                groups.add(group);
                group = new ArrayList<>();
                bytes = 0;
            }
            group.add(pair);
            bytes += pair.byteSize();
        }
        if (!group.isEmpty()) {
            groups.add(group);
        }
        return groups;
    }
}
