package io.fastsafetensors.tests.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Files that somebody replaces or writes while they are read: the bytes of one version come, or one error that names the
/// file. Never a mixture.
@Timeout(600)
class ChangedFileTest {
    private static final long SEED = Long.getLong("fst.seed", System.nanoTime());
    private static final int TENSORS = 8;
    private static final int BYTES = 100_000;
    private static final int BLOCK = 16 << 10;

    /// A change to the file.
    private enum Change {
        REPLACED, REWRITTEN, TRUNCATED, GROWN, RELINKED
    }

    /// An operation that reads it.
    private enum Use {
        LOAD, STREAM, REWRITE
    }

    /// The way of the bytes.
    private enum Way {
        HOST("cpu", TransferPath.AUTO), HOST_MAPPED("cpu", TransferPath.MAPPED), HOST_SLOTS("cpu", TransferPath.STAGED),
        STAGED("remote:0", TransferPath.STAGED),
        MAPPED("remote:0", TransferPath.MAPPED), DIRECT("remote:0", TransferPath.DIRECT);

        private final Device device;
        private final TransferPath path;

        Way(String device, TransferPath path) {
            this.device = Device.parse(device);
            this.path = path;
        }
    }

    @TempDir
    Path directory;
    private Path first;
    private Path second;

    /// Of one length: the tensors of the second come the other way round.
    @BeforeEach
    void writeVersions() {
        first = write("first", false);
        second = write("second", true);
    }

    private Path write(String name, boolean reversed) {
        List<TensorSource> sources = new ArrayList<>();
        for (int i = 0; i < TENSORS; i++) {
            int number = reversed ? TENSORS - 1 - i : i;
            byte[] content = new byte[BYTES];
            Arrays.fill(content, content(number, reversed));
            sources.add(TensorSource.of("t" + number, DType.U8, Shape.of(BYTES),
                    channel -> channel.write(ByteBuffer.wrap(content))));
        }
        Path file = directory.resolve(name);
        Safetensors.write(file, sources, WriteOptions.defaults());
        return file;
    }

    private static byte content(int tensor, boolean second) {
        return (byte) (tensor + (second ? 100 : 1));
    }

    @Test
    void a_dozen_changes_give_one_version_or_an_error() throws IOException {
        rounds(1, 1);
    }

    @Tag("slow")
    @Test
    void changes_at_any_moment_give_one_version_or_an_error() throws IOException {
        rounds(Change.values().length, 200 / (Way.values().length * Use.values().length) + 1);
    }

    private void rounds(int changes, int moments) throws IOException {
        Random random = new Random(SEED);
        Map<Change, Integer> errors = new EnumMap<>(Change.class);
        for (Way way : Way.values()) {
            for (Use use : Use.values()) {
                List<Change> all = List.of(Change.values());
                for (Change change : changes == all.size() ? all : List.of(all.get(random.nextInt(all.size())))) {
                    for (int i = 0; i < moments; i++) {
                        int moment = random.nextInt(1, TENSORS * BYTES / BLOCK);
                        String message = way + " " + use + " " + change + " at block " + moment + ", seed " + SEED;
                        errors.merge(change, round(way, use, change, moment, message) ? 1 : 0, Integer::sum);
                    }
                }
            }
        }
        errors.forEach((change, count) -> assertTrue(count > 0 || moments == 1,
                "a file that was " + change + " never was an error; seed " + SEED));
    }

