package io.fastsafetensors.tests.api;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.tests.storage.CountingStorageProvider;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A part of a tensor is read from storage without the rest, and is what a slice of the whole is.
class PartialReadTest {
    private static final int PAGE = 4096;

    @TempDir
    private Path directory;

    private long countedBytes(Runnable work) {
        long before = CountingStorageProvider.BYTES.get();
        work.run();
        return CountingStorageProvider.BYTES.get() - before;
    }

    /// A file whose data is a hole but for what a test writes into it.
    private Path sparse(String header, long dataBytes) throws IOException {
        Path file = directory.resolve("sparse.safetensors");
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, json.length), 0);
            channel.write(ByteBuffer.wrap(json), 8);
            channel.write(ByteBuffer.allocate(1), 8 + json.length + dataBytes - 1);
        }
        return file;
    }

    private static void put(Path file, long offset, float value) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(0, value), offset);
        }
    }

    @Test
    void one_row_of_three_gibibytes_reads_the_row() throws IOException {
        long rows = 196_608;
        Path file = sparse("{\"w\":{\"dtype\":\"F32\",\"shape\":[" + rows + ",4096],\"data_offsets\":[0,"
                + rows * 16_384 + "]}}  ", rows * 16_384);
        Checkpoint checkpoint = Safetensors.open(CountingStorageProvider.counted(file));
        put(file, checkpoint.info("w").fileOffset() + 150_000L * 16_384 + 4 * 17, 42);
        Checkpoint again = Safetensors.open(CountingStorageProvider.counted(file));
        float[] expected = new float[4096];
        expected[17] = 42;
        long bytes = countedBytes(() -> {
            try (Tensor row = again.read("w", Slice.at(150_000))) {
                assertEquals(Shape.of(4096), row.shape());
                assertArrayEquals(expected, row.toFloatArray());
            }
        });
        assertTrue(bytes <= 16_384 + 2 * PAGE, bytes + " bytes");
        long ofColumn = countedBytes(() -> {
            try (Tensor column = again.read("w", Slice.range(149_990, 150_010, 2), Slice.range(16, 18))) {
                assertEquals(42, column.toFloatArray()[11]);
            }
        });
        assertTrue(ofColumn <= 10 * (8 + 2 * PAGE), ofColumn + " bytes");
    }

    /// Two pages for each run of bytes that the slice takes, whatever its dimensions, steps and signs.
    @Test
    void slices_read_little_more_than_their_runs() throws IOException {
        long rows = 3000;
        long columns = 20_000;
        Path file = sparse("{\"w\":{\"dtype\":\"F32\",\"shape\":[" + rows + "," + columns + "],\"data_offsets\":[0,"
                + rows * columns * 4 + "]}}  ", rows * columns * 4);
        Checkpoint checkpoint = Safetensors.open(CountingStorageProvider.counted(file));
        record Case(long runs, long runBytes, Slice... slices) {
        }
        List<Case> cases = List.of(new Case(1, columns * 4, Slice.at(-1)), new Case(1, columns * 4, Slice.at(1234)),
                new Case(1, 3 * columns * 4, Slice.range(-5, -2)), new Case(7, columns * 4, Slice.range(0, 700, 100)),
                new Case(7, columns * 4, Slice.range(700, 0, -100)), new Case(rows, 4, Slice.all(), Slice.at(-1)),
                new Case(rows, 400, Slice.all(), Slice.range(50, 150)),
                new Case(30, 40, Slice.every(100), Slice.range(-10, columns)),
                new Case(30, 40, Slice.every(-100), Slice.range(10, 20)),
                new Case(2 * 5, 4, Slice.range(10, 12), Slice.range(0, 20_000, 4000)),
                new Case(2 * 5, 4, Slice.range(-12, -10), Slice.every(-4000)),
                new Case(1, 4, Slice.at(-3), Slice.at(-7)));
        for (Case each : cases) {
            long bytes = countedBytes(() -> {
                try (Tensor part = checkpoint.read("w", each.slices)) {
                    assertEquals(each.runs * each.runBytes, part.byteSize());
                }
            });
            assertTrue(bytes <= each.runs * (each.runBytes + 2 * PAGE),
                    bytes + " bytes for " + each.runs + " runs of " + each.runBytes + ": "
                            + Arrays.toString(each.slices));
        }
    }

    @Test
    void one_tensor_of_ten_gibibytes_reads_the_tensor() throws IOException {
        long large = 5L << 30;
        Path file = sparse("{\"a\":{\"dtype\":\"U8\",\"shape\":[" + large + "],\"data_offsets\":[0," + large
                + "]},\"b\":{\"dtype\":\"F32\",\"shape\":[2500000],\"data_offsets\":[" + large + ","
                + (large + 10_000_000) + "]},\"c\":{\"dtype\":\"U8\",\"shape\":[" + large + "],\"data_offsets\":["
                + (large + 10_000_000) + "," + (2 * large + 10_000_000) + "]}}", 2 * large + 10_000_000);
        Checkpoint first = Safetensors.open(file);
        put(file, first.info("b").fileOffset() + 4 * 2_499_999L, 7);
        Checkpoint checkpoint = Safetensors.open(CountingStorageProvider.counted(file));
        long bytes = countedBytes(() -> {
            try (Tensor b = checkpoint.read("b")) {
                assertEquals(7, b.slice(Slice.from(-1)).toFloatArray()[0]);
            }
        });
        assertTrue(bytes <= 10_000_000 + 2 * PAGE, bytes + " bytes");
        StorageException changed = assertThrows(StorageException.class, () -> first.read("b"));
        assertTrue(changed.getMessage().contains("was rewritten after its header was read; open the checkpoint again"),
                changed.getMessage());
    }

    @Test
    void every_part_is_what_a_slice_of_the_whole_is() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int round = 0; round < 30; round++) {
            DType dtype = DType.values()[random.nextInt(DType.values().length)];
            long[] dims = IntStream.range(0, 1 + random.nextInt(4)).mapToLong(_ -> 1 + random.nextInt(40)).toArray();
            dims[dims.length - 1] *= 8;
            Shape shape = Shape.of(dims);
            byte[] content = new byte[(int) dtype.byteSize(shape.elements())];
            random.nextBytes(content);
            Path file = directory.resolve("m" + round + ".safetensors");
            Safetensors.write(file, TensorSource.of("before", Shape.of(3), new double[3]),
                    TensorSource.of("w", dtype, shape, content), TensorSource.of("z", Shape.of(1), new int[1]));
            Location location = round % 2 == 0 ? CountingStorageProvider.counted(file) : Location.of(file);
            Checkpoint checkpoint = Safetensors.open(location);
            try (Weights weights = Safetensors.load(file, Device.CPU)) {
                for (int i = 0; i < 20; i++) {
                    Slice[] slices = slices(random, shape);
                    String context = "-Dfst.seed=" + seed + " " + dtype + shape + Arrays.toString(slices);
                    Tensor expected;
                    try {
                        expected = weights.get("w").slice(slices);
                    } catch (SliceException e) {
                        SliceException mine = assertThrows(SliceException.class, () -> checkpoint.read("w", slices),
                                context);
                        assertEquals(e.getMessage(), mine.getMessage());
                        continue;
                    }
                    try (Tensor read = checkpoint.read("w", slices)) {
                        assertEquals(expected.shape(), read.shape(), context);
                        assertEquals(dtype, read.dtype(), context);
                        assertArrayEquals(expected.toByteArray(), read.toByteArray(), context);
                    }
                }
            }
        }
    }

    private static Slice[] slices(Random random, Shape shape) {
        Slice[] slices = new Slice[random.nextInt(shape.rank() + 1)];
        for (int d = 0; d < slices.length; d++) {
            int size = (int) shape.dim(d);
            int start = random.nextInt(size);
            int stop = random.nextInt(size + 1);
            slices[d] = switch (random.nextInt(7)) {
                case 0 -> Slice.all();
                case 1 -> Slice.at(random.nextBoolean() ? start : start - size);
                case 2 -> Slice.range(start, stop);
                case 3 -> Slice.range(start, stop, 1 + random.nextInt(3));
                case 4 -> Slice.every(random.nextBoolean() ? -1 : -1 - random.nextInt(3));
                case 5 -> Slice.from(start - size);
                default -> Slice.to(stop);
            };
        }
        return slices;
    }

    @Test
    void the_tensor_outlives_everything_and_names_what_is_missing() throws IOException {
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, TensorSource.of("w", Shape.of(2, 2), new float[] {1, 2, 3, 4}));
        Checkpoint checkpoint = Safetensors.open(file);
        Tensor read = checkpoint.read("w", Slice.all(), Slice.at(-1));
        assertThrows(TensorNotFoundException.class, () -> checkpoint.read("v"));
        Files.delete(file);
        assertThrows(StorageException.class, () -> checkpoint.read("w"));
        assertArrayEquals(new float[] {2, 4}, read.toFloatArray());
        read.close();
        assertThrows(IllegalStateException.class, read::toFloatArray);
    }
}
