package io.fastsafetensors.examples.llama;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/// The keys and values of the tokens seen so far: what one sequence needs besides the weights. For one thread.
public final class KeyValueCache {
    /// Keys and values of one layer: a vector of all heads for each position.
    record Layer(List<float[]> keys, List<float[]> values) {
    }

    private final List<Layer> layers;

    /// An empty cache.
    public KeyValueCache(LlamaConfig config) {
        layers = Stream.generate(() -> new Layer(new ArrayList<>(), new ArrayList<>())).limit(config.layers()).toList();
    }

    Layer layer(int index) {
        return layers.get(index);
    }

    /// How many tokens it has seen, which is the position of the next.
    public int length() {
        return layers.getFirst().keys().size();
    }
}
