package io.fastsafetensors.api;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Copies the elements of a tensor into arrays; the tensor's own backend converts them.
final class Values {
    /// More than this no virtual machine allocates.
    private static final long MOST = Integer.MAX_VALUE - 8L;

    private Values() {
    }

    static float[] floats(Tensor tensor) {
        float[] array = new float[length(tensor, tensor.shape().elements())];
        copy(tensor, DType.F32, MemorySegment.ofArray(array));
        return array;
    }

    static double[] doubles(Tensor tensor) {
        double[] array = new double[length(tensor, tensor.shape().elements())];
        copy(tensor, DType.F64, MemorySegment.ofArray(array));
        return array;
    }

    static long[] longs(Tensor tensor) {
        long[] array = new long[length(tensor, tensor.shape().elements())];
        copy(tensor, DType.I64, MemorySegment.ofArray(array));
        return array;
    }

    static int[] ints(Tensor tensor) {
        int[] array = new int[length(tensor, tensor.shape().elements())];
        copy(tensor, DType.I32, MemorySegment.ofArray(array));
        return array;
    }

    static short[] shorts(Tensor tensor) {
        short[] array = new short[length(tensor, tensor.shape().elements())];
        copy(tensor, DType.I16, MemorySegment.ofArray(array));
        return array;
    }

    static byte[] bytes(Tensor tensor) {
        byte[] array = new byte[length(tensor, tensor.byteSize())];
        tensor.copyTo(MemorySegment.ofArray(array));
        return array;
    }

    static ByteBuffer buffer(Tensor tensor) {
        MemorySegment segment = tensor.segment();
        if (segment.byteSize() > Integer.MAX_VALUE) {
            throw new UnsupportedFeatureException(segment.byteSize() + " bytes are more than a ByteBuffer can have;"
                    + " take a slice of the tensor, or segment()", Where.nowhere().withTensor(tensor.name()));
        }
        return segment.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    private static int length(Tensor tensor, long length) {
        if (length > MOST) {
            throw new UnsupportedFeatureException(length + " elements are more than an array can have; take a slice of"
                    + " the tensor, or segment() or copyTo(MemorySegment)",
                    Where.nowhere().withTensor(tensor.name()));
        }
        return (int) length;
    }

    private static void copy(Tensor tensor, DType target, MemorySegment array) {
        if (tensor.dtype() == DType.C64) {
            throw new UnsupportedFeatureException("an element of C64 is a pair of floats; read them from"
                    + " asByteBuffer().asFloatBuffer()", Where.nowhere().withTensor(tensor.name()));
        }
        Tensor converted = tensor.to(target);
        if (converted.equals(tensor)) {
            tensor.copyTo(array);
            return;
        }
        try (converted) {
            converted.copyTo(array);
        }
    }
}
