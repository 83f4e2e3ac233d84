package io.fastsafetensors.core.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Configuration: its places, their precedence, and the messages about what is wrong.
class ConfigurationTest {
    private static final LoadOptions DEFAULTS = LoadOptions.defaults();

    @TempDir
    private Path directory;
    private final Map<String, String> properties = new HashMap<>();
    private final Map<String, String> variables = new HashMap<>();

    private LoadOptions options() {
        return new Configuration(properties::get, variables::get, directory).options();
    }

    private void write(String name, String json) throws Exception {
        Files.writeString(directory.resolve(name), json);
    }

    private LoadOptions own(String json) throws Exception {
        write("fst.json", json);
        return options();
    }

    private LoadOptions python(String json) throws Exception {
        write("fastsafetensors.json", json);
        return options();
    }

    private void assertRefused(String name, String json, String... words) throws Exception {
        write(name, json);
        ConfigException e = assertThrows(ConfigException.class, this::options);
        for (String word : words) {
            assertTrue(e.getMessage().contains(word), e.getMessage());
        }
        assertTrue(e.getMessage().contains(directory.resolve(name).toString()), e.getMessage());
        Files.delete(directory.resolve(name));
    }

    @Test
    void nothing_configured_is_the_defaults() throws Exception {
        LoadOptions options = options();
        assertEquals(printed(DEFAULTS), printed(options));
        assertEquals(DEFAULTS.device(), own("{}").device());
    }

    @Test
    void every_key_of_our_own_does_what_it_says() throws Exception {
        LoadOptions options = own("""
                {
                  "$schema": "fst.schema.json",
                  "device": "cuda:1", "backend": "cuda-gds", "backendProperties": {"a": "b"}, "strictBackend": true,
                  "dtype": "bf16", "select": ["model.*", "head"], "alignment": "4KiB", "readers": 3,
                  "blockBytes": 65536, "directIo": "always", "transferPath": "staged", "numaPinning": false,
                  "deviceBudget": "1.5GiB", "hostBudget": 7, "distribution": "local", "lenient": true,
                  "strict": true, "onlyIndexed": true, "variant": "fp16",
                  "checkDigests": true, "leakDetection": "stack", "batchesAhead": 4, "ownedTensors": true
                }
                """);
        assertEquals("cuda:1", options.device().toString());
        assertEquals(Optional.of("cuda-gds"), options.backend());
        assertEquals(Map.of("a", "b"), options.backendProperties());
        assertTrue(options.strictBackend() && options.checkDigests() && !options.numaPinning());
        assertEquals(Optional.of(DType.BF16), options.dtype());
        assertTrue(options.selection().test(tensor("model.x")) && options.selection().test(tensor("head")));
        assertFalse(options.selection().test(tensor("x")));
        assertEquals(4096, options.alignment());
        assertEquals(3, options.readers());
        assertEquals(65_536, options.blockBytes());
        assertEquals(DirectIo.ALWAYS, options.directIo());
        assertEquals(TransferPath.STAGED, options.transferPath());
        assertEquals(3L << 29, options.deviceBudget());
        assertEquals(7, options.hostBudget());
        assertEquals(Distribution.LOCAL, options.distribution());
        assertEquals(OpenOptions.lenientMode().withStrict(true).withOnlyIndexed(true).withVariant("fp16"),
                options.open());
        assertEquals(LeakDetection.STACK, options.leakDetection());
        assertEquals(new StreamOptions(4, true), options.stream());
    }

    private static TensorInfo tensor(String name) {
        return new TensorInfo(name, DType.U8, Shape.of(1), Location.of("x"), 0, 1);
    }

    @Test
    void the_builder_wins_over_properties_over_variables_over_the_file() throws Exception {
        write("fst.json", "{\"readers\": 1, \"alignment\": 8, \"blockBytes\": 4096, \"device\": \"cuda:0\"}");
        variables.putAll(Map.of("FST_READERS", "2", "FST_ALIGNMENT", "16", "FST_BLOCK_BYTES", "8KiB"));
        properties.putAll(Map.of("fst.readers", "3", "fst.alignment", "32"));
        LoadOptions options = options();
        LoadOptions built = options.toBuilder().readers(4).options();
        assertEquals(4, built.readers());
        assertEquals(32, built.alignment());
        assertEquals(8192, built.blockBytes());
        assertEquals("cuda:0", built.device().toString());
        assertEquals(DEFAULTS.hostBudget(), built.hostBudget());
        assertEquals(3, options.readers());
    }

    @Test
    void the_process_is_asked() {
        System.setProperty("fst.readers", "5");
        try {
            assertEquals(5, Loader.configuredBuilder().options().readers());
        } finally {
            System.clearProperty("fst.readers");
        }
    }

