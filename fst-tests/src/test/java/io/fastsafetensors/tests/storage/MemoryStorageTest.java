package io.fastsafetensors.tests.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// A storage that core does not know serves whatever a checkpoint is used for.
@Timeout(600)
class MemoryStorageTest {
    private static final Path CORPUS = Path.of(System.getProperty("fst.corpus", "../../shared/corpus"));
    private static final Location MODEL = Location.of("memory:models/llama");

    @TempDir
    Path directory;

    @BeforeEach
    void forget() {
        MemoryStorageProvider.FILES.clear();
        MemoryStorageProvider.OPENINGS.clear();
    }

    @AfterEach
    void nothingStaysOpen() {
        assertEquals(0, MemoryStorageProvider.OPEN_FILES.get(), "open files");
        assertEquals(0, MemoryStorageProvider.OPEN_STORAGES.get(), "open storages");
    }

    private void shards(int shards) throws IOException {
        List<TensorSource> sources = new ArrayList<>();
        for (int i = 0; i < 4 * shards; i++) {
            byte[] content = new byte[10_000];
            Arrays.fill(content, (byte) i);
            sources.add(TensorSource.of("t" + i, DType.U8, Shape.of(content.length),
                    channel -> channel.write(ByteBuffer.wrap(content))));
        }
        Safetensors.write(directory.resolve("m"), sources, WriteOptions.defaults().withMaxShardBytes(40_000));
        put(directory.resolve("m"), MODEL.address());
    }

    private static void put(Path from, String address) throws IOException {
        try (Stream<Path> tree = Files.walk(from)) {
            for (Path file : tree.filter(Files::isRegularFile).toList()) {
                MemoryStorageProvider.FILES.put(address + "/" + from.relativize(file), Files.readAllBytes(file));
            }
        }
    }

    @Test
    void the_corpus_has_its_digests() throws IOException {
        assumeTrue(Files.exists(CORPUS.resolve("GOLDEN.tsv")), "no corpus at " + CORPUS.toAbsolutePath()
                + ": set -Dfst.corpus");
        put(CORPUS, "memory:corpus");
        List<String> lines = Files.readAllLines(CORPUS.resolve("GOLDEN.tsv"));
        int tensors = 0;
        String open = "";
        Weights weights = null;
        try (Loader loader = Loader.builder().blockBytes(4096).build()) {
            for (String line : lines.subList(1, lines.size())) {
                String[] field = line.split("\t");
                if (!field[0].equals(open)) {
                    if (weights != null) {
                        weights.close();
                    }
                    open = field[0];
                    weights = loader.load(Location.of("memory:corpus/" + open));
                }
                String name = field[1].substring(1, field[1].length() - 1);
                assertEquals(field[6], digest(weights.get(name).segment()), open + " " + name);
                tensors++;
            }
            weights.close();
        }
        assertTrue(tensors > 1000, tensors + " tensors");
    }

    private static String digest(MemorySegment bytes) {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            sha.update(bytes.asByteBuffer());
            return HexFormat.of().formatHex(sha.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @CsvSource({"cpu,AUTO", "cpu,STAGED", "remote:0,STAGED", "remote:0,MAPPED", "remote:0,AUTO"})
    void each_file_is_opened_once_for_a_load(String device, TransferPath way) throws IOException {
        shards(5);
        LoaderBuilder builder = Loader.builder().device(Device.parse(device)).transferPath(way).blockBytes(4096);
        try (Loader loader = builder.build(); Weights weights = loader.load(MODEL)) {
            weights.awaitAll();
            check(weights.names(), weights::get);
        }
        assertOpenedOnce();
        try (Loader loader = builder.deviceBudget(100_000).build(); TensorStream stream = loader.stream(MODEL)) {
            Set<String> names = new TreeSet<>();
            for (Tensor tensor : stream) {
                names.add(tensor.name());
                assertContent(tensor);
            }
            assertEquals(20, names.size());
        }
        assertOpenedOnce();
        try (Loader loader = builder.build()) {
            loader.plan(MODEL);
            assertOpenedOnce();
            loader.rewrite(MODEL, directory.resolve("copy.safetensors"), WriteOptions.defaults());
        }
        assertOpenedOnce();
        try (Weights weights = Safetensors.load(directory.resolve("copy.safetensors"), Device.CPU)) {
            check(weights.names(), weights::get);
        }
    }

    private static void assertOpenedOnce() {
        assertEquals(6, MemoryStorageProvider.OPENINGS.size());
        MemoryStorageProvider.OPENINGS.forEach((file, count) -> assertEquals(1, count, file));
        MemoryStorageProvider.OPENINGS.clear();
    }

    private static void check(Set<String> names, Function<String, Tensor> tensors) {
        assertEquals(20, names.size());
        names.forEach(name -> assertContent(tensors.apply(name)));
    }

    private static void assertContent(Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(tensor.byteSize());
            tensor.copyTo(copy);
            byte expected = (byte) Integer.parseInt(tensor.name().substring(1));
            for (byte each : copy.toArray(ValueLayout.JAVA_BYTE)) {
                assertEquals(expected, each, tensor.name());
            }
        }
    }

    @Test
    void a_version_that_is_put_in_place_meanwhile_is_an_error() throws IOException {
        shards(2);
        String shard = MemoryStorageProvider.FILES.keySet().stream().filter(f -> f.endsWith(".safetensors")).findFirst()
                .orElseThrow();
        byte[] other = MemoryStorageProvider.FILES.get(shard).clone();
        try (Loader loader = Loader.builder().blockBytes(4096)
                .progress((_, _) -> MemoryStorageProvider.FILES.put(shard, other)).build();
                Weights weights = loader.load(MODEL)) {
            StorageException e = assertThrows(StorageException.class, weights::awaitAll);
            assertTrue(e.getMessage().contains(shard) && e.getMessage().contains("replaced"), e.getMessage());
        }
    }

    @Test
    void reports_and_refusals_are_in_its_words() throws IOException {
        shards(1);
        Diagnostics.StorageReport report = Diagnostics.storage(MODEL).getFirst();
        assertEquals("memory", report.fileSystem());
        assertEquals(-1, report.cachedBytes());
        assertThrows(UnsupportedFeatureException.class, () -> Diagnostics.evict(MODEL));
        String index = MODEL.address() + "/model.safetensors.index.json";
        MemoryStorageProvider.FILES.keySet().removeIf(file -> !file.equals(index));
        FormatException e = assertThrows(FormatException.class, () -> Safetensors.open(MODEL));
        assertEquals(FormatError.MISSING_SHARD, e.error());
        StorageException absent = assertThrows(StorageException.class,
                () -> Safetensors.open(Location.of("memory:nowhere")));
        assertTrue(absent.getMessage().contains("no such file"), absent.getMessage());
        UnsupportedFeatureException unknown = assertThrows(UnsupportedFeatureException.class,
                () -> Safetensors.open(Location.of("s3://b/m")));
        assertTrue(unknown.getMessage().startsWith("no storage for scheme s3; present: counted, file, memory"),
                unknown.getMessage());
    }
}
