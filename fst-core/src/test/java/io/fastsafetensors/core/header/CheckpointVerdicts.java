package io.fastsafetensors.core.header;

import static io.fastsafetensors.core.header.TestFile.entry;
import static io.fastsafetensors.core.header.TestFile.header;
import static io.fastsafetensors.core.header.VerdictFiles.OK;

import java.nio.file.Path;
import java.util.function.Consumer;

/// Directories and indexes: files that are valid each, but not together.
final class CheckpointVerdicts {
    private static final String INDEX = "model.safetensors.index.json";
    private static final String INVALID = "InvalidIndex";

    private CheckpointVerdicts() {
    }

    static void addTo(VerdictFiles table) {
        table.checkpoint(OK, "dir-one", dir -> shard(dir, "model.safetensors", "a"));
        table.checkpoint(OK, "dir-two", CheckpointVerdicts::shards);
        table.checkpoint("NoCheckpoint", "dir-empty", dir -> TestFile.write(dir.resolve("config.json"), "{}"));
        table.checkpoint("NoCheckpoint", "dir-hidden", dir -> shard(dir, "._model.safetensors", "a"));
        table.checkpoint("DuplicateTensorName", "dir-twice", dir -> {
            shard(dir, "m-1.safetensors", "a");
            shard(dir, "m-2.safetensors", "a");
        });
        table.checkpoint("MetadataIncompleteBuffer", "dir-second-cut-off", dir -> {
            shards(dir);
            TestFile.write(dir.resolve("m-2.safetensors"), TestFile.of(header(entry("b", "U8", "[4]", 0, 4)), 3));
        });
        table.noted("FilesLeftAside", "dir-two-indexes", dir -> {
            index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors"));
            TestFile.write(dir.resolve("other.safetensors.index.json"), "{}");
        });
        table.checkpoint(OK, "index-good", dir -> index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors")));
        table.checkpoint(OK, "index-total-size",
                dir -> index(dir, "{\"metadata\":{\"total_size\":8,\"x\":[1]},\"more\":{}," + weights()));
        table.noted("TotalSizeMismatch", "index-wrong-total-size",
                dir -> index(dir, "{\"metadata\":{\"total_size\":9}," + weights()));
        table.noted("TotalSizeMismatch", "index-huge-total-size",
                dir -> index(dir, "{\"metadata\":{\"total_size\":18446744073709551615}," + weights()));
        table.noted("FilesLeftAside", "index-unnamed-file-is-not-opened", dir -> {
            index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors"));
            TestFile.write(dir.resolve("m-3.safetensors"), "rubbish");
        });
        table.checkpoint("MissingShard", "index-missing-shard",
                dir -> index(dir, map("a", "m-1.safetensors", "b", "m-9.safetensors")));
        table.noted("TensorNotInShard", "index-tensor-nowhere",
                dir -> index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors", "c", "m-2.safetensors")));
        table.noted("TensorNotInShard", "index-tensor-elsewhere",
                dir -> index(dir, map("a", "m-2.safetensors", "b", "m-1.safetensors")));
        table.noted("TensorNotInIndex", "index-tensor-unnamed", dir -> {
            index(dir, map("a", "m-1.safetensors"));
            TestFile.write(dir.resolve("m-1.safetensors"),
                    TestFile.of(header(entry("a", "U8", "[4]", 0, 4), entry("z", "U8", "[0]", 4, 4)), 4));
        });
        table.checkpoint("DuplicateTensorName", "index-name-twice",
                dir -> index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors", "\\u0061", "m-2.safetensors")));
        table.noted("DuplicateTensorName", "index-tensor-in-two-shards", dir -> {
            index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors"));
            TestFile.write(dir.resolve("m-2.safetensors"),
                    TestFile.of(header(entry("a", "U8", "[0]", 0, 0), entry("b", "U8", "[4]", 0, 4)), 4));
        });
        table.checkpoint("DuplicateTensorName", "index-does-not-decide", dir -> {
            index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors"));
            for (String shard : new String[] {"m-1", "m-2"}) {
                TestFile.write(dir.resolve(shard + ".safetensors"),
                        TestFile.of(header(entry("c", "U8", "[4]", 0, 4)), 4));
            }
        });
        table.checkpoint("DuplicateTensorName", "index-decides-for-a-third", dir -> {
            index(dir, map("a", "m-3.safetensors", "b", "m-2.safetensors", "x", "m-1.safetensors"));
            shard(dir, "m-2.safetensors", "a");
            shard(dir, "m-3.safetensors", "b");
        });
        totalSizes(table);
        layouts(table);
        unsafe(table);
        broken(table);
    }

    /// The two shards have 8 bytes.
    private static void totalSizes(VerdictFiles table) {
        String[] whole = {"8", "8.0", "8.000", "8e0", "8E+0", "0.8e1", "80e-1", "\"8\"", "\"0008\"", "null"};
        for (int i = 0; i < whole.length; i++) {
            String text = whole[i];
            table.checkpoint(OK, "total-size-whole-" + i,
                    dir -> index(dir, "{\"metadata\":{\"total_size\":" + text + "}," + weights()));
        }
        String[] other = {"7", "8.5", "8e1", "-8", "-8.0", "0", "\"8.0\"", "\"8 bytes\"", "\"\"", "true", "false",
            "[8]",
            "{\"n\":[8,{}]}", "1e400", "1e-400", "1e99999999999", "0." + "0".repeat(2000) + "8", "8".repeat(5000),
            "\"\\u001b[2J\""};
        for (int i = 0; i < other.length; i++) {
            String text = other[i];
            table.noted("TotalSizeMismatch", "total-size-other-" + i,
                    dir -> index(dir, "{\"metadata\":{\"total_size\":" + text + ",\"k\":1}," + weights()));
        }
    }

    /// Directories by the names in them; each file holds one tensor of its own name.
    private static void layouts(VerdictFiles table) {
        String aside = "FilesLeftAside";
        String ambiguous = "AmbiguousCheckpoint";
        files(table, OK, "one-odd-name", "x");
        files(table, aside, "model-first", "model", "consolidated", "adapter_model", "diffusion_pytorch_model", "x");
        files(table, aside, "diffusers-second", "diffusion_pytorch_model", "diffusion_pytorch_model.fp16");
        files(table, aside, "adapter-third", "adapter_model", "consolidated");
        files(table, aside, "consolidated-fourth", "consolidated", "x");
        files(table, OK, "whole-set", "m-00001-of-00002", "m-00002-of-00002");
        files(table, OK, "whole-set-from-zero", "m_0_of_3", "m_1_of_3", "m_2_of_3");
        files(table, OK, "whole-variant-set", "m.fp16-00001-of-00002", "m.fp16-00002-of-00002");
        files(table, aside, "set-and-others", "m-00001-of-00002", "m-00002-of-00002", "vae", "clip");
        files(table, "MissingShard", "set-lacks-one", "model-00001-of-00003", "model-00003-of-00003");
        files(table, "MissingShard", "set-lacks-the-last", "model-00001-of-00002");
        files(table, "MissingShard", "set-lacks-most", "model-00001-of-99999");
        files(table, "MissingShard", "set-from-zero-lacks-one", "model-00000-of-00002");
        files(table, ambiguous, "two-sets", "a-00001-of-00001", "b-00001-of-00001");
        files(table, ambiguous, "two-cuts", "a-00001-of-00001", "a-00001-of-00002", "a-00002-of-00002");
        files(table, OK, "row-of-numbers", "part1", "part2", "part3");
        files(table, OK, "row-of-numbers-from-zero", "consolidated.00", "consolidated.01");
        files(table, OK, "row-of-numbers-of-two-widths", "l9.x2", "l10.x2");
        files(table, ambiguous, "row-with-a-hole", "part1", "part3");
        files(table, ambiguous, "two-numbers", "v1-5", "v2-1");
        files(table, ambiguous, "names", "unet", "vae");
        files(table, ambiguous, "variants", "m.fp16", "m.bf16");
        table.noted(aside, "layout-index-and-consolidated", dir -> {
            index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors"));
            shard(dir, "consolidated.safetensors", "z");
        });
        table.checkpoint(OK, "layout-other-index", dir -> {
            shards(dir);
            TestFile.write(dir.resolve("consolidated.safetensors.index.json"), map("a", "m-1.safetensors", "b",
                    "m-2.safetensors"));
        });
        table.noted(aside, "layout-index-before-variant-index", dir -> {
            shards(dir);
            TestFile.write(dir.resolve("x.safetensors.index.json"), map("a", "m-1.safetensors"));
            TestFile.write(dir.resolve("x.safetensors.index.fp16.json"), map("b", "m-2.safetensors"));
        });
        table.checkpoint("MissingShard", "layout-variant-index-shard-missing", dir -> {
            shards(dir);
            TestFile.write(dir.resolve("model.safetensors.index.fp16.json"), map("a", "m-1.safetensors", "b",
                    "m-9.safetensors"));
        });
        table.checkpoint(ambiguous, "layout-two-other-indexes", dir -> {
            shards(dir);
            TestFile.write(dir.resolve("x.safetensors.index.json"), map("a", "m-1.safetensors"));
            TestFile.write(dir.resolve("y.safetensors.index.json"), map("b", "m-2.safetensors"));
        });
        table.noted(aside, "layout-two-other-indexes-and-a-single-file", dir -> {
            shards(dir);
            shard(dir, "adapter_model.safetensors", "c");
            TestFile.write(dir.resolve("x.safetensors.index.json"), map("a", "m-1.safetensors"));
            TestFile.write(dir.resolve("y.safetensors.index.json"), map("b", "m-2.safetensors"));
        });
        table.checkpoint(OK, "layout-no-files-of-a-checkpoint", dir -> {
            shard(dir, "m.safetensors", "a");
            TestFile.write(dir.resolve("._m.safetensors"), "x");
            TestFile.write(dir.resolve(".m.safetensors"), "x");
            TestFile.write(dir.resolve("m.safetensors.incomplete"), "x");
            TestFile.write(dir.resolve("m.incomplete.safetensors"), "x");
            TestFile.write(dir.resolve(".safetensors"), "x");
            shard(dir.resolve("d.safetensors"), "a.safetensors", "a");
        });
    }

    /// @param verdict an error of both modes, or FilesLeftAside
    private static void files(VerdictFiles table, String verdict, String name, String... files) {
        Consumer<Path> writer = dir -> {
            for (String file : files) {
                shard(dir, file + ".safetensors", file);
            }
        };
        if (verdict.equals("FilesLeftAside")) {
            table.noted(verdict, "layout-" + name, writer);
        } else {
            table.checkpoint(verdict, "layout-" + name, writer);
        }
    }

    private static void unsafe(VerdictFiles table) {
        String[] names = {"", ".", "..", "../m-1.safetensors", "/etc/passwd", "sub/m-1.safetensors", "m-1.safetensors/",
            "..\\\\m-1.safetensors", "a\\\\b", "m\\u0000.safetensors", "./m-1.safetensors", "//x"};
        for (int i = 0; i < names.length; i++) {
            String name = names[i];
            table.checkpoint("UnsafeShardName", "index-unsafe-" + i, dir -> index(dir, map("a", name)));
        }
    }

    private static void broken(VerdictFiles table) {
        String[] texts = {"", "[]", "null", "{", "{}", "{\"metadata\":{}}", "{\"weight_map\":[]}",
            "{\"weight_map\":null}",
            "{\"weight_map\":{\"a\":1}}", "{\"weight_map\":{\"a\":null}}", "{\"weight_map\":{\"a\":{\"f\":\"x\"}}}",
            "{\"weight_map\":{},\"weight_map\":{}}", "{\"metadata\":[]," + weights(),
            "{\"metadata\":{\"total_size\":8,\"total_size\":8}," + weights(),
            "{\"metadata\":{},\"metadata\":{}," + weights(),
            "{" + weights() + "x", "\ufeff{" + weights(), "{\"weight_map\":{\"\\ud800\":\"m-1.safetensors\"}}",
            "{" + weights() + "\0"};
        for (int i = 0; i < texts.length; i++) {
            String text = texts[i];
            table.checkpoint(INVALID, "index-broken-" + i, dir -> index(dir, text));
        }
        table.checkpoint(INVALID, "index-not-utf8", dir -> {
            shards(dir);
            TestFile.write(dir.resolve(INDEX), new byte[] {'{', '"', (byte) 0xFF, '"', ':', '1', '}'});
        });
        table.checkpoint("NoCheckpoint", "index-names-nothing", dir -> index(dir, "{\"weight_map\":{}}"));
    }

    static void shards(Path directory) {
        shard(directory, "m-1.safetensors", "a");
        shard(directory, "m-2.safetensors", "b");
    }

    static void shard(Path directory, String file, String tensor) {
        TestFile.write(directory.resolve(file), TestFile.of(header(entry(tensor, "U8", "[4]", 0, 4)), 4));
    }

    /// Two shards and this index.
    static void index(Path directory, String text) {
        shards(directory);
        TestFile.write(directory.resolve(INDEX), text);
    }

    /// An index that maps the first of each two names to the second.
    static String map(String... pairs) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < pairs.length; i += 2) {
            text.append(i == 0 ? "" : ",").append('"').append(pairs[i]).append("\":\"").append(pairs[i + 1])
                    .append('"');
        }
        return "{\"weight_map\":{" + text + "}}";
    }

    private static String weights() {
        return map("a", "m-1.safetensors", "b", "m-2.safetensors").substring(1);
    }
}