    @Test
    void a_file_can_be_named_in_the_program() throws Exception {
        write("mine.json", "{\"readers\": 6, \"alignment\": 64}");
        System.setProperty("fst.readers", "5");
        try {
            LoadOptions options = Loader.configuredBuilder(directory.resolve("mine.json")).options();
            assertEquals(5, options.readers());
            assertEquals(64, options.alignment());
        } finally {
            System.clearProperty("fst.readers");
        }
        Path absent = directory.resolve("absent.json");
        ConfigException e = assertThrows(ConfigException.class, () -> Loader.configuredBuilder(absent));
        assertTrue(e.getMessage().contains("no such") && e.getMessage().contains(absent.toString()), e.getMessage());
    }

    @Test
    void texts_outside_files_are_read_as_the_type_they_stand_for() {
        variables.putAll(Map.of("FST_STRICT_BACKEND", "true", "FST_BACKEND_PROPERTIES", "a=b, c=d=e", "FST_SELECT",
                "{a,b}.*", "FST_NUMA_PINNING", "false", "FST_DIRECT_IO", "never", "FST_BATCHES_AHEAD", "-1"));
        LoadOptions options = options();
        assertTrue(options.strictBackend() && !options.numaPinning());
        assertEquals(Map.of("a", "b", "c", "d=e"), options.backendProperties());
        assertTrue(options.selection().test(tensor("b.x")));
        assertEquals(DirectIo.NEVER, options.directIo());
        assertEquals(-1, options.stream().batchesAhead());
        for (Map.Entry<String, String> wrong : Map.of("FST_READERS", "some", "FST_STRICT_BACKEND", "yes",
                "FST_DIRECT_IO", "ALWAYS", "FST_DEVICE", "G P U", "FST_BACKEND_PROPERTIES", "=", "FST_SELECT", "[",
                "FST_ALIGNMENT", "12").entrySet()) {
            variables.clear();
            variables.put(wrong.getKey(), wrong.getValue());
            ConfigException e = assertThrows(ConfigException.class, this::options, wrong.toString());
            assertTrue(e.getMessage().contains("environment variable " + wrong.getKey() + ": "), e.getMessage());
        }
    }

    @Test
    void the_file_is_the_one_that_is_named_or_lies_there() throws Exception {
        write("fastsafetensors.json", "{\"base\": {\"max_threads\": 1}}");
        assertEquals(1, options().readers());
        write("fst.json", "{\"readers\": 2}");
        assertEquals(2, options().readers());
        write("third.json", "{\"readers\": 3}");
        variables.put("FASTSAFETENSORS_CONFIG", directory.resolve("third.json").toString());
        assertEquals(3, options().readers());
        write("fourth", "{\"base\": {\"max_threads\": 4}}");
        properties.put("fst.config", "fourth");
        assertEquals(4, options().readers());
        for (String wrong : Set.of("absent.json", "x.yaml", "a\u0000b", ".")) {
            properties.put("fst.config", wrong);
            assertTrue(assertThrows(ConfigException.class, this::options).getMessage().contains("fst.config"));
        }
    }

    @Test
    void what_is_wrong_in_a_file_is_named_with_its_place() throws Exception {
        assertRefused("fst.json", "{\n  \"reader\": 3}", "line 2, column 3", "\"reader\"", "did you mean \"readers\"");
        assertRefused("fst.json", "{\"zzz\": 3}", "line 1, column 2", "\"zzz\"", "known are device");
        assertRefused("fst.json", "{\"readers\": \"3\"}", "line 1, column 13", "expected an integer", "\"3\"");
        assertRefused("fst.json", "{\"readers\":\n\n 2000}", "line 3, column 2", "1024");
        assertRefused("fst.json", "{\"readers\": 99999999999999999999}", "64 bits");
        assertRefused("fst.json", "{\"batchesAhead\": 2147483647}", "line 1, column 18", "2147483647", "1024");
        assertRefused("fst.json", "{\"batchesAhead\": -2}", "-2");
        assertRefused("fst.json", "{\"alignment\": 288230376151711744}", "288230376151711744", "power of two");
        assertRefused("fst.json", "{\"alignment\": 3}", "power of two");
        assertRefused("fst.json", "{\"blockBytes\": \"2GiB\"}", "2147483648");
        assertRefused("fst.json", "{\"hostBudget\": 0}", "budget of 0");
        assertRefused("fst.json", "{\"readers\": 1.5}", "expected an integer, found 1.5");
        assertRefused("fst.json", "{\"strictBackend\": \"true\"}", "expected true or false");
        assertRefused("fst.json", "{\"device\": null}", "expected a text, found null");
        assertRefused("fst.json", "{\"device\": {}}", "found an object");
        assertRefused("fst.json", "{\"select\": [\"a\", 1]}", "line 1, column 18", "found 1");
        assertRefused("fst.json", "{\"backendProperties\": []}", "expected an object, found a list");
        assertRefused("fst.json", "{\"dtype\": \"F17\"}", "F17");
        assertRefused("fst.json", "{\"deviceBudget\": -1}", "number of bytes");
        assertRefused("fst.json", "{\"deviceBudget\": \"much\"}", "is no size");
        assertRefused("fst.json", "{\"directIo\": \"maybe\"}", "auto, always, never");
        assertRefused("fst.json", "{\"readers\": 1, \"readers\": 2}", "line 1, column 16", "twice");
        assertRefused("fst.json", "{\"readers\": 1", "no JSON");
        assertRefused("fst.json", "[]", "not an object");
        assertRefused("fst.json", "", "not an object");
        assertRefused("fst.json", "{} {}", "more text");
        assertRefused("fst.json", "{\"a\":".repeat(20), "no JSON");
        Files.write(directory.resolve("fst.json"), new byte[] {'{', (byte) 0xFF, '}'});
        assertTrue(assertThrows(ConfigException.class, this::options).getMessage().contains("UTF-8"));
    }

