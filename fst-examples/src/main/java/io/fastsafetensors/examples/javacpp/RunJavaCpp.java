package io.fastsafetensors.examples.javacpp;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import org.bytedeco.javacpp.Pointer;

/// Lets the C library's `memcmp` compare two checkpoints, tensor by tensor.
public final class RunJavaCpp {
    private RunJavaCpp() {
    }

    /// `RunJavaCpp CHECKPOINT CHECKPOINT`
    public static void main(String[] args) {
        try (Weights left = Safetensors.load(Path.of(args[0]), Device.CPU);
                Weights right = Safetensors.load(Path.of(args[1]), Device.CPU)) {
            for (String name : left.names()) {
                System.out.println(name + (isSame(left.get(name), right.get(name)) ? " is the same" : " differs"));
            }
        }
    }

    /// Whether two tensors have the same bytes.
    static boolean isSame(Tensor left, Tensor right) {
        if (left.byteSize() != right.byteSize()) {
            return false;
        }
        try (TensorPointer first = new TensorPointer(left); TensorPointer second = new TensorPointer(right)) {
            return Pointer.memcmp(first, second, left.byteSize()) == 0;
        }
    }
}
