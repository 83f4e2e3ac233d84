package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.SliceException.Reason;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.util.List;

/// Shards for one rank: the whole tensor, under the checks that several ranks make as well.
final class Sharding {
    private Sharding() {
    }

    static void requireDim(String name, Shape shape, int dim) {
        if (dim < -1 || dim >= shape.rank()) {
            throw new SliceException(Reason.INVALID_DIMENSION, "dimension " + dim + " of " + shape
                    + "; expected −1 (whole) to " + (shape.rank() - 1), Where.nowhere().withTensor(name));
        }
    }

    static void requireConcat(List<TensorInfo> infos, int dim) {
        if (infos.isEmpty()) {
            throw new IllegalArgumentException("no names to concatenate");
        }
        TensorInfo first = infos.getFirst();
        for (TensorInfo info : infos) {
            requireDim(info.name(), info.shape(), dim);
            boolean fits = dim >= 0 && info.dtype() == first.dtype() && info.shape().rank() == first.shape().rank()
                    && info.shape().withDim(dim, 0).equals(first.shape().withDim(dim, 0));
            if (!fits) {
                throw new SliceException(Reason.INVALID_DIMENSION, info.dtype() + " " + info.shape()
                        + " cannot be joined along dimension " + dim + " with " + first.dtype() + " " + first.shape()
                        + " of \"" + first.name() + "\"", Where.nowhere().withTensor(info.name()));
            }
        }
    }

    static Tensor concat(List<CoreTensor> parts, int dim) {
        Shape shape = parts.getFirst().shape();
        long size = 0;
        for (CoreTensor part : parts) {
            size = Math.addExact(size, part.shape().dim(dim));
        }
        Shape joined = shape.withDim(dim, size);
        long inner = 1;
        for (int d = dim; d < shape.rank(); d++) {
            inner *= shape.dim(d);
        }
        if (parts.getFirst().dtype().isSubByte() && inner * parts.getFirst().dtype().bits() % 8 != 0) {
            throw new SliceException(Reason.MISALIGNED_SLICE, "rows of " + parts.getFirst().dtype()
                    + " tensors do not fill whole bytes", Where.nowhere().withTensor(parts.getFirst().name()));
        }
        return DeviceWork.concat(parts, dim, joined);
    }
}