    @Test
    void the_defaults_of_fastsafetensors_are_serial_with_sixteen_threads_of_sixteen_mebibytes() throws Exception {
        for (String json : Set.of("{}", "{\"loader\": \"base\"}", "{\"loader\": \"base\", \"base\": {}}", """
                {"loader": "base", "framework": "pytorch",
                 "parallel": {"use_pipeline": false, "max_batch_bytes": null,
                              "use_chunk_budget_as_allocation_size": false, "device_memory_budget": null},
                 "debug": {"debug_log": false, "set_numa": true, "disable_cache": true}}
                """)) {
            LoadOptions options = python(json);
            assertEquals(-1, options.stream().batchesAhead());
            assertEquals(16, options.readers());
            assertEquals(16 << 20, options.blockBytes());
            assertEquals(Long.MAX_VALUE, options.deviceBudget());
            assertTrue(options.numaPinning());
            assertEquals(TransferPath.AUTO, options.transferPath());
        }
    }

    @Test
    void the_examples_of_fastsafetensors_mean_the_same() throws Exception {
        LoadOptions gds = python("{\"loader\": \"base\", \"base\": {\"copier_type\": \"gds\"}}");
        assertEquals(TransferPath.AUTO, gds.transferPath());
        LoadOptions fgds = python(
                "{\"loader\": \"base\", \"base\": {\"copier_type\": \"fgds\", \"max_threads\": 8}}");
        assertEquals(8, fgds.readers());
        LoadOptions pipeline = python("""
                {"parallel": {"use_pipeline": true, "max_concurrent_producers": 1, "queue_size": 0,
                              "use_tqdm_on_load": true}}
                """);
        assertEquals(0, pipeline.stream().batchesAhead());
        LoadOptions bounded = python("""
                {"parallel": {"use_pipeline": true, "queue_size": 0, "max_batch_bytes": 4294967296,
                              "use_chunk_budget_as_allocation_size": true, "device_memory_budget": 12884901888}}
                """);
        assertEquals(8L << 30, bounded.deviceBudget());
        assertEquals(6442450944L, python("{\"parallel\": {\"device_memory_budget\": 6442450944}}").deviceBudget());
        LoadOptions threeFs = python("""
                {"loader": "3fs", "3fs": {"mount_point": "/mnt/3fs", "entries": 64, "io_depth": 0,
                                          "buffer_size": 67108864}}
                """);
        assertEquals(Optional.of("3fs"), threeFs.backend());
        assertEquals(Map.of("mount_point", "/mnt/3fs", "entries", "64", "io_depth", "0", "buffer_size", "67108864"),
                threeFs.backendProperties());
        LoadOptions full = python("""
                {"loader": "base", "framework": "pytorch",
                 "base": {"copier_type": "nogds", "bbuf_size_kb": 8192, "max_threads": 4, "debug_log": true},
                 "3fs": {"mount_point": "/mnt/3fs"},
                 "parallel": {"use_pipeline": true, "queue_size": 3},
                 "debug": {"debug_log": true, "set_numa": false, "disable_cache": false}}
                """);
        assertEquals(8 << 20, full.blockBytes());
        assertEquals(4, full.readers());
        assertEquals(3, full.stream().batchesAhead());
        assertFalse(full.numaPinning());
        assertEquals(Map.of(), full.backendProperties());
        assertEquals(TransferPath.AUTO, full.transferPath(), "host memory is read into without slots");
        variables.put("FST_DEVICE", "cuda:0");
        assertEquals(TransferPath.STAGED, options().transferPath());
        properties.put("fst.transferPath", "mapped");
        assertEquals(TransferPath.MAPPED, options().transferPath());
    }

