package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Digests in the metadata against the bytes, on every way that they can take.
@Timeout(600)
@ExtendWith(LeakExtension.class)
class DigestTest {
    private static final long SEED = Long.getLong("fst.seed", 11);
    private static final int TENSORS = 12;
    private static final String BAD = "w7";

    @TempDir
    Path directory;
    private Path checkpoint = Path.of("");
    private OpenObjects objects = RemoteProvider.behave(FaultPlan.seeded(SEED));

    @BeforeEach
    void write() {
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED));
        Random random = new Random(SEED);
        List<TensorSource> sources = new ArrayList<>();
        for (int i = 0; i < TENSORS; i++) {
            sources.add(floats("w" + i, i == 3 ? 0 : 1 + random.nextInt(100_000), random));
        }
        sources.add(TensorSource.of("ids", DType.I32, Shape.of(999), channel -> channel.write(
                ByteBuffer.allocate(4 * 999))));
        checkpoint = directory.resolve("in");
        Safetensors.write(checkpoint, sources, WriteOptions.defaults().withDigests(true).withMaxShardBytes(1_500_000));
    }

    @AfterEach
    void nothingIsLeft() {
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
    }

    private static TensorSource floats(String name, int count, Random random) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * count);
        while (bytes.hasRemaining()) {
            bytes.putFloat(random.nextFloat());
        }
        return TensorSource.of(name, DType.F32, Shape.of(count), channel -> channel.write(bytes.flip()));
    }

    /// Changes one bit of a tensor, which a conversion to fewer bits would lose.
    private void damage(String name) throws IOException {
        TensorInfo tensor = Safetensors.open(checkpoint).info(name);
        long at = tensor.fileOffset() + tensor.byteSize() / 2 / 4 * 4;
        try (FileChannel file = FileChannel.open(tensor.file().path().orElseThrow(), StandardOpenOption.READ,
                StandardOpenOption.WRITE)) {
            ByteBuffer old = ByteBuffer.allocate(1);
            file.read(old, at);
            file.write(ByteBuffer.wrap(new byte[] {(byte) (old.get(0) ^ 1)}), at);
        }
    }

    /// The device reads a file of this name without the host.
    private void mergeIntoDirectFile() {
        try (Loader loader = Loader.builder().build()) {
            Path file = directory.resolve("direct.safetensors");
            loader.rewrite(checkpoint, file, WriteOptions.defaults().withDigests(true));
            checkpoint = file;
        }
    }

    private static LoaderBuilder checking(String device, String dtype, TransferPath path) {
        LoaderBuilder builder = Loader.builder().device(device).checkDigests(true).transferPath(path)
                .blockBytes(64 << 10);
        return dtype.isEmpty() ? builder : builder.dtype(DType.valueOf(dtype));
    }

    private void assertMismatch(FormatException e) {
        assertEquals(FormatError.DIGEST_MISMATCH, e.error());
        assertEquals(BAD, e.where().tensor());
        assertEquals(Safetensors.open(checkpoint).info(BAD).file().toString(), e.where().file());
    }

    @ParameterizedTest
    @CsvSource({"cpu,'',AUTO", "cpu,'',MAPPED", "cpu,BF16,MAPPED", "cpu,F64,AUTO", "cpu,BF16,AUTO", "remote,'',STAGED",
        "remote,BF16,STAGED",
        "remote,'',MAPPED", "remote,F16,MAPPED", "remote,'',DIRECT"})
    void what_is_whole_passes_and_what_is_not_is_named(String device, String dtype, TransferPath path)
            throws Exception {
        if (path == TransferPath.DIRECT) {
            mergeIntoDirectFile();
        }
        try (Loader loader = checking(device, dtype, path).build()) {
            try (Weights weights = loader.load(checkpoint)) {
                weights.awaitAll();
                assertEquals(DType.I32, weights.get("ids").dtype());
            }
            damage(BAD);
            try (Weights weights = loader.load(checkpoint)) {
                assertMismatch(assertThrows(FormatException.class, () -> weights.get(BAD)));
                assertMismatch(assertThrows(FormatException.class, weights::awaitAll));
                assertMismatch(assertThrows(FormatException.class, () -> weights.get(BAD)));
                weights.names().stream().filter(name -> !name.equals(BAD)).forEach(name -> weights.get(name).close());
            }
            int errors = 0;
            try (TensorStream stream = loader.stream(checkpoint, new StreamOptions(1, false))) {
                for (Tensor tensor : stream) {
                    assertTrue(!tensor.name().equals(BAD));
                }
            } catch (FormatException e) {
                assertMismatch(e);
                errors++;
            }
            assertEquals(1, errors);
        }
        Selection others = tensor -> !tensor.name().equals(BAD);
        try (Loader loader = checking(device, dtype, path).select(others).build();
                Weights weights = loader.load(checkpoint)) {
            weights.awaitAll();
        }
        try (Loader loader = Loader.builder().build(); Weights weights = loader.load(checkpoint)) {
            weights.awaitAll();
        }
    }

    @Test
    void a_tensor_without_a_digest_passes() throws Exception {
        try (Loader loader = Loader.builder().build()) {
            loader.rewrite(checkpoint, directory.resolve("plain.safetensors"), WriteOptions.defaults());
        }
        checkpoint = directory.resolve("plain.safetensors");
        damage(BAD);
        try (Loader loader = checking("cpu", "", TransferPath.AUTO).build();
                Weights weights = loader.load(checkpoint)) {
            weights.awaitAll();
        }
    }

    @Test
    void a_digest_that_is_none_is_a_mismatch() {
        Path file = directory.resolve("x.safetensors");
        Safetensors.write(file, List.of(floats("a", 3, new Random(SEED))),
                WriteOptions.defaults().withMetadata(Map.of("fst.sha256.a", "none", "fst.sha256.b", "stale")));
        try (Loader loader = checking("cpu", "", TransferPath.AUTO).build(); Weights weights = loader.load(file)) {
            FormatException e = assertThrows(FormatException.class, () -> weights.get("a"));
            assertEquals(FormatError.DIGEST_MISMATCH, e.error());
        }
    }

    @Test
    void what_the_host_never_sees_is_refused() {
        mergeIntoDirectFile();
        try (Loader loader = checking("remote", "BF16", TransferPath.DIRECT).build()) {
            UnsupportedFeatureException e =
                    assertThrows(UnsupportedFeatureException.class, () -> loader.load(checkpoint));
            assertTrue(e.getMessage().contains("staged"), e.getMessage());
        }
    }

    @Test
    void a_damaged_checkpoint_is_not_copied() throws Exception {
        Path copy = Files.writeString(directory.resolve("copy.safetensors"), "old");
        try (Loader loader = checking("cpu", "", TransferPath.AUTO).deviceBudget(4 << 20).build()) {
            assertEquals(List.of(copy), loader.rewrite(checkpoint, copy, WriteOptions.defaults()));
            byte[] whole = Files.readAllBytes(copy);
            damage(BAD);
            assertMismatch(assertThrows(FormatException.class,
                    () -> loader.rewrite(checkpoint, copy, WriteOptions.defaults())));
            assertArrayEquals(whole, Files.readAllBytes(copy));
        }
        try (Loader loader = checking("cpu", "BF16", TransferPath.AUTO).build()) {
            assertThrows(UnsupportedFeatureException.class,
                    () -> loader.rewrite(checkpoint, copy, WriteOptions.defaults()));
        }
    }
}
