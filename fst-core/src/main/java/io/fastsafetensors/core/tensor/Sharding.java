package io.fastsafetensors.core.tensor;

import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.core.shard.Part.Shard;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.SliceException.Reason;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import io.fastsafetensors.types.TensorInfo;
import java.util.Arrays;
import java.util.List;

/// Parts of loaded tensors, and their joining.
///
/// What is refused here is refused on every rank, by looking at the parts of all of them: otherwise one rank would
/// fail alone and the others would wait for it.
public final class Sharding {
    private Sharding() {
    }

    /// Refuses a rank that the load does not have.
    ///
    /// @throws IllegalArgumentException if it has no such rank
    public static void requireRank(int rank, RankLayout layout) {
        if (rank < 0 || rank >= layout.ranks()) {
            throw new IllegalArgumentException("rank " + rank + " of a load by " + layout.ranks());
        }
    }

    /// A rank's part of a tensor that is there as a whole: a view, or gathered on the device.
    public static CoreTensor part(CoreTensor whole, int dim, RankLayout layout) {
        if (dim < 0 || !layout.isShared()) {
            return whole;
        }
        long size = whole.shape().dim(dim);
        Shard shard = Shard.of(size, layout.rank(), layout.ranks());
        Slice[] slices = new Slice[dim + 1];
        Arrays.fill(slices, Slice.all());
        if (shard.length() < size) {
            long start = shard.length() == 0 ? 0 : shard.start();
            slices[dim] = Slice.range(start, start + shard.length());
        }
        return whole.slice(slices);
    }

    /// Refuses what cannot be cut and joined on some rank, on every rank alike.
    ///
    /// @param infos the tensors as they are in memory
    public static void requireConcat(List<TensorInfo> infos, int dim, RankLayout layout) {
        if (infos.isEmpty()) {
            throw new IllegalArgumentException("no names to concatenate");
        }
        TensorInfo first = infos.getFirst();
        for (TensorInfo info : infos) {
            Part.requireAll(info, dim, layout.ranks());
            boolean fits = dim >= 0 && info.dtype() == first.dtype() && info.shape().rank() == first.shape().rank()
                    && info.shape().withDim(dim, 0).equals(first.shape().withDim(dim, 0));
            if (!fits) {
                throw new SliceException(Reason.INVALID_DIMENSION, info.dtype() + " " + info.shape()
                        + " cannot be joined along dimension " + dim + " with " + first.dtype() + " " + first.shape()
                        + " of \"" + Printable.escape(first.name()) + "\"", Where.nowhere().withTensor(info.name()));
            }
            for (int r = 0; r < layout.ranks(); r++) {
                requireWholeBytes(info, Part.of(info, dim, r, layout.ranks()).shape(), dim);
            }
        }
    }

    /// Joined rows lie behind one another, each beginning on a byte.
    private static void requireWholeBytes(TensorInfo info, Shape part, int dim) {
        if (!info.dtype().isSubByte()) {
            return;
        }
        long inner = 1;
        for (int d = dim; d < part.rank(); d++) {
            inner *= part.dim(d);
        }
        if (inner * info.dtype().bits() % 8 != 0) {
            throw new SliceException(Reason.MISALIGNED_SLICE, "rows of " + info.dtype()
                    + " tensors do not fill whole bytes", Where.nowhere().withTensor(info.name()));
        }
    }

    /// Refuses a conversion that does not fill whole bytes on some rank, on every rank alike.
    ///
    /// @param infos tensors whose parts are joined and then converted
    public static void requireConvertible(List<TensorInfo> infos, int dim, RankLayout layout, GetOptions options) {
        if (options.dtype().isEmpty()) {
            return;
        }
        for (int r = 0; r < layout.ranks(); r++) {
            long elements = 0;
            for (TensorInfo info : infos) {
                elements += Part.of(info, dim, r, layout.ranks()).shape().elements();
            }
            DeviceWork.convertedBytes(infos.getFirst().name(), options.dtype().get(), elements);
        }
    }

    /// The parts joined along a dimension, in memory of their own; they stay open.
    ///
    /// @param parts that [#requireConcat] accepts, one at least
    public static CoreTensor concat(List<CoreTensor> parts, int dim) {
        Shape shape = parts.getFirst().shape();
        long size = 0;
        for (CoreTensor part : parts) {
            size = Math.addExact(size, part.shape().dim(dim));
        }
        return DeviceWork.concat(parts, dim, shape.withDim(dim, size));
    }
}
