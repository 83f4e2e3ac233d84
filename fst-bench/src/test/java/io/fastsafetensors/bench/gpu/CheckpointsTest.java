package io.fastsafetensors.bench.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointsTest {
    private static final long BYTES = 8L << 20;

    @TempDir
    private Path directory;

    @Test
    void every_layout_holds_the_same_bytes() {
        try (Checkpoints checkpoints = new Checkpoints(directory, BYTES)) {
            Checkpoint sharded = Safetensors.open(checkpoints.sharded());
            Checkpoint single = Safetensors.open(checkpoints.single());
            assertEquals(single.names(), sharded.names());
            assertEquals(single.byteSize(), sharded.byteSize());
            assertTrue(sharded.files().size() > 1, "in shards");
            assertEquals(1, single.files().size());
            assertEquals(single.byteSize(), Safetensors.open(checkpoints.odd()).byteSize());
        }
    }

    @Test
    void small_tensors_and_wide_ones_are_as_asked_for() {
        try (Checkpoints checkpoints = new Checkpoints(directory, BYTES)) {
            Checkpoint small = Safetensors.open(checkpoints.small(100));
            assertEquals(100, small.names().size());
            assertEquals(BYTES, small.byteSize(), 200.0);
            assertTrue(Safetensors.open(checkpoints.wide()).tensors().stream()
                    .allMatch(tensor -> tensor.dtype() == DType.F32));
        }
    }

    @Test
    void the_odd_one_has_a_header_length_of_1_modulo_8() {
        try (Checkpoints checkpoints = new Checkpoints(directory, BYTES)) {
            Checkpoint odd = Safetensors.open(checkpoints.odd());
            for (String name : odd.names()) {
                assertEquals(1, odd.info(name).fileOffset() % 2, name);
            }
        }
    }

    @Test
    void every_tensor_is_full_of_noise() {
        try (Checkpoints checkpoints = new Checkpoints(directory, BYTES);
                Loader loader = Loader.builder().build();
                Weights weights = loader.load(checkpoints.sharded())) {
            for (String name : weights.names()) {
                MemorySegment bytes = weights.get(name).segment();
                long zeros = 0;
                for (long at = 0; at + 8 <= bytes.byteSize(); at += 8) {
                    zeros += bytes.get(ValueLayout.JAVA_LONG_UNALIGNED, at) == 0 ? 1 : 0;
                }
                assertEquals(0, zeros, name);
            }
        }
    }

    @Test
    void closing_deletes_everything_and_the_next_run_starts_empty() throws Exception {
        Path kept;
        try (Checkpoints checkpoints = new Checkpoints(directory, BYTES)) {
            kept = checkpoints.single();
            assertTrue(Files.exists(kept));
        }
        assertFalse(Files.exists(kept));
        Files.createDirectories(kept);
        try (Checkpoints checkpoints = new Checkpoints(directory, BYTES)) {
            assertFalse(Files.exists(kept), "a former run's leftovers");
            Checkpoints.delete(checkpoints.victim());
        }
    }
}
