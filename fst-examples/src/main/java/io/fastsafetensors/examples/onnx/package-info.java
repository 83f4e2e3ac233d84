/// ONNX Runtime on weights that fst loaded: tensors over fst's memory, which a session uses as the initializers of its
/// model without copying them. Start at [io.fastsafetensors.examples.onnx.RunOnnx].
@NullMarked
package io.fastsafetensors.examples.onnx;

import org.jspecify.annotations.NullMarked;
