package io.fastsafetensors.tests.api;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/// The demands of the reference implementation's own Python tests on `safe_open`, `get_slice`, metadata, `save` and
/// the pread backend, of the calls here that take their place.
@Timeout(60)
class ReferenceBehaviourTest {
    private static final float[] SIX = {0, 1, 2, 3, 4, 5};

    @TempDir
    private Path directory;

    private Path file(String name) {
        return directory.resolve(name + ".safetensors");
    }

    private Path twoByThree() {
        Path file = file("two-by-three");
        Safetensors.write(file, List.of(TensorSource.of("test", Shape.of(2, 3), SIX)),
                WriteOptions.defaults().withMetadata(Map.of("framework", "pt")));
        return file;
    }

    private static void assertName(String name, Executable call) {
        assertEquals(name, assertThrows(FstException.class, call).errorName());
    }

    @Test
    void a_file_of_zeros_has_the_bytes_that_the_reference_writes() throws IOException {
        Path file = file("zeros");
        Safetensors.write(file, TensorSource.of("test", DType.I32, Shape.of(2, 2), new byte[16]));
        byte[] header = "{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}"
                .getBytes(StandardCharsets.UTF_8);
        byte[] all = Files.readAllBytes(file);
        int padded = (header.length + 7) / 8 * 8;
        byte[] expected = new byte[8 + padded + 16];
        expected[0] = (byte) padded;
        Arrays.fill(expected, 8, 8 + padded, (byte) ' ');
        System.arraycopy(header, 0, expected, 8, header.length);
        assertArrayEquals(expected, all);
    }

    @Test
    void the_order_of_writing_does_not_change_the_bytes() throws IOException {
        TensorSource b = TensorSource.of("b", Shape.of(2), new float[] {1, 2});
        TensorSource a = TensorSource.of("a", Shape.of(2), new float[] {3, 4});
        TensorSource wide = TensorSource.of("c", Shape.of(1), new double[] {5});
        Safetensors.write(file("one"), a, b, wide);
        Safetensors.write(file("two"), wide, b, a);
        assertEquals(-1, Files.mismatch(file("one"), file("two")));
        Checkpoint one = Safetensors.open(file("one"));
        assertEquals(List.of("c", "a", "b"), one.tensors().stream().map(t -> t.name()).toList(),
                "aligned: widest first");
        one.tensors().forEach(tensor -> assertEquals(0, tensor.fileOffset() % tensor.dtype().alignment()));
    }

    @Test
    void safe_open_lists_keys_and_metadata_and_gives_tensors() {
        Checkpoint open = Safetensors.open(twoByThree());
        assertEquals(Set.of("test"), Set.copyOf(open.names()));
        assertEquals(Map.of("framework", "pt"), open.metadata());
        try (Tensor tensor = open.read("test")) {
            assertArrayEquals(SIX, tensor.toFloatArray());
        }
        assertThrows(TensorNotFoundException.class, () -> open.read("other"));
        Safetensors.write(file("plain"), TensorSource.of("x", Shape.of(1), new float[1]));
        assertEquals(Map.of(), Safetensors.open(file("plain")).metadata());
    }

    @Test
    void get_slice_tells_shape_and_dtype_and_indexes_as_numpy_does() {
        Checkpoint open = Safetensors.open(twoByThree());
        assertEquals(Shape.of(2, 3), open.info("test").shape());
        assertEquals(DType.F32, open.info("test").dtype());
        assertSlice(open, Shape.of(2, 3), SIX);
        assertSlice(open, Shape.of(2, 3), SIX, Slice.all(), Slice.all());
        assertSlice(open, Shape.of(3), new float[] {3, 4, 5}, Slice.at(1));
        assertSlice(open, Shape.of(3), new float[] {3, 4, 5}, Slice.at(-1));
        assertSlice(open, Shape.of(2), new float[] {1, 4}, Slice.all(), Slice.at(1));
        assertSlice(open, Shape.of(2), new float[] {2, 5}, Slice.all(), Slice.at(-1));
        assertSlice(open, Shape.of(), new float[] {5}, Slice.at(1), Slice.at(2));
        assertSlice(open, Shape.of(1, 3), new float[] {0, 1, 2}, Slice.range(0, 1));
        assertSlice(open, Shape.of(2, 2), new float[] {1, 2, 4, 5}, Slice.all(), Slice.from(1));
        assertSlice(open, Shape.of(2, 1), new float[] {0, 3}, Slice.all(), Slice.to(1));
        assertSlice(open, Shape.of(2, 2), new float[] {0, 2, 3, 5}, Slice.all(), Slice.every(2));
        assertSlice(open, Shape.of(2, 0), new float[0], Slice.all(), Slice.range(1, 1));
        assertSlice(open, Shape.of(2, 1), new float[] {2, 5}, Slice.all(), Slice.from(-1));
    }

