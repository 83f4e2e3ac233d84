package io.fastsafetensors.examples.djl;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.DType;
import java.nio.file.Path;

/// Lets PyTorch sum up the tensors of a checkpoint where fst loaded them, floating-point ones as F32.
public final class RunDjl {
    private RunDjl() {
    }

    /// `RunDjl CHECKPOINT`
    public static void main(String[] args) {
        try (Loader loader = Loader.builder().device("cpu").dtype(DType.F32).build();
                Weights weights = loader.load(Path.of(args[0]));
                NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            for (String name : weights.names()) {
                try (SharedArray shared = new SharedArray(manager, weights.get(name));
                        NDArray sum = shared.array().sum()) {
                    System.out.println(name + " " + shared.array().getShape() + " sums up to " + sum.toArray()[0]);
                }
            }
        }
    }
}
