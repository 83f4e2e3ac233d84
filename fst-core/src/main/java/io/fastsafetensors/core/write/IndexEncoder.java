package io.fastsafetensors.core.write;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// Writes the text of an index, laid out as the Hugging Face libraries do.
final class IndexEncoder {
    private IndexEncoder() {
    }

    static ByteBuffer of(List<Layout.Part> parts, Layout.Index index) {
        Map<String, String> weightMap = new TreeMap<>(JsonBytes.BY_CODE_POINT);
        long total = 0;
        for (Layout.Part part : parts) {
            for (TensorSpec item : part.items()) {
                weightMap.put(item.name(), part.name());
                total = Math.addExact(total, item.byteSize());
            }
        }
        JsonBytes json = new JsonBytes(Integer.MAX_VALUE);
        json.raw("{\n  \"metadata\": {\n    \"total_size\": ").number(total);
        members(json, ",\n    ", index.metadata());
        json.raw("\n  },\n  \"weight_map\": {");
        String separator = "\n    ";
        for (Map.Entry<String, String> entry : weightMap.entrySet()) {
            json.raw(separator).quoted(entry.getKey()).raw(": ").quoted(entry.getValue());
            separator = ",\n    ";
        }
        json.raw(weightMap.isEmpty() ? "}" : "\n  }");
        members(json, ",\n  ", index.others());
        json.raw("\n}\n");
        return ByteBuffer.wrap(json.toArray());
    }

    private static void members(JsonBytes json, String separator, Map<String, String> values) {
        values.forEach((key, value) -> json.raw(separator).quoted(key).raw(": ").raw(value));
    }
}
