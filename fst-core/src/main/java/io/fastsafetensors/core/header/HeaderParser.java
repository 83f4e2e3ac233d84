package io.fastsafetensors.core.header;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonToken;

/// Reads a header's JSON: `__metadata__` and tensors. Whatever has the wrong shape is a complaint of the cursor; a
/// name that comes twice is only noted, since a complaint further on goes first.
final class HeaderParser {
    private static final String METADATA = "__metadata__";
    // A guess of the bytes that an entry takes, low enough for real headers not to need more room.
    private static final int BYTES_PER_ENTRY = 96;

    private final List<RawTensor> tensors = new ArrayList<>();
    private final Set<String> names;
    private final JsonCursor json;
    private @Nullable Map<String, String> metadata;
    private @Nullable String duplicate;

    /// What a header says.
    ///
    /// @param tensors in the header's order
    /// @param metadata in the header's order, the last of equal keys
    /// @param duplicate the first tensor name that comes a second time
    record Result(List<RawTensor> tensors, Map<String, String> metadata, @Nullable String duplicate) {
    }

    private HeaderParser(JsonCursor json, long headerLength) {
        this.json = json;
        this.names = HashSet.newHashSet((int) (headerLength / BYTES_PER_ENTRY));
    }

    /// Reads the whole text.
    static Result parse(JsonCursor json, long headerLength) {
        return new HeaderParser(json, headerLength).parse();
    }

    private Result parse() {
        EntryParser entries = new EntryParser(json);
        json.beginDocument();
        for (String name = json.nextName(); name != null; name = json.nextName()) {
            if (name.equals(METADATA)) {
                readMetadata();
            } else {
                tensors.add(entries.parse(name));
                if (!names.add(name) && duplicate == null) {
                    duplicate = name;
                }
            }
        }
        json.endDocument();
        return new Result(tensors, metadata == null ? Map.of() : metadata, duplicate);
    }

    private void readMetadata() {
        if (metadata != null) {
            throw json.problem(METADATA + " twice");
        }
        Map<String, String> read = new LinkedHashMap<>();
        JsonToken token = json.next();
        if (token != JsonToken.VALUE_NULL) {
            if (token != JsonToken.START_OBJECT) {
                throw json.problem(METADATA + " is not an object");
            }
            for (String key = json.nextName(); key != null; key = json.nextName()) {
                json.next();
                read.put(key, json.string("a value of " + METADATA));
            }
        }
        metadata = read;
    }
}
