package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.ffm.NativeAccess;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The work of a program that never hands a pointer to native code. Run where native access is allowed and where it is
/// denied: it is the same.
@Tag("denied")
class NativeAccessTest {
    /// Below, within and above the sizes that the CPU backend keeps for later.
    private static final int[] ROWS = {3, 300, 30_000};
    private static final int COLUMNS = 1000;

    @TempDir
    Path directory;
    private Path model;

    @BeforeEach
    void write() throws IOException {
        SafetensorsFixture file = SafetensorsFixture.create();
        for (int rows : ROWS) {
            file.tensor("t" + rows, DType.BF16, Shape.of(rows, COLUMNS), rows);
        }
        model = file.write(directory.resolve("model.safetensors")).path();
    }

    @Test
    void tensors_are_read_sliced_converted_and_copied() {
        try (Loader loader = Loader.builder().device("cpu").build(); Weights weights = loader.load(model)) {
            for (int rows : ROWS) {
                Tensor tensor = weights.get("t" + rows);
                MemorySegment bytes = tensor.segment();
                assertEquals(rows * COLUMNS * 2L, bytes.byteSize());
                Tensor wide = tensor.to(DType.F32);
                assertEquals(bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2),
                        (short) (wide.segment().get(ValueLayout.JAVA_INT_UNALIGNED, 4) >>> 16));
                Tensor column = tensor.slice(Slice.all(), Slice.at(1));
                assertEquals(bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2),
                        column.segment().get(ValueLayout.JAVA_SHORT_UNALIGNED, 0));
                byte[] heap = new byte[(int) tensor.byteSize()];
                tensor.copyTo(MemorySegment.ofArray(heap));
                assertEquals(-1, MemorySegment.ofArray(heap).mismatch(bytes));
                try (Arena own = Arena.ofConfined()) {
                    MemorySegment confined = own.allocate(tensor.byteSize());
                    tensor.copyTo(confined);
                    assertEquals(-1, confined.mismatch(bytes));
                }
                assertNotEquals(0, tensor.address());
            }
        }
    }

    @Test
    void a_mapping_serves_instead_of_a_copy() {
        try (Loader copying = Loader.builder().device("cpu").build();
                Loader mapping = Loader.builder().device("cpu").transferPath(TransferPath.MAPPED).build();
                Weights expected = copying.load(model)) {
            MemorySegment late;
            try (Weights weights = mapping.load(model)) {
                weights.awaitAll();
                assertTrue(weights.stats().mappedBytes() > 0, weights.plan().describe());
                for (int rows : ROWS) {
                    Tensor tensor = weights.get("t" + rows);
                    assertEquals(-1, expected.get("t" + rows).segment().mismatch(tensor.segment()));
                    assertTrue(tensor.segment().isReadOnly());
                }
                late = weights.get("t3").segment();
            }
            assertThrows(IllegalStateException.class, () -> late.get(ValueLayout.JAVA_BYTE, 0));
        }
    }

    @Test
    void loads_convert_stream_and_rewrite() {
        Path copy = directory.resolve("copy.safetensors");
        try (Loader loader = Loader.builder().device("cpu").dtype(DType.F32).build()) {
            try (Weights weights = loader.load(model)) {
                weights.awaitAll();
                assertEquals(DType.F32, weights.get("t300").dtype());
                assertEquals(300 * COLUMNS * 4L, weights.get("t300").segment().byteSize());
            }
            int tensors = 0;
            try (TensorStream stream = loader.stream(model, StreamOptions.defaults())) {
                for (Tensor tensor : stream) {
                    tensors += tensor.segment().byteSize() == tensor.byteSize() ? 1 : 0;
                }
            }
            assertEquals(ROWS.length, tensors);
            assertFalse(loader.rewrite(model, copy, WriteOptions.defaults()).isEmpty());
        }
        try (Loader loader = Loader.builder().device("cpu").build(); Weights weights = loader.load(copy)) {
            assertEquals(DType.F32, weights.get("t30000").dtype());
            weights.awaitAll();
        }
    }

    @Test
    void a_segment_is_dead_when_its_memory_is_given_back() {
        MemorySegment small;
        MemorySegment large;
        try (Loader loader = Loader.builder().device("cpu").build()) {
            try (Weights weights = loader.load(model)) {
                small = weights.get("t3").segment();
                large = weights.get("t30000").to(DType.F32).segment();
            }
            assertThrows(IllegalStateException.class, () -> small.get(ValueLayout.JAVA_BYTE, 0));
            assertThrows(IllegalStateException.class, () -> large.get(ValueLayout.JAVA_BYTE, 0));
        }
    }

    @Test
    void what_needs_pointers_names_the_option() {
        // Nothing of it fails with the JDK's own exception.
        assertFalse(Diagnostics.backends().isEmpty());
        assertFalse(Diagnostics.groups().isEmpty());
        try (Loader loader = Loader.builder().device("cpu").build(); Weights weights = loader.load(model)) {
            if (NativeAccess.isAllowed()) {
                weights.get("t3").toDlpack(DlpackVersion.VERSIONED).close();
                return;
            }
            for (Runnable call : List.<Runnable>of(() -> weights.get("t3").toDlpack(DlpackVersion.VERSIONED),
                    () -> loader.fromDlpack(4096, DlpackVersion.LEGACY))) {
                UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class, call::run);
                assertTrue(e.getMessage().contains("--enable-native-access=ALL-UNNAMED"), e.getMessage());
            }
        }
    }
}
