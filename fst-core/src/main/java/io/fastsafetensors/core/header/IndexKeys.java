package io.fastsafetensors.core.header;

import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;

/// The keys of an index besides its tensors, for writing it again: keys to their values as ASCII JSON. Read apart from
/// [ShardIndex], because a load needs none of them and an index of a million tensors is read once for it.
///
/// @param metadata the keys of `metadata` but for `total_size`
/// @param others the keys besides `metadata` and `weight_map`
public record IndexKeys(Map<String, String> metadata, Map<String, String> others) {
    /// Of a checkpoint without an index.
    public static final IndexKeys NONE = new IndexKeys(Map.of(), Map.of());

    /// Reads them; the index was found to be valid before.
    ///
    /// @throws FormatException InvalidIndex if it is not JSON
    static IndexKeys read(FileBytes file) {
        Utf8Section text = new Utf8Section(file, 0, file.length(), FormatError.INVALID_INDEX);
        Map<String, String> metadata = new LinkedHashMap<>();
        Map<String, String> others = new LinkedHashMap<>();
        try (JsonCursor json = new JsonCursor(text, text::hasEscapes)) {
            json.beginDocument();
            for (String key = json.nextName(); key != null; key = json.nextName()) {
                if (key.equals(ShardIndex.WEIGHT_MAP)) {
                    json.skipValue();
                } else if (!key.equals(ShardIndex.METADATA)) {
                    others.put(key, json.copyValue());
                } else if (json.next() == JsonToken.START_OBJECT) {
                    for (String name = json.nextName(); name != null; name = json.nextName()) {
                        metadata.put(name, json.copyValue());
                    }
                }
            }
        } catch (JacksonException e) {
            throw new FormatException(FormatError.INVALID_INDEX,
                    "the index is not as it must be: " + JsonCursor.describe(e), file.location().where());
        }
        metadata.remove(ShardIndex.TOTAL_SIZE);
        return new IndexKeys(metadata, others);
    }
}
