package io.fastsafetensors.examples.onnx;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import io.fastsafetensors.api.Pin;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.types.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// A tensor of ONNX Runtime over the memory of an fst tensor: no byte is copied, and what one side writes the other
/// reads. It pins the memory, so that closing the fst tensor or its weights frees nothing before this is closed; close
/// it after the sessions that use it.
public final class SharedOnnxTensor implements AutoCloseable {
    private final Pin pin;
    private final OnnxTensor tensor;

    /// @param tensor on the CPU, of less than 2 GiB, which is as long as a `ByteBuffer` can be
    /// @throws IllegalArgumentException if it is larger, or of a dtype that ONNX Runtime's Java interface does not have
    public SharedOnnxTensor(OrtEnvironment environment, Tensor tensor) throws OrtException {
        OnnxJavaType type = typeOf(tensor);
        if (tensor.byteSize() > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(tensor.name() + " has " + tensor.byteSize() + " bytes, over 2 GiB");
        }
        pin = tensor.pin();
        try {
            ByteBuffer bytes = tensor.segment().asByteBuffer().order(ByteOrder.nativeOrder());
            this.tensor = OnnxTensor.createTensor(environment, bytes, tensor.shape().toArray(), type);
        } catch (OrtException | RuntimeException e) {
            pin.close();
            throw e;
        }
    }

    private static OnnxJavaType typeOf(Tensor tensor) {
        return switch (tensor.dtype()) {
            case F64 -> OnnxJavaType.DOUBLE;
            case F32 -> OnnxJavaType.FLOAT;
            case F16 -> OnnxJavaType.FLOAT16;
            case BF16 -> OnnxJavaType.BFLOAT16;
            case I64 -> OnnxJavaType.INT64;
            case I32 -> OnnxJavaType.INT32;
            case I16 -> OnnxJavaType.INT16;
            case I8 -> OnnxJavaType.INT8;
            case U8 -> OnnxJavaType.UINT8;
            case BOOL -> OnnxJavaType.BOOL;
            default -> throw new IllegalArgumentException(tensor.name() + " is " + tensor.dtype()
                    + "; load it with LoaderBuilder.dtype, for example as " + DType.F32);
        };
    }

    /// What to give to a session.
    public OnnxTensor tensor() {
        return tensor;
    }

    @Override
    public void close() {
        tensor.close();
        pin.close();
    }
}
