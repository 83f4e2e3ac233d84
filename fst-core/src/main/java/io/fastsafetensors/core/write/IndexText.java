package io.fastsafetensors.core.write;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// The index beside the shards, laid out as the Hugging Face libraries do.
final class IndexText {
    static final String FILE_NAME = "model.safetensors.index.json";

    private IndexText() {
    }

    static ByteBuffer of(List<List<Item>> shards) {
        Map<String, String> weightMap = new TreeMap<>(JsonBytes.BY_CODE_POINT);
        long total = 0;
        for (int i = 0; i < shards.size(); i++) {
            String file = ShardPlanner.fileName(i, shards.size());
            for (Item item : shards.get(i)) {
                weightMap.put(item.name(), file);
                total = Math.addExact(total, item.byteSize());
            }
        }
        JsonBytes json = new JsonBytes(Integer.MAX_VALUE);
        json.raw("{\n  \"metadata\": {\n    \"total_size\": ").number(total).raw("\n  },\n  \"weight_map\": {");
        String separator = "\n    ";
        for (Map.Entry<String, String> entry : weightMap.entrySet()) {
            json.raw(separator).quoted(entry.getKey()).raw(": ").quoted(entry.getValue());
            separator = ",\n    ";
        }
        json.raw(weightMap.isEmpty() ? "}\n}\n" : "\n  }\n}\n");
        return ByteBuffer.wrap(json.toArray());
    }
}
