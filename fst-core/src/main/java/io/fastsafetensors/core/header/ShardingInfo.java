package io.fastsafetensors.core.header;

import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;

/// Reads what PyTorch's distributed checkpoint (`HuggingFaceStorageWriter` with `save_sharded`) says in a file's
/// metadata of the parts of tensors that the file holds: where in the whole tensor each begins. Immutable. A file that
/// has it has it for all of its tensors.
///
/// The format is JSON in a metadata value, so its text is in memory already and read by a cursor of its own.
final class ShardingInfo {
    /// The key of `__metadata__`.
    static final String KEY = "DCP_SHARDING_INFO";
    /// What else such a file says of itself.
    static final String VERSION_KEY = "DCP_VERSION";

    private static final String OFFSETS = "saved_offsets";
    private static final String GLOBAL_SHAPE = "global_shape";
    private static final String LOGICAL_NAME = "logical_fqn";

    private final Location file;
    private final Map<String, Entry> entries;

    /// A part's entry.
    ///
    /// @param name the whole tensor's name, null if it is the part's
    /// @param offsets where the part begins in each dimension
    /// @param shape the whole tensor's dimensions, null if only the parts tell
    record Entry(@Nullable String name, List<Long> offsets, @Nullable Shape shape) {
    }

    private ShardingInfo(Location file, Map<String, Entry> entries) {
        this.file = file;
        this.entries = entries;
    }

    /// What a file's metadata says; null if it says nothing.
    ///
    /// @throws FormatException InvalidSharding if it is not what PyTorch writes
    static @Nullable ShardingInfo of(FileHeader header) {
        String text = header.metadata().get(KEY);
        if (text == null) {
            return null;
        }
        Map<String, Entry> entries = new HashMap<>();
        try (JsonCursor json = new JsonCursor(new StringReader(text), () -> text.indexOf('\\') >= 0)) {
            json.beginDocument();
            for (String key = json.nextName(); key != null; key = json.nextName()) {
                entries.put(key, entry(json));
            }
            json.endDocument();
        } catch (JacksonException e) {
            throw new FormatException(FormatError.INVALID_SHARDING, KEY + " of the metadata is not as it must be: "
                    + JsonCursor.describe(e), header.location().where());
        }
        return new ShardingInfo(header.location(), entries);
    }

    private static Entry entry(JsonCursor json) {
        if (json.next() != JsonToken.START_OBJECT) {
            throw json.problem("an entry is not an object");
        }
        List<Long> offsets = null;
        Shape shape = null;
        String name = null;
        for (String key = json.nextName(); key != null; key = json.nextName()) {
            switch (key) {
                case OFFSETS -> offsets = numbers(json, OFFSETS);
                case GLOBAL_SHAPE -> shape = Shape.of(
                        numbers(json, GLOBAL_SHAPE).stream().mapToLong(Long::longValue).toArray());
                case LOGICAL_NAME -> {
                    json.next();
                    name = json.string(LOGICAL_NAME);
                }
                default -> json.skipValue();
            }
        }
        if (offsets == null) {
            throw json.problem(OFFSETS + " is missing");
        }
        return new Entry(name, offsets, shape);
    }

    /// Offsets and dimensions are counted by Java's longs from here on.
    private static List<Long> numbers(JsonCursor json, String what) {
        if (json.next() != JsonToken.START_ARRAY) {
            throw json.problem(what + " is not an array");
        }
        List<Long> numbers = new ArrayList<>();
        while (json.next() != JsonToken.END_ARRAY) {
            long number = json.unsigned("a number of " + what);
            if (number < 0) {
                throw json.problem("a number of " + what + " has no place in a Java long");
            }
            numbers.add(number);
        }
        return numbers;
    }

    /// What it says of one of its file's tensors.
    ///
    /// @throws FormatException InvalidSharding if it says nothing, or another number of dimensions
    Entry of(TensorInfo part) {
        Entry entry = entries.get(part.name());
        int rank = part.shape().rank();
        if (entry == null || entry.offsets.size() != rank || (entry.shape != null && entry.shape.rank() != rank)) {
            throw new FormatException(FormatError.INVALID_SHARDING, entry == null
                    ? KEY + " of the metadata says nothing of this tensor"
                    : KEY + " of the metadata has " + OFFSETS + " " + entry.offsets
                            + (entry.shape == null ? "" : " and " + GLOBAL_SHAPE + " " + entry.shape)
                            + " for a part of shape " + part.shape(),
                    file.where().withTensor(part.name()));
        }
        return entry;
    }

    @Override
    public String toString() {
        return entries.size() + " parts in " + Printable.escape(file.toString());
    }
}
