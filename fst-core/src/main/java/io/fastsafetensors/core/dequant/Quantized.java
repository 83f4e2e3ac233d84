package io.fastsafetensors.core.dequant;

import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.util.Optional;

/// A quantised tensor and what its elements are multiplied by. Immutable.
///
/// The formats: FP8 with block scales as DeepSeek writes it, OCP Microscaling (MXFP4: 32 elements and a power of
/// two), NVIDIA's NVFP4 (16 elements, a scale of F8_E4M3, and a factor of F32).
///
/// @param name what the de-quantised tensor is called
/// @param shape its dimensions
/// @param values the tensor that has the elements
/// @param element what the elements are: the tensor's dtype, or what is packed in its bytes
/// @param scales one for each block
/// @param scale what the scales are: the tensor's dtype, or what its bytes stand for
/// @param grid which scale is whose
/// @param factor one more factor of the scales, of one number or one for each matrix
/// @param divides whether scales are divided by it rather than multiplied
record Quantized(String name, Shape shape, TensorInfo values, DType element, TensorInfo scales, DType scale,
        ScaleGrid grid, Optional<TensorInfo> factor, boolean divides) {
    /// Elements of the values.
    long elements() {
        return shape.elements();
    }

    /// The scales of one matrix, where each has a factor of its own.
    long scalesPerFactor() {
        return factor.isEmpty() || factor.get().shape().elements() == 1 ? Long.MAX_VALUE
                : Math.max(1, scales.shape().elements() / factor.get().shape().elements());
    }

    /// The scheme in a few words.
    String scheme() {
        if (element == DType.F4) {
            return factor.isPresent() ? "NVFP4" : "MXFP4";
        }
        return element + " with " + (scales.shape().elements() == 1 ? "one scale" : "scales of blocks of "
                + grid.blockRows() + " × " + grid.blockColumns());
    }
}
