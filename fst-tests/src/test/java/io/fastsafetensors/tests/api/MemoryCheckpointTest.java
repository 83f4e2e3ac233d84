package io.fastsafetensors.tests.api;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A checkpoint that lies in the program's memory is opened, loaded, streamed and read like any other.
class MemoryCheckpointTest {
    private static final float[] VALUES = {1, 2, 3, 4, 5, 6};

    @TempDir
    private Path directory;

    private byte[] bytes;

    @BeforeEach
    void write() throws IOException {
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, TensorSource.of("w", Shape.of(2, 3), VALUES),
                TensorSource.of("x", Shape.of(100_000), new double[100_000]));
        bytes = Files.readAllBytes(file);
        Files.delete(file);
    }

    @Test
    void headers_and_parts_come_from_an_array() {
        Checkpoint checkpoint = Safetensors.open(bytes);
        assertEquals(2, checkpoint.tensors().size());
        assertEquals("memory", checkpoint.location().scheme());
        assertTrue(checkpoint.toString().contains("memory:"), checkpoint::toString);
        try (Tensor row = checkpoint.read("w", Slice.at(1))) {
            assertArrayEquals(new float[] {4, 5, 6}, row.toFloatArray());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "remote:0"})
    void it_is_loaded_and_streamed_to_every_device(String device) {
        Location location = Location.of(bytes);
        try (Loader loader = Loader.builder().device(device).deviceBudget(8 << 20).build()) {
            try (Weights weights = loader.load(location)) {
                weights.awaitAll();
                assertArrayEquals(VALUES, weights.get("w").toFloatArray());
                assertArrayEquals(new double[100_000], weights.get("x").toDoubleArray());
            }
            try (TensorStream stream = loader.stream(location)) {
                int tensors = 0;
                for (Tensor tensor : stream) {
                    tensors += tensor.name().equals("w") && tensor.toFloatArray()[5] == 6 ? 10 : 1;
                }
                assertEquals(11, tensors);
            }
        }
        assertEquals("memory", Diagnostics.storage(location).getFirst().fileSystem());
    }

    @Test
    void native_memory_serves_as_long_as_it_is_alive() {
        Checkpoint checkpoint;
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = arena.allocate(bytes.length);
            memory.copyFrom(MemorySegment.ofArray(bytes));
            checkpoint = Safetensors.open(memory);
            try (Weights weights = Safetensors.load(checkpoint.location(), Device.CPU)) {
                assertArrayEquals(VALUES, weights.get("w").toFloatArray());
            }
        }
        String freed = assertThrows(StorageException.class, () -> checkpoint.read("w")).getMessage();
        assertTrue(freed.contains("the memory of the file was freed"), freed);
    }

    @Test
    void memory_of_one_thread_is_refused_with_the_way_out() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(16);
            String refusal = assertThrows(IllegalArgumentException.class, () -> Safetensors.open(memory)).getMessage();
            assertTrue(refusal.contains("Arena.ofShared()"), refusal);
        }
    }

    @Test
    void what_is_no_checkpoint_is_named_by_its_memory() {
        FormatException refusal = assertThrows(FormatException.class, () -> Safetensors.open(new byte[3]));
        assertTrue(refusal.getMessage().contains("memory:3-bytes-"), refusal.getMessage());
    }

    @Test
    void locations_of_one_memory_are_equal() {
        assertEquals(Location.of(bytes), Location.of(bytes));
        assertNotEquals(Location.of(bytes), Location.of(bytes.clone()));
        assertNotEquals(Location.of(bytes), Location.of(Location.of(bytes).address()));
        assertEquals(Location.of(bytes).hashCode(), Location.of(bytes).hashCode());
    }
}