    private static void assertSlice(Checkpoint open, Shape shape, float[] values, Slice... slices) {
        try (Tensor part = open.read("test", slices)) {
            assertEquals(shape, part.shape(), Arrays.toString(slices));
            assertArrayEquals(values, part.toFloatArray(), Arrays.toString(slices));
        }
    }

    @Test
    void slices_that_are_not_there_are_refused_by_name() {
        Checkpoint open = Safetensors.open(twoByThree());
        SliceException range = assertThrows(SliceException.class, () -> open.read("test", Slice.at(2)));
        assertTrue(range.getMessage().contains("index 2 of dimension 0, which has the size 2"), range.getMessage());
        assertThrows(SliceException.class, () -> open.read("test", Slice.all(), Slice.at(-4)));
        SliceException many = assertThrows(SliceException.class,
                () -> open.read("test", Slice.all(), Slice.all(), Slice.all()));
        assertTrue(many.getMessage().contains("3 slices"), many.getMessage());
    }

    @Test
    void tensors_of_closed_weights_are_refused() {
        Weights weights = Safetensors.load(twoByThree(), Device.CPU);
        Tensor tensor = weights.get("test");
        weights.close();
        assertThrows(IllegalStateException.class, tensor::toFloatArray);
        assertThrows(IllegalStateException.class, () -> weights.get("test"));
    }

    @Test
    void a_file_that_is_not_there_is_told() {
        StorageException e = assertThrows(StorageException.class, () -> Safetensors.open(file("absent")));
        assertTrue(e.getMessage().contains("no such file"), e.getMessage());
    }

    @Test
    void a_truncated_header_and_lying_offsets_are_refused_before_data_is_read() throws IOException {
        byte[] whole = Files.readAllBytes(twoByThree());
        assertName("HeaderTooSmall", () -> Safetensors.open(Location.of(Arrays.copyOf(whole, 5))));
        assertName("InvalidHeaderLength", () -> Safetensors.open(Location.of(Arrays.copyOf(whole, 20))));
        assertName("MetadataIncompleteBuffer",
                () -> Safetensors.open(Location.of(Arrays.copyOf(whole, whole.length - 2))));
        assertName("MetadataIncompleteBuffer",
                () -> Safetensors.open(Location.of(Arrays.copyOf(whole, whole.length + 2))));
        Path lying = file("lying");
        Files.write(lying, new String(whole, StandardCharsets.ISO_8859_1).replace("[0,24]", "[0,96]")
                .getBytes(StandardCharsets.ISO_8859_1));
        assertThrows(FormatException.class, () -> Safetensors.open(lying));
        Files.write(lying, new byte[8]);
        assertName("InvalidHeaderDeserialization", () -> Safetensors.open(lying));
    }

    @Test
    void tensors_without_elements_and_scalars_come_back() {
        Path file = file("small");
        Safetensors.write(file, TensorSource.of("empty", Shape.of(2, 0), new float[0]),
                TensorSource.of("scalar", Shape.of(), new float[] {7}));
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            assertEquals(Shape.of(2, 0), weights.get("empty").shape());
            assertArrayEquals(new float[0], weights.get("empty").toFloatArray());
            assertArrayEquals(new float[] {7}, weights.get("scalar").toFloatArray());
        }
        Safetensors.write(file("none"), List.of(), WriteOptions.defaults());
        assertEquals(Set.of(), Set.copyOf(Safetensors.open(file("none")).names()));
    }

    @Test
    void many_threads_read_one_file_and_write_their_own() throws ExecutionException, InterruptedException {
        Path file = twoByThree();
        try (ExecutorService threads = Executors.newFixedThreadPool(8); Loader loader = Loader.builder().build()) {
            List<Future<float[]>> read = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                Path copy = file("copy" + i);
                read.add(threads.submit(() -> {
                    try (Weights weights = loader.load(file)) {
                        Safetensors.write(copy, TensorSource.of("copy", weights.get("test")));
                    }
                    try (Tensor tensor = Safetensors.open(copy).read("copy")) {
                        return tensor.toFloatArray();
                    }
                }));
            }
            for (Future<float[]> each : read) {
                assertArrayEquals(SIX, each.get());
            }
        }
    }

    @Test
    void writing_over_a_file_that_is_loaded_leaves_what_was_loaded() {
        Path file = twoByThree();
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            weights.awaitAll();
            Safetensors.write(file, TensorSource.of("test", Shape.of(1), new float[] {9}));
            assertArrayEquals(SIX, weights.get("test").toFloatArray());
        }
        try (Tensor tensor = Safetensors.open(file).read("test")) {
            assertArrayEquals(new float[] {9}, tensor.toFloatArray());
        }
    }
}
