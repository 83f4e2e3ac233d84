package io.fastsafetensors.examples.javacpp;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// The same memory seen by JavaCPP's native code and by fst.
@EnabledOnOs(value = OS.LINUX, architectures = "amd64", disabledReason = "the pom has no other natives of JavaCPP")
class TensorPointerTest {
    private static final float[] VALUES = {1, -2.5f, 1e-30f, Float.POSITIVE_INFINITY, 0.1f};

    @TempDir
    Path directory;

    private Path file;

    @BeforeEach
    void write() {
        ByteBuffer bytes = ByteBuffer.allocate(VALUES.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(VALUES);
        file = directory.resolve("model.safetensors");
        Safetensors.write(file, List.of(
                TensorSource.of("a", DType.F32, Shape.of(VALUES.length), channel -> channel.write(bytes.duplicate())),
                TensorSource.of("b", DType.F32, Shape.of(VALUES.length), channel -> channel.write(bytes.duplicate()))),
                WriteOptions.defaults());
    }

    @Test
    void native_code_reads_the_values() {
        try (Weights weights = Safetensors.load(file, Device.CPU);
                TensorPointer bytes = new TensorPointer(weights.get("a"));
                FloatPointer floats = new FloatPointer(bytes).capacity(VALUES.length)) {
            assertEquals(weights.get("a").address(), floats.address());
            assertEquals(VALUES.length * (long) Float.BYTES, bytes.capacity());
            assertEquals(VALUES.length, floats.capacity());
            float[] read = new float[VALUES.length];
            floats.get(read);
            assertArrayEquals(VALUES, read);
        }
    }

    @Test
    void what_one_side_writes_the_other_reads() {
        try (Weights weights = Safetensors.load(file, Device.CPU);
                TensorPointer bytes = new TensorPointer(weights.get("a"));
                FloatPointer floats = new FloatPointer(bytes)) {
            MemorySegment memory = weights.get("a").segment();
            floats.put(1, 42);
            assertEquals(42, memory.getAtIndex(ValueLayout.JAVA_FLOAT, 1));
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, 2, 43);
            assertEquals(43, floats.get(2));
            Pointer.memset(bytes, 0, Float.BYTES);
            assertEquals(0, memory.getAtIndex(ValueLayout.JAVA_FLOAT, 0));
        }
    }

    @Test
    void tensors_are_compared_in_place() {
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            Tensor a = weights.get("a");
            Tensor b = weights.get("b");
            assertTrue(RunJavaCpp.isSame(a, b));
            b.segment().set(ValueLayout.JAVA_BYTE, b.byteSize() - 1, (byte) 7);
            assertFalse(RunJavaCpp.isSame(a, b));
        }
    }

    @Test
    void the_memory_outlives_the_weights_for_as_long_as_the_pointer() throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(8 << 20).put(0, (byte) 77);
        Safetensors.write(file, List.of(TensorSource.of("large", DType.U8, Shape.of(bytes.capacity()),
                channel -> channel.write(bytes))), WriteOptions.defaults());
        Weights weights = Safetensors.load(file, Device.CPU);
        TensorPointer pointer = new TensorPointer(weights.get("large"));
        long address = pointer.address();
        weights.close();
        assertThrows(IllegalStateException.class, () -> weights.get("large"));
        assertEquals(77, pointer.get(0));
        assertTrue(isMapped(address));
        new FloatPointer(pointer).close();
        assertTrue(pointer.isNull(), "a cast was closed, and the pointer not with it");
        assertFalse(isMapped(address));
    }

    /// Whether an address is in a mapping of this process.
    private static boolean isMapped(long address) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream().map(line -> line.split("[- ]"))
                .anyMatch(part -> Long.compareUnsigned(Long.parseUnsignedLong(part[0], 16), address) <= 0
                        && Long.compareUnsigned(address, Long.parseUnsignedLong(part[1], 16)) < 0);
    }
}
