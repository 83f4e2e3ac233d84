package io.fastsafetensors.examples.jlama;

import com.github.tjake.jlama.model.DistributedContext;
import com.github.tjake.jlama.safetensors.TensorInfo;
import com.github.tjake.jlama.safetensors.WeightLoader;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.BFloat16BufferTensor;
import com.github.tjake.jlama.tensor.FloatBufferTensor;
import com.github.tjake.jlama.tensor.Q4ByteBufferTensor;
import com.github.tjake.jlama.tensor.Q8ByteBufferTensor;
import com.github.tjake.jlama.tensor.SegmentedTensor;
import com.github.tjake.jlama.tensor.TensorShape;
import com.github.tjake.jlama.util.Pair;
import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.OpaqueType;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.File;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/// Gives Jlama the tensors that fst loads, without a copy: `ModelSupport.loadModel(..., FstWeights::open)`.
///
/// Jlama's tensors are views of the loaded memory, so this is closed when the model is, not before. Quantised files of Jlama's own
/// (dtype `Q4`, and `I8` with scales) are read too, and a rank of a distributed model gets views of its rows.
@SuppressWarnings("rawtypes")
public final class FstWeights implements WeightLoader {
    private final long most;
    private final Loader loader;
    private final Weights weights;
    private final Map<String, TensorInfo> infos = new LinkedHashMap<>();

    FstWeights(File directory, long most) {
        this.most = most;
        // Jlama only reads: the page cache itself is the memory, shared with every process that loads the same file.
        this.loader = Loader.builder().device("cpu").transferPath(TransferPath.MAPPED).open(OpenOptions.lenientMode())
                .build();
        this.weights = loader.load(directory.toPath());
        Checkpoint checkpoint = weights.checkpoint();
        for (io.fastsafetensors.types.TensorInfo tensor : checkpoint.tensors()) {
            OpaqueType opaque = checkpoint.opaque().get(tensor.name());
            Shape shape = opaque == null ? tensor.shape() : opaque.shape();
            String dtype = opaque == null ? tensor.dtype().name() : opaque.dtype();
            infos.put(tensor.name(), new TensorInfo(com.github.tjake.jlama.safetensors.DType.valueOf(dtype),
                    shape.toArray(), new long[] {0, tensor.byteSize()}));
        }
    }

    /// Loads a checkpoint.
    ///
    /// @param directory the model's directory
    public static FstWeights open(File directory) {
        return new FstWeights(directory, Integer.MAX_VALUE);
    }

    @Override
    public AbstractTensor load(String name, @Nullable DistributedContext context, boolean sparseRows,
            boolean sparseColumns) {
        TensorInfo info = infos.get(name);
        if (info == null) {
            throw new NoSuchElementException(name);
        }
        Tensor tensor = weights.get(name);
        // Jlama has no kernels for F16.
        MemorySegment bytes = (tensor.dtype() == DType.F16 ? tensor.to(DType.F32) : tensor).segment();
        long rowBytes = bytes.byteSize() / info.shape[0];
        DistributedContext ofRows = sparseRows ? context : null;
        int first = ofRows == null ? 0 : ofRows.getShardOffsetForLength(info.shape[0]);
        int count = ofRows == null ? info.shape[0] : ofRows.getShardLength(info.shape[0]);
        TensorShape shape = ofRows == null ? TensorShape.of(info.shape)
                : TensorShape.sparseRow(info.shape, Pair.of(first, count));
        MemorySegment part = bytes.asSlice(first * rowBytes, count * rowBytes);
        AbstractTensor loaded = part.byteSize() <= most ? wrap(name, info, shape, part, context, sparseRows)
                : segmented(name, info, part, rowBytes);
        return context != null && sparseColumns && context.hasModelShard()
                ? loaded.sparsify(context.getShardOffsetForLength(shape.last()), context.getShardLength(shape.last()))
                : loaded;
    }

    /// A buffer has less than 2 GiB: a larger matrix is a list of its rows' buffers.
    private AbstractTensor segmented(String name, TensorInfo info, MemorySegment bytes, long rowBytes) {
        long step = most / rowBytes * rowBytes;
        List<AbstractTensor> parts = new ArrayList<>();
        for (long at = 0; at < bytes.byteSize(); at += step) {
            MemorySegment part = bytes.asSlice(at, Math.min(step, bytes.byteSize() - at));
            TensorShape shape = TensorShape.of((int) (part.byteSize() / rowBytes), info.shape[1]);
            parts.add(wrap(name + "-part-" + parts.size(), info, shape, part, null, false));
        }
        return SegmentedTensor.wrap(parts);
    }

    private AbstractTensor wrap(String name, TensorInfo info, TensorShape shape, MemorySegment bytes,
            @Nullable DistributedContext context, boolean sparseRows) {
        ByteBuffer buffer = bytes.asByteBuffer().order(ByteOrder.nativeOrder());
        return switch (info.dType) {
            case F32, F16 -> new FloatBufferTensor(name, buffer.asFloatBuffer(), shape, true);
            case BF16 -> new BFloat16BufferTensor(name, buffer.asShortBuffer(), shape, true);
            case Q4 -> new Q4ByteBufferTensor(name, buffer, scales(name, context, sparseRows), shape, true);
            case I8 -> new Q8ByteBufferTensor(name, buffer, scales(name, context, sparseRows), shape, true);
            default -> throw new IllegalArgumentException("Jlama has no tensors of " + info.dType + ": " + name);
        };
    }

    private FloatBufferTensor scales(String name, @Nullable DistributedContext context, boolean sparseRows) {
        return (FloatBufferTensor) load(name + ".qb", context, sparseRows, false);
    }

    @Override
    public Map<String, String> metadata() {
        return weights.checkpoint().metadata();
    }

    @Override
    public Map<String, TensorInfo> tensorInfoMap() {
        return infos;
    }

    /// Where fst has loaded a tensor.
    long addressOf(String name) {
        return weights.get(name).address();
    }

    /// The dtype of most tensors, as Jlama decides it.
    @Override
    public com.github.tjake.jlama.safetensors.DType getModelDType() {
        return com.github.tjake.jlama.safetensors.Weights.findDType(infos);
    }

    @Override
    public void close() {
        weights.close();
        loader.close();
    }
}
