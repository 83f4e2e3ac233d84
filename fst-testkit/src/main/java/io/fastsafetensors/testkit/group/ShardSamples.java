package io.fastsafetensors.testkit.group;

import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.testkit.fixture.CheckpointFixture;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/// Checkpoints to cut: every dtype, ragged and empty dimensions, small and large rows, odd places in the file.
public final class ShardSamples {
    private ShardSamples() {
    }

    /// Several files: `DTYPE.0` … of every dtype, and two large ones that take many blocks.
    public static Path everyDType(Path directory, long seed) {
        Random random = new Random(seed);
        CheckpointFixture checkpoint = CheckpointFixture.create();
        SafetensorsFixture[] files = new SafetensorsFixture[3];
        for (int f = 0; f < files.length; f++) {
            files[f] = SafetensorsFixture.create().dataStart(f, 8);
        }
        int number = 0;
        for (DType dtype : DType.values()) {
            // 8 elements innermost, so that rows of sub-byte elements fill whole bytes.
            Shape[] shapes = {Shape.of(5, 3, 8), Shape.of(12, 16), Shape.of(0, 8), Shape.of(3, 0), Shape.of(8),
                Shape.of(1 + random.nextInt(40), 8L * (1 + random.nextInt(9))), Shape.of(12, 16)};
            for (int s = 0; s < shapes.length; s++) {
                files[number++ % files.length].tensor(dtype + "." + s, dtype, shapes[s], random.nextLong());
            }
        }
        files[0].tensor("wide", DType.BF16, Shape.of(37, 5_003), random.nextLong());
        files[1].tensor("deep", DType.F32, Shape.of(3, 70_001), random.nextLong());
        files[2].tensor("scalar", DType.F64, Shape.of(), random.nextLong());
        for (int f = 0; f < files.length; f++) {
            checkpoint.shard("model-" + f + ".safetensors", files[f]);
        }
        return checkpoint.write(directory).directory();
    }

    /// 100 tensors of a few dtypes and sizes in 5 files.
    public static Path hundred(Path directory, long seed) {
        Random random = new Random(seed);
        DType[] dtypes = {DType.BF16, DType.F32, DType.F16, DType.U8, DType.I64};
        CheckpointFixture checkpoint = CheckpointFixture.create();
        for (int f = 0; f < 5; f++) {
            SafetensorsFixture file = SafetensorsFixture.create().dataStart(0, 8);
            for (int t = 0; t < 20; t++) {
                file.tensor("layer." + f + "." + t, dtypes[random.nextInt(dtypes.length)],
                        Shape.of(random.nextInt(1, 60), random.nextInt(1, 700)), random.nextLong());
            }
            checkpoint.shard("model-" + f + ".safetensors", file);
        }
        return checkpoint.write(directory).directory();
    }

    /// The bytes of a tensor on whatever device; closes it.
    public static byte[] bytes(Tensor tensor) {
        try (tensor; Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(Math.max(1, tensor.byteSize())).asSlice(0, tensor.byteSize());
            tensor.copyTo(copy);
            return copy.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /// What a rank's part must be, by plain arithmetic on the bytes of the whole tensor.
    ///
    /// @param bits of an element
    public static byte[] part(byte[] whole, Shape shape, int bits, int dim, int rank, int ranks) {
        if (dim < 0) {
            return whole;
        }
        long outer = 1;
        long inner = 1;
        for (int d = 0; d < shape.rank(); d++) {
            outer *= d < dim ? shape.dim(d) : 1;
            inner *= d > dim ? shape.dim(d) : 1;
        }
        long block = Math.ceilDiv(shape.dim(dim), (long) ranks);
        long from = Math.min(shape.dim(dim), block * rank);
        long to = Math.min(shape.dim(dim), from + block);
        int row = (int) (shape.dim(dim) * inner * bits / 8);
        int start = (int) (from * inner * bits / 8);
        int length = (int) ((to - from) * inner * bits / 8);
        byte[] part = new byte[(int) outer * length];
        for (int o = 0; o < outer; o++) {
            System.arraycopy(whole, o * row + start, part, o * length, length);
        }
        return part;
    }

    /// Whether a dimension can be cut without cutting a byte of a sub-byte dtype in two.
    public static boolean isWhole(DType dtype, Shape shape, int dim, int ranks) {
        long inner = 1;
        for (int d = dim + 1; d < shape.rank(); d++) {
            inner *= shape.dim(d);
        }
        return !dtype.isSubByte() || ranks == 1 || inner * dtype.bits() % 8 == 0;
    }

    /// The bytes of every tensor, by one rank on the CPU.
    public static Map<String, byte[]> all(Weights weights) {
        Map<String, byte[]> all = new TreeMap<>();
        for (String name : weights.names()) {
            all.put(name, bytes(weights.get(name)));
        }
        return all;
    }
}
