package io.fastsafetensors.core.header;

import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.types.Location;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;

/// The content of `model.safetensors.index.json`: `weight_map`, and of `metadata` the `total_size`. Other keys are passed
/// over here; [IndexKeys] reads them for those who write the index again.
///
/// The shard names are plain file names, not yet looked for: each is checked while it is read, before anybody can make a
/// path of it.
///
/// A name is unsafe where it could lead out of the directory on any platform, or cannot be encoded: an index from
/// somewhere else must not name arbitrary files.
///
/// @param location the index file
/// @param weightMap tensor name to shard name, in the index's order
/// @param shards the shard names, in order
/// @param totalSize the bytes of all tensors as the index gives them
record ShardIndex(Location location, Map<String, String> weightMap, SortedSet<String> shards,
        Optional<TotalSize> totalSize) {
    static final String WEIGHT_MAP = "weight_map";
    static final String METADATA = "metadata";
    static final String TOTAL_SIZE = "total_size";

    /// A tensor takes about 100 bytes of an index: this is for millions.
    private static final long LONGEST = 256L << 20;

    /// Reads the index; shards are not looked at.
    ///
    /// @param onShard told the name of each shard as soon as it is met; what follows may be refused nevertheless
    /// @throws FormatException InvalidIndex, DuplicateTensorName or UnsafeShardName, found in this order
    /// @throws io.fastsafetensors.error.StorageException if it cannot be read
    static ShardIndex read(FileBytes file, Consumer<String> onShard) {
        if (file.length() > LONGEST) {
            throw new FormatException(FormatError.INVALID_INDEX,
                    "an index of " + file.length() + " bytes, more than " + LONGEST, file.location().where());
        }
        Utf8Section text = new Utf8Section(file, 0, file.length(), FormatError.INVALID_INDEX);
        try (JsonCursor json = new JsonCursor(text, text::hasEscapes)) {
            return new Reader(json, file.location(), onShard).parse();
        } catch (JacksonException e) {
            throw new FormatException(FormatError.INVALID_INDEX,
                    "the index is not as it must be: " + JsonCursor.describe(e), file.location().where());
        }
    }

    /// Reads one index. A fault of its JSON is thrown at once, a name that comes twice or is unsafe only after the whole
    /// text was read, so that which of several faults is told does not depend on their order in the text.
    private static final class Reader {
        private final JsonCursor json;
        private final Location file;
        private final Consumer<String> onShard;
        // One string per shard, not one per tensor.
        private final Map<String, String> shards = new HashMap<>();
        private @Nullable Map<String, String> weightMap;
        private @Nullable String duplicate;
        private @Nullable FormatException unsafe;
        private boolean hasTotalSize;
        private Optional<TotalSize> totalSize = Optional.empty();

        private Reader(JsonCursor json, Location file, Consumer<String> onShard) {
            this.json = json;
            this.file = file;
            this.onShard = onShard;
        }

        /// Unknown keys are passed over, `weight_map` is the only one that must be there.
        private ShardIndex parse() {
            boolean metadata = false;
            json.beginDocument();
            for (String key = json.nextName(); key != null; key = json.nextName()) {
                if (key.equals(WEIGHT_MAP)) {
                    readWeightMap();
                } else if (key.equals(METADATA)) {
                    if (metadata) {
                        throw json.problem(METADATA + " twice");
                    }
                    metadata = true;
                    readMetadata();
                } else {
                    json.skipValue();
                }
            }
            if (weightMap == null) {
                throw json.problem(WEIGHT_MAP + " is missing");
            }
            json.endDocument();
            if (duplicate != null) {
                throw new FormatException(FormatError.DUPLICATE_TENSOR_NAME, "one name twice in " + WEIGHT_MAP,
                        file.where().withTensor(duplicate));
            }
            if (unsafe != null) {
                throw unsafe;
            }
            return new ShardIndex(file, weightMap, new TreeSet<>(shards.keySet()), totalSize);
        }

        /// Keeps the first place of a name and its last shard, as a map of Python's would; that a name came twice is an
        /// error in the end.
        private void readWeightMap() {
            if (weightMap != null) {
                throw json.problem(WEIGHT_MAP + " twice");
            }
            if (json.next() != JsonToken.START_OBJECT) {
                throw json.problem(WEIGHT_MAP + " is not an object");
            }
            Map<String, String> read = new LinkedHashMap<>();
            for (String name = json.nextName(); name != null; name = json.nextName()) {
                json.next();
                String text = json.string("a shard's name");
                String shard = shards.putIfAbsent(text, text);
                if (shard == null) {
                    shard = text;
                    meet(name, shard);
                }
                if (read.put(name, shard) != null && duplicate == null) {
                    duplicate = name;
                }
            }
            weightMap = read;
        }

        // {"total_size": 123, …}; null is as good as none.
        private void readMetadata() {
            JsonToken token = json.next();
            if (token == JsonToken.VALUE_NULL) {
                return;
            }
            if (token != JsonToken.START_OBJECT) {
                throw json.problem(METADATA + " is not an object");
            }
            for (String key = json.nextName(); key != null; key = json.nextName()) {
                if (!key.equals(TOTAL_SIZE)) {
                    json.skipValue();
                } else if (hasTotalSize) {
                    throw json.problem(TOTAL_SIZE + " twice");
                } else {
                    hasTotalSize = true;
                    totalSize = readTotalSize();
                }
            }
        }

        /// Advisory: whatever it is, it stops nothing.
        private Optional<TotalSize> readTotalSize() {
            // No switch that takes null: it is linked at run time, in each process's first load.
            JsonToken token = json.next();
            if (token == JsonToken.VALUE_NULL) {
                return Optional.empty();
            }
            if (token == JsonToken.VALUE_NUMBER_INT || token == JsonToken.VALUE_NUMBER_FLOAT) {
                return Optional.of(TotalSize.number(json.text()));
            }
            if (token == JsonToken.VALUE_STRING) {
                return Optional.of(TotalSize.text(json.string(TOTAL_SIZE)));
            }
            if (token == JsonToken.START_OBJECT || token == JsonToken.START_ARRAY) {
                json.skipRest();
                return Optional.of(TotalSize.other(token == JsonToken.START_OBJECT ? "an object" : "an array"));
            }
            return Optional.of(TotalSize.other(json.text()));
        }

        /// Says that a shard was met for the first time, unless its name is unsafe.
        private void meet(String tensor, String shard) {
            if (isPlain(shard)) {
                onShard.accept(shard);
            } else if (unsafe == null) {
                unsafe = new FormatException(FormatError.UNSAFE_SHARD_NAME,
                        "a shard must be named by a plain file name inside the directory, not \""
                                + Printable.escape(shard) + '"',
                        file.where().withTensor(tensor));
            }
        }

        /// Whether a shard is named by one name, whatever the locale and the file system.
        private boolean isPlain(String shard) {
            if (shard.isEmpty() || shard.equals(".") || shard.equals("..") || shard.indexOf('/') >= 0
                    || shard.indexOf('\\') >= 0 || shard.indexOf('\0') >= 0) {
                return false;
            }
            boolean drive = shard.indexOf(':') >= 0
                    && file.path().filter(path -> !path.getFileSystem().getSeparator().equals("/")).isPresent();
            return !drive && StandardCharsets.UTF_8.newEncoder().canEncode(shard);
        }
    }

    /// Represents the `total_size` of an index, which writers spell as an integer, a float, an exponent or a text of
    /// digits. Advisory in every form: loads go by the headers, and what does not add up is a note.
    ///
    /// @param text how it is spelled
    /// @param value the number; null if it is none that is whole
    record TotalSize(String text, @Nullable BigDecimal value) {
        /// No sum of bytes has more digits; and reading a number takes time by the square of its digits.
        private static final int MOST_DIGITS = 1000;

        /// A JSON number.
        static TotalSize number(String text) {
            BigDecimal value = null;
            if (text.length() <= MOST_DIGITS) {
                try {
                    value = new BigDecimal(text);
                } catch (NumberFormatException e) {
                    // An exponent that no number of bytes has.
                    return new TotalSize(text, null);
                }
            }
            boolean whole = value != null && value.signum() >= 0 && value.stripTrailingZeros().scale() <= 0;
            return new TotalSize(text, whole ? value : null);
        }

        /// A JSON text.
        static TotalSize text(String text) {
            boolean digits = !text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9');
            return new TotalSize('"' + text + '"', digits ? number(text).value() : null);
        }

        /// Another kind of value.
        static TotalSize other(String kind) {
            return new TotalSize(kind, null);
        }

        boolean isWhole() {
            return value != null;
        }

        boolean is(BigDecimal bytes) {
            return value != null && value.compareTo(bytes) == 0;
        }
    }
}