    @Test
    void what_is_wrong_in_a_file_of_fastsafetensors_is_named_with_its_place() throws Exception {
        String name = "fastsafetensors.json";
        assertRefused(name, "{\"loder\": \"base\"}", "line 1, column 2", "did you mean \"loader\"");
        assertRefused(name, "{\"paralel\": {}}", "did you mean \"parallel\"");
        assertRefused(name, "{\"base\": {\n\"max_thread\": 1}}", "line 2, column 1", "did you mean \"max_threads\"");
        assertRefused(name, "{\"debug\": {\"set_numa\": 1}}", "expected true or false");
        assertRefused(name, "{\"base\": {\"copier_type\": \"dstorage\"}}", "gds, fgds, nogds, unified");
        assertRefused(name, "{\"framework\": \"jax\"}", "pytorch, paddle");
        assertRefused(name, "{\"parallel\": {\"max_concurrent_producers\": 2}}", "2 is not between 1 and 1");
        assertRefused(name, "{\"parallel\": {\"queue_size\": -2}}", "-2");
        assertRefused(name, "{\"parallel\": {\"queue_size\": 2147483647}}", "2147483647", "1024");
        assertRefused(name, "{\"parallel\": {\"max_batch_bytes\": 0}}", "a limit of 0 bytes");
        assertRefused(name, "{\"parallel\": {\"use_chunk_budget_as_allocation_size\": true}}", "line 1, column",
                "needs max_batch_bytes");
        assertRefused(name, "{\"parallel\": 1}", "expected an object, found 1");
        assertRefused(name, "{\"readers\": 1, \"loader\": \"base\", \"parallel\": {}}", "\"readers\"");
    }

    @Test
    void schema_and_page_list_the_keys() throws Exception {
        JsonNode schema = JsonMapper.shared()
                .readTree(ConfigurationTest.class.getResourceAsStream("fst.schema.json"));
        Set<String> keys = new TreeSet<>(schema.get("properties").propertyNames());
        assertTrue(keys.remove(Settings.SCHEMA));
        assertEquals(new TreeSet<>(Settings.keys()), keys);
        assertFalse(schema.get("additionalProperties").asBoolean());
        String page = Files.readString(Path.of("../docs/configuration.md"));
        for (String key : Settings.keys()) {
            assertTrue(page.contains("| `" + key + "`"), key);
        }
        for (String key : FastsafetensorsConfig.keys()) {
            assertTrue(page.contains("`" + key + "`"), key);
        }
    }

    @Test
    void schema_and_parser_accept_the_same_values() throws Exception {
        JsonNode properties = JsonMapper.shared()
                .readTree(ConfigurationTest.class.getResourceAsStream("fst.schema.json")).get("properties");
        int checked = 0;
        for (String key : Settings.keys()) {
            JsonNode schema = properties.get(key);
            checked += assertSame(key, schema) ? 1 : 0;
            if (schema.has("default")) {
                assertEquals(printed(DEFAULTS), printed(own("{\"" + key + "\": " + schema.get("default") + "}")), key);
            }
        }
        assertTrue(checked >= 15, "keys whose values the schema tells exactly: " + checked);
    }

    /// @return whether the schema says exactly which values there are
    private boolean assertSame(String key, JsonNode schema) throws Exception {
        if (schema.has("enum")) {
            for (JsonNode value : schema.get("enum")) {
                own("{\"" + key + "\": " + value + "}");
            }
            assertRefused("fst.json", "{\"" + key + "\": \"other\"}");
        } else if (schema.has("$ref")) {
            own("{\"" + key + "\": 4096}");
            own("{\"" + key + "\": \"8MiB\"}");
            assertRefused("fst.json", "{\"" + key + "\": -1}");
            assertRefused("fst.json", "{\"" + key + "\": \"much\"}");
        } else if ("boolean".equals(schema.path("type").asString())) {
            own("{\"" + key + "\": true}");
            own("{\"" + key + "\": false}");
            assertRefused("fst.json", "{\"" + key + "\": 1}");
        } else if ("integer".equals(schema.path("type").asString())) {
            long least = schema.get("minimum").asLong();
            own("{\"" + key + "\": " + least + "}");
            assertRefused("fst.json", "{\"" + key + "\": " + (least - 1) + "}");
            if (schema.has("maximum")) {
                own("{\"" + key + "\": " + schema.get("maximum") + "}");
                assertRefused("fst.json", "{\"" + key + "\": " + (schema.get("maximum").asLong() + 1) + "}");
            }
        } else {
            return false;
        }
        return true;
    }

    private static String printed(LoadOptions options) {
        return options.toString().replaceAll("\\$\\$Lambda\\S*", "");
    }
}
