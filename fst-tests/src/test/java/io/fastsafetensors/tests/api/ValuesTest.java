package io.fastsafetensors.tests.api;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Values go in and out of arrays in one line, converted as the rules of [io.fastsafetensors.spi.Kernels] say.
class ValuesTest {
    private static final int ELEMENTS = 4096;

    @TempDir
    private Path directory;

    /// A file of one tensor for each dtype, of random bytes.
    private Path everyDType(Random random) {
        Path file = directory.resolve("all.safetensors");
        TensorSource[] sources = new TensorSource[DType.values().length];
        for (DType dtype : DType.values()) {
            byte[] bytes = new byte[(int) dtype.byteSize(ELEMENTS)];
            random.nextBytes(bytes);
            sources[dtype.ordinal()] = TensorSource.of(dtype.name(), dtype, Shape.of(ELEMENTS / 8, 8), bytes);
        }
        Safetensors.write(file, sources);
        return file;
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "remote:0"})
    void arrays_of_every_dtype_are_what_the_reference_converts_to(String device) {
        long seed = new Random().nextLong();
        Path file = everyDType(new Random(seed));
        try (Weights weights = Safetensors.load(file, Device.parse(device))) {
            for (DType from : DType.values()) {
                Tensor tensor = weights.get(from.name());
                String context = from + " -Dfst.seed=" + seed;
                byte[] raw = tensor.toByteArray();
                assertEquals(tensor.byteSize(), raw.length, context);
                if (from == DType.C64) {
                    String refusal = assertThrows(UnsupportedFeatureException.class, tensor::toFloatArray).getMessage();
                    assertTrue(refusal.contains("asByteBuffer().asFloatBuffer()"), refusal);
                    continue;
                }
                assertArrayEquals(converted(raw, from, DType.F32), bits(MemorySegment.ofArray(tensor.toFloatArray())),
                        context);
                assertArrayEquals(converted(raw, from, DType.F64), bits(MemorySegment.ofArray(tensor.toDoubleArray())),
                        context);
                assertArrayEquals(converted(raw, from, DType.I64), bits(MemorySegment.ofArray(tensor.toLongArray())),
                        context);
                assertArrayEquals(converted(raw, from, DType.I32), bits(MemorySegment.ofArray(tensor.toIntArray())),
                        context);
                assertArrayEquals(converted(raw, from, DType.I16), bits(MemorySegment.ofArray(tensor.toShortArray())),
                        context);
            }
        }
    }

    private static byte[] converted(byte[] raw, DType from, DType to) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment source = arena.allocate(raw.length, 8);
            source.copyFrom(MemorySegment.ofArray(raw));
            MemorySegment target = arena.allocate(to.byteSize(ELEMENTS), 8);
            ScalarReference.convert(source, from, target, to, ELEMENTS);
            return bits(target);
        }
    }

    private static byte[] bits(MemorySegment values) {
        byte[] bytes = new byte[(int) values.byteSize()];
        MemorySegment.ofArray(bytes).copyFrom(values);
        return bytes;
    }

    @Test
    void a_buffer_is_the_memory_itself_in_native_order() {
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, TensorSource.of("w", Shape.of(3), new float[] {1, -2, 3}));
        ByteBuffer kept;
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            Tensor w = weights.get("w");
            assertEquals(ByteOrder.LITTLE_ENDIAN, w.asByteBuffer().order());
            assertEquals(-2, w.asByteBuffer().asFloatBuffer().get(1));
            assertEquals(w.address(), MemorySegment.ofBuffer(w.asByteBuffer()).address());
            kept = w.asByteBuffer();
        }
        assertThrows(IllegalStateException.class, () -> kept.get(0));
    }

    @Test
    void a_buffer_of_a_device_says_how_to_copy() {
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, TensorSource.of("w", Shape.of(3), new float[] {1, -2, 3}));
        try (Weights weights = Safetensors.load(file, Device.parse("remote:0"))) {
            String refusal = assertThrows(UnsupportedFeatureException.class, weights.get("w")::asByteBuffer)
                    .getMessage();
            assertTrue(refusal.contains("copyTo"), refusal);
        }
    }

    @Tag("slow")
    @Test
    void what_no_array_holds_is_refused_with_the_way_out() throws IOException {
        long elements = 1L << 31;
        Path file = directory.resolve("large.safetensors");
        byte[] json = ("{\"w\":{\"dtype\":\"U8\",\"shape\":[" + elements + "],\"data_offsets\":[0," + elements + "]}}")
                .getBytes(StandardCharsets.UTF_8);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, json.length), 0);
            channel.write(ByteBuffer.wrap(json), 8);
            channel.write(ByteBuffer.allocate(1), 8 + json.length + elements - 1);
        }
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            Tensor w = weights.get("w");
            for (String refusal : new String[] {
                assertThrows(UnsupportedFeatureException.class, w::toFloatArray).getMessage(),
                assertThrows(UnsupportedFeatureException.class, w::toByteArray).getMessage(),
                assertThrows(UnsupportedFeatureException.class, w::asByteBuffer).getMessage()}) {
                assertTrue(refusal.contains("2147483648") && refusal.contains("slice") && refusal.contains("tensor w"),
                        refusal);
            }
            assertEquals(0, w.slice(Slice.from(-2)).toByteArray()[1]);
        }
    }

    @Test
    void arrays_are_written_in_one_line() {
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, TensorSource.of("f", Shape.of(2, 3), new float[] {1, 2, 3, 4, 5, 6}),
                TensorSource.of("d", Shape.of(1), new double[] {-0.5}),
                TensorSource.of("l", Shape.of(), new long[] {-7}),
                TensorSource.of("i", Shape.of(2), new int[] {8, -9}),
                TensorSource.of("s", Shape.of(2), new short[] {-1, 300}),
                TensorSource.of("b", Shape.of(3), new boolean[] {true, false, true}),
                TensorSource.of("u", DType.U8, Shape.of(2), new byte[] {-1, 1}),
                TensorSource.of("n", Shape.of(0, 4), new float[0]));
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            assertEquals(DType.F32, weights.get("f").dtype());
            assertEquals(Shape.of(2, 3), weights.get("f").shape());
            assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, weights.get("f").toFloatArray());
            assertArrayEquals(new double[] {-0.5}, weights.get("d").toDoubleArray());
            assertArrayEquals(new long[] {-7}, weights.get("l").toLongArray());
            assertArrayEquals(new int[] {8, -9}, weights.get("i").toIntArray());
            assertArrayEquals(new short[] {-1, 300}, weights.get("s").toShortArray());
            assertArrayEquals(new int[] {1, 0, 1}, weights.get("b").toIntArray());
            assertArrayEquals(new int[] {255, 1}, weights.get("u").toIntArray());
            assertArrayEquals(new float[0], weights.get("n").toFloatArray());

            Path copy = directory.resolve("copy.safetensors");
            Safetensors.write(copy, Map.of("renamed", weights.get("f")));
            try (Weights copied = Safetensors.load(copy, Device.CPU)) {
                assertEquals(6, copied.get("renamed").toFloatArray()[5]);
                assertFalse(copied.names().contains("f"));
            }
        }
        String refusal = assertThrows(IllegalArgumentException.class,
                () -> TensorSource.of("w", Shape.of(2, 3), new float[5])).getMessage();
        assertTrue(refusal.contains("\"w\"") && refusal.contains("[2,3]"), refusal);
    }

    @Test
    void a_large_array_is_written_whole() {
        float[] values = new float[3_000_001];
        for (int i = 0; i < values.length; i++) {
            values[i] = i;
        }
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, TensorSource.of("w", Shape.of(values.length), values));
        try (Weights weights = Safetensors.load(file, Device.parse("remote:0"))) {
            assertArrayEquals(values, weights.get("w").toFloatArray());
        }
        assertEquals(1, Safetensors.open(Location.of(file)).tensors().size());
    }
}
