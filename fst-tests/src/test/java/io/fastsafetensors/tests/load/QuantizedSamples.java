package io.fastsafetensors.tests.load;

import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.testkit.reference.DequantizationReference;
import io.fastsafetensors.testkit.reference.Elements;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.function.LongUnaryOperator;

/// Quantised tensors of every scheme, and what they become: by index arithmetic of its own, element by element.
final class QuantizedSamples {
    private final Random random;
    private final SafetensorsFixture values = SafetensorsFixture.create();
    private final SafetensorsFixture scales;
    private final Map<String, LongUnaryOperator> scaleBits = new LinkedHashMap<>();
    private final Map<String, Sample> samples = new LinkedHashMap<>();

    /// One tensor.
    ///
    /// @param element what its elements are
    /// @param bytes the elements
    /// @param shape the result's
    private record Sample(DType element, byte[] bytes, Shape shape) {
    }

    /// @param apart whether scales go into a file of their own
    QuantizedSamples(long seed, boolean apart) {
        random = new Random(seed);
        scales = apart ? SafetensorsFixture.create() : values;
    }

    SafetensorsFixture values() {
        return values;
    }

    SafetensorsFixture scales() {
        return scales;
    }

    Map<String, Shape> shapes() {
        Map<String, Shape> shapes = new LinkedHashMap<>();
        samples.forEach((name, sample) -> shapes.put(name, sample.shape));
        return shapes;
    }

    private byte[] bytes(int count) {
        byte[] bytes = new byte[count];
        random.nextBytes(bytes);
        return bytes;
    }

    /// Scales of which some make products subnormal, infinite or no numbers.
    private byte[] scaleBytes(DType dtype, int count) {
        byte[] bytes = new byte[(int) dtype.byteSize(count)];
        for (int i = 0; i < count; i++) {
            float usual = (float) Math.scalb(random.nextDouble() - 0.3, random.nextInt(-10, 10));
            int bits = random.nextInt(20) == 0 ? random.nextInt() : Float.floatToRawIntBits(usual);
            Elements.set(MemorySegment.ofArray(bytes), dtype, i,
                    dtype.bits() == 8 ? random.nextInt(256)
                            : ScalarReference.convert(DType.F32, bits & 0xFFFFFFFFL, dtype));
        }
        return bytes;
    }

    private static int f32(DType dtype, byte[] bytes, long index) {
        return (int) ScalarReference.convert(dtype, Elements.get(MemorySegment.ofArray(bytes), dtype, index),
                DType.F32);
    }

    /// Bytes with scales of blocks of the last two dimensions.
    ///
    /// @param suffix what the scales' name has after the tensor's
    QuantizedSamples blocks(String name, DType element, Shape shape, int blockRows, int blockColumns, DType scale,
            String suffix) {
        int rank = shape.rank();
        long columns = shape.dim(rank - 1);
        long rows = shape.dim(rank - 2);
        long downs = Math.ceilDiv(rows, (long) blockRows);
        long acrosses = Math.ceilDiv(columns, (long) blockColumns);
        Shape grid = shape.withDim(rank - 2, downs).withDim(rank - 1, acrosses);
        byte[] bytes = bytes((int) shape.elements());
        byte[] factors = scaleBytes(scale, (int) grid.elements());
        values.tensor(name, element, shape, bytes);
        scales.tensor(name + suffix, scale, grid, factors);
        scaleBits.put(name, i -> {
            long matrix = i / columns / rows;
            return f32(scale == DType.U8 ? DType.F8_E8M0 : scale, factors,
                    (matrix * downs + i / columns % rows / blockRows) * acrosses
                            + i % columns / blockColumns);
        });
        samples.put(name, new Sample(element, bytes, shape));
        return this;
    }

    /// Bytes with one scale for the tensor, or one for each index of the first dimension.
    ///
    /// @param grid the scales' shape
    QuantizedSamples rows(String name, DType element, Shape shape, Shape grid, DType scale, String scaleName) {
        byte[] bytes = bytes((int) shape.elements());
        byte[] factors = scaleBytes(scale, (int) grid.elements());
        values.tensor(name, element, shape, bytes);
        scales.tensor(scaleName, scale, grid, factors);
        long each = shape.elements() / grid.elements();
        scaleBits.put(name, i -> f32(scale, factors, i / each));
        samples.put(name, new Sample(element, bytes, shape));
        return this;
    }

    /// MXFP4 as gpt-oss has it.
    QuantizedSamples mxfp4(String name, Shape blocks, DType scale) {
        Shape grid = Shape.of(Arrays.copyOf(blocks.toArray(), blocks.rank() - 1));
        byte[] bytes = bytes((int) blocks.elements());
        byte[] factors = bytes((int) grid.elements());
        values.tensor(name + "_blocks", DType.U8, blocks, bytes);
        scales.tensor(name + "_scales", scale, grid, factors);
        scaleBits.put(name, i -> f32(DType.F8_E8M0, factors, i / 32));
        samples.put(name, new Sample(DType.F4, bytes,
                grid.withDim(grid.rank() - 1, grid.dim(grid.rank() - 1) * 32)));
        return this;
    }

    /// NVFP4.
    ///
    /// @param packed the shape of the bytes
    /// @param factors how many factors of the scales there are
    /// @param divides whether it is spelled as compressed-tensors does, which divides
    QuantizedSamples nvfp4(String name, Shape packed, int factors, boolean divides) {
        int rank = packed.rank();
        Shape shape = packed.withDim(rank - 1, packed.dim(rank - 1) * 2);
        long perRow = Math.ceilDiv(shape.dim(rank - 1), 16L);
        Shape grid = shape.withDim(rank - 1, perRow);
        byte[] bytes = bytes((int) packed.elements());
        byte[] blocks = bytes((int) grid.elements());
        byte[] global = new byte[4 * factors];
        for (int i = 0; i < factors; i++) {
            Elements.set(MemorySegment.ofArray(global), DType.F32, i,
                    Float.floatToRawIntBits((float) Math.scalb(random.nextDouble() + 0.1, -6)));
        }
        values.tensor(name + (divides ? "_packed" : ""), DType.U8, packed, bytes);
        scales.tensor(name + "_scale", DType.F8_E4M3, grid, blocks);
        scales.tensor(name + (divides ? "_global_scale" : "_scale_2"), DType.F32,
                factors == 1 ? Shape.of() : Shape.of(factors), global);
        long columns = shape.dim(rank - 1);
        long each = grid.elements() / factors;
        scaleBits.put(name, i -> {
            long block = i / columns * perRow + i % columns / 16;
            float scale = Float.intBitsToFloat(f32(DType.F8_E4M3, blocks, block));
            float factor = Float.intBitsToFloat(f32(DType.F32, global, block / each));
            return Float.floatToRawIntBits(divides ? scale / factor : scale * factor);
        });
        samples.put(name, new Sample(DType.F4, bytes, shape));
        return this;
    }

    /// What a tensor becomes.
    byte[] expected(String name, DType to) {
        Sample sample = samples.get(name);
        MemorySegment source = MemorySegment.ofArray(sample.bytes);
        byte[] result = new byte[(int) to.byteSize(sample.shape.elements())];
        MemorySegment target = MemorySegment.ofArray(result);
        for (long i = 0; i < sample.shape.elements(); i++) {
            Elements.set(target, to, i, DequantizationReference.multiply(sample.element,
                    Elements.get(source, sample.element, i), (int) scaleBits.get(name).applyAsLong(i), to));
        }
        return result;
    }
}