    /// Whether it ended with an error.
    private boolean round(Way way, Use use, Change change, int moment, String message) throws IOException {
        // The far device reads files directly by their names.
        Path victim = directory.resolve("direct-" + change + ".safetensors");
        if (change == Change.RELINKED) {
            Files.deleteIfExists(victim);
            Files.createSymbolicLink(victim, first);
        } else {
            Files.copy(first, victim, StandardCopyOption.REPLACE_EXISTING);
        }
        AtomicInteger blocks = new AtomicInteger();
        ProgressListener changing = (_, _) -> {
            if (blocks.incrementAndGet() == moment) {
                change(victim, change);
            }
        };
        LoaderBuilder builder = Loader.builder().device(way.device).transferPath(way.path).blockBytes(BLOCK).readers(3)
                .progress(changing);
        if (use != Use.LOAD) {
            builder.deviceBudget(way.path == TransferPath.DIRECT ? 4 * BYTES : 3 * BYTES);
        }
        try (Loader loader = builder.build()) {
            Map<String, Byte> read = switch (use) {
                case LOAD -> load(loader, victim);
                case STREAM -> stream(loader, victim);
                case REWRITE -> rewrite(loader, victim);
            };
            assertEquals(expected(), read, message);
            return false;
        } catch (FstException e) {
            assertTrue(e instanceof StorageException, message + ": " + e);
            assertEquals(victim.toString(), e.where().file(), message + ": " + e);
            // The kernel changes a file's time and its length one after the other, and may be asked in between.
            assertTrue(e.getMessage().contains(word(change)) || (change == Change.GROWN || change == Change.TRUNCATED)
                    && e.getMessage().contains(word(Change.REWRITTEN)), message + ": " + e);
            return true;
        }
    }

    private static String word(Change change) {
        return switch (change) {
            case REPLACED, RELINKED -> "replaced";
            case REWRITTEN -> "rewritten";
            case TRUNCATED -> "shrank";
            case GROWN -> "grew";
        };
    }

    private void change(Path victim, Change change) {
        try {
            switch (change) {
                case REPLACED -> Files.move(Files.copy(second, directory.resolve("new"),
                        StandardCopyOption.REPLACE_EXISTING), victim, StandardCopyOption.ATOMIC_MOVE);
                case REWRITTEN -> Files.write(victim, Files.readAllBytes(second), StandardOpenOption.WRITE);
                case TRUNCATED -> {
                    try (FileChannel channel = FileChannel.open(victim, StandardOpenOption.WRITE)) {
                        channel.truncate(channel.size() / 2);
                    }
                }
                case GROWN -> Files.write(victim, new byte[1000], StandardOpenOption.APPEND);
                case RELINKED -> {
                    Files.deleteIfExists(directory.resolve("new"));
                    Files.move(Files.createSymbolicLink(directory.resolve("new"), second), victim,
                            StandardCopyOption.ATOMIC_MOVE);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Map<String, Byte> expected() {
        Map<String, Byte> expected = new TreeMap<>();
        for (int i = 0; i < TENSORS; i++) {
            expected.put("t" + i, content(i, false));
        }
        return expected;
    }

    private static Map<String, Byte> load(Loader loader, Path file) {
        try (Weights weights = loader.load(file)) {
            weights.awaitAll();
            Map<String, Byte> read = new TreeMap<>();
            weights.names().forEach(name -> read.put(name, only(weights.get(name))));
            return read;
        }
    }

    private static Map<String, Byte> stream(Loader loader, Path file) {
        try (TensorStream stream = loader.stream(file)) {
            Map<String, Byte> read = new TreeMap<>();
            for (Tensor tensor : stream) {
                read.put(tensor.name(), only(tensor));
            }
            return read;
        }
    }

    private Map<String, Byte> rewrite(Loader loader, Path file) throws IOException {
        Path copy = directory.resolve("copy.safetensors");
        Files.deleteIfExists(copy);
        try {
            loader.rewrite(file, copy, WriteOptions.defaults());
        } catch (FstException e) {
            assertTrue(Files.notExists(copy), "a failed rewrite has left a file");
            throw e;
        }
        try (Weights weights = Safetensors.load(copy, Device.CPU)) {
            Map<String, Byte> read = new TreeMap<>();
            weights.names().forEach(name -> read.put(name, only(weights.get(name))));
            return read;
        }
    }

    /// The one value of all bytes; a mixture has more.
    private static byte only(Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(tensor.byteSize());
            tensor.copyTo(copy);
            byte[] bytes = copy.toArray(ValueLayout.JAVA_BYTE);
            for (byte each : bytes) {
                if (each != bytes[0]) {
                    return 0;
                }
            }
            return bytes[0];
        }
    }
}
