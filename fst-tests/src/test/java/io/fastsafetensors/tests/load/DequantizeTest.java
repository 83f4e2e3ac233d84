package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// De-quantisation while loading: every scheme, on every way into a device, equal to the reference bit for bit.
@Timeout(120)
class DequantizeTest {
    private static final long SEED = Long.getLong("fst.seed", 20261130);

    @TempDir
    Path directory;
    private OpenObjects objects = new OpenObjects();

    @BeforeEach
    void wellBehaved() {
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED));
        RemoteBackend.MULTIPLIES.set(false);
        RemoteBackend.PRODUCTS.set(0);
    }

    @AfterEach
    void nothingIsLeft() {
        RemoteBackend.MULTIPLIES.set(false);
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
    }

    /// A tensor of every scheme, whose sizes and blocks do not fit each other, and one that is not quantised.
    private static QuantizedSamples samples(boolean apart) {
        QuantizedSamples samples = new QuantizedSamples(SEED, apart);
        samples.blocks("a.weight", DType.F8_E4M3, Shape.of(300, 200), 128, 128, DType.F32, "_scale_inv")
                .blocks("b.weight", DType.F8_E5M2, Shape.of(130, 131), 128, 128, DType.BF16, "_scale_inv")
                .blocks("c.experts", DType.F8_E4M3, Shape.of(3, 129, 257), 128, 128, DType.F8_E8M0, "_scale")
                .blocks("d.weight", DType.F8_E4M3, Shape.of(7, 96), 1, 32, DType.U8, "_scale")
                .rows("e.weight", DType.F8_E4M3, Shape.of(33, 77), Shape.of(1), DType.F32, "e.weight_scale")
                .rows("f.weight", DType.F8_E4M3, Shape.of(33, 64), Shape.of(33, 1), DType.F16, "f.weight_scale")
                .rows("g.weight", DType.F8_E4M3FNUZ, Shape.of(40, 9), Shape.of(40), DType.F32, "g.scale")
                .rows("h.weight", DType.I8, Shape.of(20, 48), Shape.of(20, 1), DType.F32, "h.weight_scale")
                .rows("i.weight", DType.F8_E5M2FNUZ, Shape.of(5, 3, 2), Shape.of(5, 1, 1), DType.F32, "i.weight_scale")
                .mxfp4("j.gate_up_proj", Shape.of(2, 5, 9, 16), DType.U8).mxfp4("k", Shape.of(6, 3, 16), DType.F8_E8M0)
                .nvfp4("l.weight", Shape.of(11, 40), 1, false).nvfp4("m.weight", Shape.of(4, 6, 24), 4, false)
                .nvfp4("n.weight", Shape.of(3, 16), 1, true);
        samples.values().tensor("norm.weight", DType.BF16, Shape.of(100), 1)
                .tensor("e.input_scale", DType.F32, Shape.of(), new byte[4]);
        return samples;
    }

    private void write(QuantizedSamples samples, boolean apart) {
        samples.values().write(directory.resolve("model-00001-of-00002.safetensors"));
        (apart ? samples.scales() : SafetensorsFixture.create()).write(
                directory.resolve("model-00002-of-00002.safetensors"));
    }

    private static LoaderBuilder builder(String device, DType to) {
        return Loader.builder().device(device.equals("cpu") ? Device.CPU : RemoteProvider.DEVICE).dequantize(to)
                .blockBytes(8192);
    }

    private static byte[] bytes(Tensor tensor) {
        byte[] bytes = new byte[(int) tensor.byteSize()];
        tensor.copyTo(MemorySegment.ofArray(bytes));
        return bytes;
    }

    private static void assertLoaded(QuantizedSamples samples, DType to, Weights weights) {
        Set<String> names = new HashSet<>(samples.shapes().keySet());
        names.addAll(List.of("norm.weight", "e.input_scale"));
        assertEquals(names, Set.copyOf(weights.names()));
        samples.shapes().forEach((name, shape) -> {
            Tensor tensor = weights.get(name);
            assertEquals(to, tensor.dtype(), name);
            assertEquals(shape, tensor.shape(), name);
            assertArrayEquals(samples.expected(name, to), bytes(tensor), name + " as " + to + ", seed " + SEED);
        });
        assertEquals(DType.BF16, weights.get("norm.weight").dtype());
        weights.awaitAll();
    }

    @ParameterizedTest
    @CsvSource({"BF16,false", "F16,true", "F32,true"})
    void every_scheme_is_the_reference_on_the_cpu(DType to, boolean apart) {
        QuantizedSamples samples = samples(apart);
        write(samples, apart);
        for (TransferPath path : List.of(TransferPath.AUTO, TransferPath.STAGED, TransferPath.MAPPED)) {
            try (Loader loader = builder("cpu", to).transferPath(path).build();
                    Weights weights = loader.load(directory)) {
                assertLoaded(samples, to, weights);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(TransferPath.class)
    void every_scheme_is_the_reference_where_the_device_has_no_kernel(TransferPath path) {
        QuantizedSamples samples = samples(true);
        write(samples, true);
        try (Loader loader = builder("remote", DType.BF16).transferPath(path).build();
                Weights weights = loader.load(directory)) {
            assertLoaded(samples, DType.BF16, weights);
            assertTrue(weights.stats().storage().stream().anyMatch(line -> line.contains("de-quantised by the host")),
                    weights.stats().storage().toString());
        }
        assertEquals(0, RemoteBackend.PRODUCTS.get());
    }

    @ParameterizedTest
    @CsvSource({"BF16,AUTO", "F16,STAGED", "F32,MAPPED", "BF16,DIRECT"})
    void every_scheme_is_the_reference_where_the_device_multiplies(DType to, TransferPath path) {
        RemoteBackend.MULTIPLIES.set(true);
        QuantizedSamples samples = samples(true);
        write(samples, true);
        try (Loader loader = builder("remote", to).transferPath(path).build();
                Weights weights = loader.load(directory)) {
            assertLoaded(samples, to, weights);
            assertTrue(weights.stats().storage().stream().anyMatch(line -> line.contains("de-quantised by the device")),
                    weights.stats().storage().toString());
        }
        assertTrue(RemoteBackend.PRODUCTS.get() >= samples.shapes().size(), RemoteBackend.PRODUCTS + " products");
    }

    /// Blocks of what a device multiplies are larger than slots, as far as a large tensor's parts go; those of a hundred tiny
    /// tensors do not fit then.
    @ParameterizedTest
    @EnumSource(names = {"BF16", "F32"})
    void tiny_tensors_beside_a_large_one_are_the_reference(DType to) {
        int tiny = 300;
        RemoteBackend.MULTIPLIES.set(true);
        QuantizedSamples samples = new QuantizedSamples(SEED, false);
        samples.blocks("a.weight", DType.F8_E4M3, Shape.of(512, 384), 128, 128, DType.F32, "_scale_inv");
        for (int i = 0; i < tiny; i++) {
            samples.nvfp4("tiny." + i, Shape.of(1, 8), 1, false);
        }
        samples.blocks("z.weight", DType.F8_E4M3, Shape.of(512, 384), 128, 128, DType.F32, "_scale_inv");
        samples.values().tensor("norm.weight", DType.BF16, Shape.of(100), 1).tensor("e.input_scale", DType.F32,
                Shape.of(), new byte[4]);
        write(samples, false);
        try (Loader loader = builder("remote", to).build(); Weights weights = loader.load(directory)) {
            assertLoaded(samples, to, weights);
            int blocks = (int) Math.ceilDiv(2L * 512 * 384 * to.bits() / 8, 8192L);
            assertTrue(RemoteBackend.PRODUCTS.get() > 0 && RemoteBackend.PRODUCTS.get() < blocks + tiny,
                    RemoteBackend.PRODUCTS + " products of " + blocks + " blocks, were they no larger than slots");
        }
    }

    @ParameterizedTest
    @CsvSource({"cpu,false", "remote,false", "remote,true"})
    void streams_and_copies_are_de_quantised_under_a_budget(String device, boolean multiplies) throws IOException {
        RemoteBackend.MULTIPLIES.set(multiplies);
        QuantizedSamples samples = samples(true);
        write(samples, true);
        try (Loader loader = builder(device, DType.BF16).deviceBudget(2 << 20).readers(2).build()) {
            Set<String> seen = new HashSet<>();
            try (TensorStream stream = loader.stream(directory)) {
                for (Tensor tensor : stream) {
                    seen.add(tensor.name());
                    if (samples.shapes().containsKey(tensor.name())) {
                        assertArrayEquals(samples.expected(tensor.name(), DType.BF16), bytes(tensor), tensor.name());
                    }
                }
            }
            assertEquals(samples.shapes().size() + 2, seen.size());
            List<Path> files = loader.rewrite(directory, directory.resolve("copy"),
                    WriteOptions.defaults().withKeepFiles(true));
            assertEquals("model-00001-of-00002.safetensors", files.getFirst().getFileName().toString());
        }
        try (Loader loader = Loader.builder().build(); Weights copy = loader.load(directory.resolve("copy"))) {
            assertLoaded(samples, DType.BF16, copy);
        }
    }

    @ParameterizedTest
    @CsvSource({"cpu,false", "remote,false", "remote,true"})
    void ranks_load_their_parts_of_de_quantised_tensors(String device, boolean multiplies) {
        RemoteBackend.MULTIPLIES.set(multiplies);
        QuantizedSamples samples = samples(true);
        write(samples, true);
        for (int dim = 0; dim < 2; dim++) {
            int cut = dim;
            List<Map<String, byte[]>> parts = Ranks.all(3, group -> {
                try (Loader loader = builder(device, DType.BF16).group(group).distribution(Distribution.LOCAL)
                        .shards(ShardSpec.of(Map.of("*.weight", cut))).build();
                        Weights weights = loader.load(directory, Selection.names("a.weight", "l.weight", "f.weight"))) {
                    Map<String, byte[]> mine = new HashMap<>();
                    for (String name : weights.names()) {
                        mine.put(name, bytes(weights.getSharded(name, cut)));
                    }
                    weights.awaitAll();
                    return mine;
                }
            });
            for (String name : List.of("a.weight", "l.weight", "f.weight")) {
                Shape shape = samples.shapes().get(name);
                byte[] whole = samples.expected(name, DType.BF16);
                assertArrayEquals(whole, joined(parts.stream().map(part -> part.get(name)).toList(), shape, cut, 2),
                        name + " along " + cut);
            }
        }
    }

    private static byte[] joined(List<byte[]> parts, Shape shape, int dim, int elementBytes) {
        int rows = dim == 0 ? 1 : (int) shape.dim(0);
        byte[] all = new byte[(int) shape.elements() * elementBytes];
        int at = 0;
        for (int row = 0; row < rows; row++) {
            for (byte[] part : parts) {
                int run = part.length / rows;
                System.arraycopy(part, row * run, all, at, run);
                at += run;
            }
        }
        return all;
    }

    @Test
    void block_sizes_that_shapes_do_not_tell_come_from_config_json() throws IOException {
        QuantizedSamples samples =
                new QuantizedSamples(SEED, false).blocks("a.weight", DType.F8_E4M3, Shape.of(300, 200),
                        96, 48, DType.F32, "_scale_inv");
        samples.values().write(directory.resolve("model.safetensors"));
        try (Loader loader = builder("cpu", DType.F32).build()) {
            assertRefused(loader, directory, "InvalidQuantization", "a.weight", "a.weight_scale_inv", "128 × 128");
            Files.writeString(directory.resolve("config.json"), """
                    {"rope": [1, {"x": [2]}], "text_config": {"quantization_config":
                      {"quant_method": "fp8", "ignored": ["a"], "weight_block_size": [96, 48]}}}""");
            try (Weights weights = loader.load(directory)) {
                assertArrayEquals(samples.expected("a.weight", DType.F32), bytes(weights.get("a.weight")));
            }
            Files.writeString(directory.resolve("config.json"),
                    "{\"limit\": [0.0, Infinity], \"quantization_config\": {\"weight_block_size\": [64, 64]}}");
            assertRefused(loader, directory, "InvalidQuantization", "64 × 64");
        }
    }

    @Test
    void what_is_not_understood_names_the_tensor_and_what_was_expected() {
        refused(SafetensorsFixture.create().tensor("x.weight", DType.F8_E4M3, Shape.of(4, 4), 1), "InvalidQuantization",
                "x.weight", "x.weight_scale_inv", "x.scale", "keep");
        refused(SafetensorsFixture.create().tensor("x_blocks", DType.U8, Shape.of(4, 2, 16), 1), "InvalidQuantization",
                "x_blocks", "x_scales");
        refused(SafetensorsFixture.create().tensor("x_blocks", DType.U8, Shape.of(4, 2, 16), 1).tensor("x_scales",
                DType.U8,
                Shape.of(4, 3), 1), "InvalidQuantization", "x_scales", "[4,2]");
        refused(SafetensorsFixture.create().tensor("x", DType.U8, Shape.of(4, 8), 1).tensor("x_scale_2", DType.F32,
                Shape.of(), new byte[4]), "InvalidQuantization", "tensor x]", "x_scale");
        refused(SafetensorsFixture.create().tensor("x", DType.U8, Shape.of(4, 8), 1)
                .tensor("x_scale", DType.F8_E4M3, Shape.of(4, 1), 1)
                .tensor("x_scale_2", DType.F32, Shape.of(3), new byte[12]), "InvalidQuantization", "x_scale_2", "[3]");
        refused(SafetensorsFixture.create().tensor("x", DType.F8_E4M3, Shape.of(4, 8), 1).tensor("x_scale", DType.I32,
                Shape.of(1), new byte[4]), "InvalidQuantization", "x_scale", "I32");
        refused(SafetensorsFixture.create().tensor("x.qweight", DType.I32, Shape.of(4, 8), 1), "UnsupportedFeature",
                "x.qweight", "GPTQ");
        refused(SafetensorsFixture.create().tensor("x_blocks", DType.U8, Shape.of(4, 2, 16), 1)
                .tensor("x_scales", DType.U8, Shape.of(4, 2), 1).tensor("x", DType.F32, Shape.of(1), 1),
                "InvalidQuantization", "x_blocks", "\"x\"");
    }

    private void refused(SafetensorsFixture fixture, String error, String... words) {
        Path file = fixture.write(directory.resolve("refused.safetensors")).path();
        try (Loader loader = builder("cpu", DType.BF16).build()) {
            assertRefused(loader, file, error, words);
        }
    }

    private static void assertRefused(Loader loader, Path path, String error, String... words) {
        FstException e = assertThrows(FstException.class, () -> loader.load(path).close());
        assertEquals(error, e.errorName(), e.getMessage());
        Arrays.stream(words)
                .forEach(word -> assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage()));
    }

    @Test
    void kept_tensors_stay_quantised_with_their_scales() {
        QuantizedSamples samples = samples(false);
        samples.values().tensor("plain.weight", DType.F8_E4M3, Shape.of(4, 4), 9)
                .write(directory.resolve("model.safetensors"));
        try (Loader loader = builder("cpu", DType.BF16).keep(Selection.glob("plain.*", "a.*", "j.*")).build();
                Weights weights = loader.load(directory)) {
            assertEquals(DType.F8_E4M3, weights.get("plain.weight").dtype());
            assertEquals(DType.F8_E4M3, weights.get("a.weight").dtype());
            assertEquals(DType.F32, weights.get("a.weight_scale_inv").dtype());
            assertEquals(DType.U8, weights.get("j.gate_up_proj_blocks").dtype());
            assertArrayEquals(samples.expected("l.weight", DType.BF16), bytes(weights.get("l.weight")));
        }
    }

    @Test
    void a_dtype_of_the_load_is_what_de_quantised_tensors_become() {
        QuantizedSamples samples = samples(false);
        samples.values().write(directory.resolve("model.safetensors"));
        try (Loader loader = builder("cpu", DType.F32).dtype(DType.F16).build();
                Weights weights = loader.load(directory)) {
            assertArrayEquals(samples.expected("a.weight", DType.F16), bytes(weights.get("a.weight")));
            assertEquals(DType.F16, weights.get("norm.weight").dtype());
        }
        RemoteBackend.MULTIPLIES.set(true);
        try (Loader loader = builder("remote", DType.F32).dtype(DType.F64).build();
                Weights weights = loader.load(directory)) {
            assertEquals(DType.F64, weights.get("a.weight").dtype());
        }
    }

    @ParameterizedTest
    @CsvSource({"cpu,false", "remote,false", "remote,true"})
    void products_that_become_infinite_are_counted(String device, boolean multiplies) {
        RemoteBackend.MULTIPLIES.set(multiplies);
        byte[] elements = new byte[64 * 128];
        // 448 and −448 in F8_E4M3; all others are 0.
        elements[5] = 0x7E;
        elements[700] = (byte) 0xFE;
        elements[8000] = 0x7E;
        SafetensorsFixture.create().tensor("w", DType.F8_E4M3, Shape.of(64, 128), elements)
                .tensor("w_scale", DType.F32, Shape.of(64, 1), scales(64, row -> row < 10 ? 200f : 1f))
                .write(directory.resolve("model.safetensors"));
        try (Loader loader = builder(device, DType.F16).build(); Weights weights = loader.load(directory)) {
            weights.awaitAll();
            LoadStats stats = weights.stats();
            assertEquals(Map.of("w", 2L), stats.overflows());
        }
    }

    private static byte[] scales(int count, IntFunction<Float> scale) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < count; i++) {
            bytes.putFloat(scale.apply(i));
        }
        return bytes.array();
    }

    @Test
    void digests_of_quantised_tensors_cannot_be_checked_on_the_way() {
        samples(false).values().metadata(WriteOptions.DIGEST_KEY + "a.weight", "00".repeat(32))
                .write(directory.resolve("model.safetensors"));
        try (Loader loader = builder("cpu", DType.BF16).checkDigests(true).build()) {
            assertRefused(loader, directory, "UnsupportedFeature", "a.weight", "digest");
        }
    }

    @Test
    void only_three_results_are_offered() {
        assertThrows(IllegalArgumentException.class, () -> Loader.builder().dequantize(DType.F8_E4M3));
        assertThrows(IllegalArgumentException.class, () -> Loader.builder().dequantize(DType.F64));
    }
}
