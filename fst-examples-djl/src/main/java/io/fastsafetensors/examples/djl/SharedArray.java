package io.fastsafetensors.examples.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fastsafetensors.api.Pin;
import io.fastsafetensors.api.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// A DJL array over the memory of an fst tensor: no byte is copied, and what one side writes the other reads. It pins the
/// memory, so that closing the fst tensor or its weights frees nothing before this is closed.
///
/// Close it after every array that may be a view of it (DJL's `reshape`, `transpose`, `get`), which closing their
/// [NDManager] first does.
public final class SharedArray implements AutoCloseable {
    private final Pin pin;
    private final NDArray array;

    /// @param manager of the PyTorch engine, on the CPU: on a GPU, and in other engines, DJL copies
    /// @param tensor on the CPU, of less than 2 GiB, which is as long as a `ByteBuffer` can be
    /// @throws IllegalArgumentException if it is larger, or of a dtype that DJL does not take, such as BF16
    public SharedArray(NDManager manager, Tensor tensor) {
        DataType type = typeOf(tensor);
        if (tensor.byteSize() > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(tensor.name() + " has " + tensor.byteSize() + " bytes, over 2 GiB");
        }
        pin = tensor.pin();
        try {
            // Only a direct ByteBuffer is taken as it is; a FloatBuffer over the same memory would be copied.
            ByteBuffer bytes = tensor.segment().asByteBuffer().order(ByteOrder.nativeOrder());
            array = manager.create(bytes, new Shape(tensor.shape().toArray()), type);
        } catch (RuntimeException e) {
            pin.close();
            throw e;
        }
    }

    /// What DJL's native code knows. Not BF16: [DataType#BFLOAT16] exists, and making an array of it aborts the process
    /// (0.36.0).
    private static DataType typeOf(Tensor tensor) {
        return switch (tensor.dtype()) {
            case F64 -> DataType.FLOAT64;
            case F32 -> DataType.FLOAT32;
            case F16 -> DataType.FLOAT16;
            case I64 -> DataType.INT64;
            case I32 -> DataType.INT32;
            case I8 -> DataType.INT8;
            case U8 -> DataType.UINT8;
            case BOOL -> DataType.BOOLEAN;
            default -> throw new IllegalArgumentException(
                    tensor.name() + " is " + tensor.dtype() + "; load it with LoaderBuilder.dtype, for example as F32");
        };
    }

    /// The array; closed with this.
    public NDArray array() {
        return array;
    }

    @Override
    public void close() {
        array.close();
        pin.close();
    }
}
