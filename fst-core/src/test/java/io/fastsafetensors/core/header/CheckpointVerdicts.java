package io.fastsafetensors.core.header;

import static io.fastsafetensors.core.header.TestFile.entry;
import static io.fastsafetensors.core.header.TestFile.header;
import static io.fastsafetensors.core.header.VerdictFiles.OK;

import java.nio.file.Path;

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
        table.checkpoint(INVALID, "dir-two-indexes", dir -> {
            index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors"));
            TestFile.write(dir.resolve("other.safetensors.index.json"), "{}");
        });
        table.checkpoint(OK, "index-good", dir -> index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors")));
        table.checkpoint(OK, "index-total-size",
                dir -> index(dir, "{\"metadata\":{\"total_size\":8,\"x\":[1]},\"more\":{}," + weights()));
        table.checkpoint("TotalSizeMismatch", "index-wrong-total-size",
                dir -> index(dir, "{\"metadata\":{\"total_size\":9}," + weights()));
        table.checkpoint("TotalSizeMismatch", "index-huge-total-size",
                dir -> index(dir, "{\"metadata\":{\"total_size\":18446744073709551615}," + weights()));
        table.checkpoint(OK, "index-unnamed-file-is-not-opened", dir -> {
            index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors"));
            TestFile.write(dir.resolve("m-3.safetensors"), "rubbish");
        });
        table.checkpoint("MissingShard", "index-missing-shard",
                dir -> index(dir, map("a", "m-1.safetensors", "b", "m-9.safetensors")));
        table.checkpoint("TensorNotInShard", "index-tensor-nowhere",
                dir -> index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors", "c", "m-2.safetensors")));
        table.checkpoint("TensorNotInShard", "index-tensor-elsewhere",
                dir -> index(dir, map("a", "m-2.safetensors", "b", "m-1.safetensors")));
        table.checkpoint("TensorNotInIndex", "index-tensor-unnamed", dir -> {
            index(dir, map("a", "m-1.safetensors"));
            TestFile.write(dir.resolve("m-1.safetensors"),
                    TestFile.of(header(entry("a", "U8", "[4]", 0, 4), entry("z", "U8", "[0]", 4, 4)), 4));
        });
        table.checkpoint("DuplicateTensorName", "index-name-twice",
                dir -> index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors", "\\u0061", "m-2.safetensors")));
        table.checkpoint("DuplicateTensorName", "index-tensor-in-two-shards", dir -> {
            index(dir, map("a", "m-1.safetensors", "b", "m-2.safetensors"));
            TestFile.write(dir.resolve("m-2.safetensors"),
                    TestFile.of(header(entry("a", "U8", "[0]", 0, 0), entry("b", "U8", "[4]", 0, 4)), 4));
        });
        unsafe(table);
        broken(table);
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
            "{\"metadata\":{\"total_size\":-1}," + weights(),
            "{\"metadata\":{\"total_size\":8.0}," + weights(), "{\"metadata\":{\"total_size\":\"8\"}," + weights(),
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
