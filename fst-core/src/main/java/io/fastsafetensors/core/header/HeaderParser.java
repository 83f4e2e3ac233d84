package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpaqueType;
import io.fastsafetensors.core.header.EntryParser.RawTensor;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonToken;

/// Reads a header's JSON: `__metadata__` and tensors. Whatever has the wrong shape is a complaint of the cursor; a name
/// that comes twice is only noted, since a complaint further on goes first. Nothing is judged but the form: ranges and
/// shapes are judged when all of the text was read, because the reference tells of broken JSON first. Not thread-safe;
/// one for a header.
///
/// The form is the reference implementation's: the `safetensors` crate, whose serde types fix what is an error and
/// what is passed over.
final class HeaderParser {
    private static final String METADATA = "__metadata__";
    /// A guess of the bytes that an entry takes, low enough for real headers not to need more room.
    private static final int BYTES_PER_ENTRY = 96;

    private final List<RawTensor> tensors = new ArrayList<>();
    /// Sized by a guess from the header's length, so that it is not rehashed while it fills.
    private final Set<String> names;
    /// What a tensor takes besides its name, and a key with its value besides their characters.
    private static final int BYTES_PER_TENSOR = 240;
    private static final int BYTES_PER_KEY = 160;

    private final JsonCursor json;
    private final HeapGuard guard;
    private final boolean lenient;
    private @Nullable Map<String, String> metadata;
    private @Nullable String duplicate;

    /// The parsed content of a header.
    ///
    /// @param tensors in the header's order
    /// @param metadata in the header's order, the last of equal keys
    /// @param duplicate the first tensor name that comes a second time
    /// @param opaque what is said of tensors of unknown dtypes
    record Result(List<RawTensor> tensors, Map<String, String> metadata, @Nullable String duplicate,
            Map<String, OpaqueType> opaque) {
    }

    private HeaderParser(JsonCursor json, long headerLength, HeapGuard guard, boolean lenient) {
        this.lenient = lenient;
        this.json = json;
        this.guard = guard;
        this.names = HashSet.newHashSet((int) (headerLength / BYTES_PER_ENTRY));
    }

    /// Reads the whole text.
    ///
    /// @param lenient whether a dtype that is not known makes opaque bytes
    /// @param headerLength bytes of the header, from which the number of tensors is guessed
    static Result parse(JsonCursor json, long headerLength, HeapGuard guard, boolean lenient) {
        return new HeaderParser(json, headerLength, guard, lenient).parse();
    }

    /// Adds to the heap guard what it keeps as it goes, so that a hostile header is refused before it fills the heap.
    private Result parse() {
        EntryParser entries = new EntryParser(json, guard, lenient);
        json.beginDocument();
        for (String name = json.nextName(); name != null; name = json.nextName()) {
            if (name.equals(METADATA)) {
                readMetadata();
            } else {
                tensors.add(entries.parse(name));
                guard.keep(BYTES_PER_TENSOR + name.length());
                if (!names.add(name) && duplicate == null) {
                    duplicate = name;
                }
            }
        }
        json.endDocument();
        return new Result(tensors, metadata == null ? Map.of() : metadata, duplicate, entries.opaque());
    }

    /// Values must be strings; `null` in place of the whole object is as good as none, as it is for the reference.
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
                String value = json.string("a value of " + METADATA);
                read.put(key, value);
                guard.keep(BYTES_PER_KEY + key.length() + value.length());
            }
        }
        metadata = read;
    }
}
