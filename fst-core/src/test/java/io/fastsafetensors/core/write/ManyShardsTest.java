package io.fastsafetensors.core.write;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// However many files a checkpoint has, a few of them are open at a time.
class ManyShardsTest {
    private static final int SHARDS = 300;
    private static final int HALF = 5000;
    private static final long SEED = Long.getLong("fst.seed", System.nanoTime());

    @TempDir
    private Path directory;

    /// How many descriptors of this process are of files of the directory.
    private long descriptors() throws IOException {
        long count = 0;
        String real = directory.toRealPath().toString();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : all) {
                try {
                    count += Files.readSymbolicLink(descriptor).toString().startsWith(real) ? 1 : 0;
                } catch (IOException e) {
                    // Closed meanwhile.
                    count += 0;
                }
            }
        }
        return count;
    }

    private static byte[] half(int tensor, int which) {
        byte[] bytes = new byte[HALF];
        new Random(tensor * 2L + which).nextBytes(bytes);
        return bytes;
    }

    @ParameterizedTest
    @CsvSource({"false,false", "false,true", "true,false", "true,true"})
    void a_few_files_are_open_at_a_time(boolean pastCache, boolean shuffled) throws Exception {
        List<TensorSpec> items = new ArrayList<>();
        List<Integer> order = new ArrayList<>();
        for (int t = 0; t < SHARDS; t++) {
            items.add(TensorSpec.of("t" + t, DType.U8, Shape.of(2L * HALF)));
            order.add(t);
        }
        long most = 0;
        List<Path> files;
        WriteOptions options = new WriteOptions(Map.of(), 8, 2 * HALF, true);
        Layout layout = Layout.of(items, options, Layout.plainIndex(), directory);
        try (CheckpointOutput output = new CheckpointOutput(directory, layout, options, pastCache)) {
            output.begin();
            for (int which = 0; which < 2; which++) {
                if (shuffled) {
                    Collections.shuffle(order, new Random(SEED));
                }
                for (int t : order) {
                    output.append("t" + t, ByteBuffer.wrap(half(t, which)));
                    most = Math.max(most, descriptors());
                }
            }
            files = output.publish();
            most = Math.max(most, descriptors());
        }
        assertTrue(most <= 16, most + " descriptors");
        assertEquals(0, descriptors());
        assertEquals(SHARDS + 1, files.size());
        assertEquals(SHARDS + 1, Sources.listing(directory).size(), "nothing temporary is left");
        for (int t = 0; t < SHARDS; t++) {
            byte[] data = Sources.data(files.get(t));
            assertArrayEquals(half(t, 0), Arrays.copyOf(data, HALF), "-Dfst.seed=" + SEED);
            assertArrayEquals(half(t, 1), Arrays.copyOfRange(data, HALF, 2 * HALF), "-Dfst.seed=" + SEED);
        }
    }

    @Test
    void files_of_a_writer_that_is_alive_are_left_alone() throws Exception {
        Path parked = Files.createFile(directory.resolve(".model-2.safetensors.0123456789abcdef.fst-tmp"));
        Path kept = Files.createFile(directory.resolve(".model-1.safetensors.0123456789abcdef.fst-tmp"));
        try (FileChannel writer = FileChannel.open(kept, StandardOpenOption.WRITE)) {
            writer.lock();
            AtomicFile.create(directory.resolve("model-2.safetensors"), 1).close();
            assertTrue(Files.exists(parked), "its writer holds a lock on another file");
        }
        AtomicFile.create(directory.resolve("model-2.safetensors"), 1).close();
        assertFalse(Files.exists(parked), "its writer is gone");
    }
}
