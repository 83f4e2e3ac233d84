package io.fastsafetensors.core.write;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Where;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// The header of one file, byte for byte as the reference serializer writes it; its metadata, whose order the reference
/// leaves to chance, is sorted.
///
/// Digests are not known yet when a header is written, and the header cannot grow any more once data stands behind it:
/// each gets 64 zeros, whose places are kept, and which are overwritten in the file.
///
/// Compared byte for byte with files of the `safetensors` crate by a test.
final class HeaderEncoder {
    static final String METADATA = "__metadata__";

    /// Bytes of the length that a file begins with.
    private static final int LENGTH_FIELD = 8;
    /// As long as a digest in hexadecimal.
    private static final String NO_DIGEST = "0".repeat(64);

    private final byte[] text;
    /// Offsets in the text, by tensor.
    private final Map<String, Integer> digestOffsets;

    private HeaderEncoder(byte[] text, Map<String, Integer> digestOffsets) {
        this.text = text;
        this.digestOffsets = digestOffsets;
    }

    /// The header of a file.
    ///
    /// @param items the file's tensors in its order
    /// @param options metadata and alignment; digests get room that [#digestOffset(String)] finds again
    /// @param file named in errors
    /// @throws FormatException if it is over the format's cap, or a text is no Unicode
    static HeaderEncoder of(List<TensorSpec> items, WriteOptions options, Path file) {
        JsonBytes json = new JsonBytes(OpenOptions.FORMAT_HEADER_CAP);
        Map<String, Integer> digestOffsets = new HashMap<>();
        try {
            json.raw("{");
            boolean first = !metadata(json, items, options, digestOffsets);
            tensors(json, items, first);
            json.raw("}");
            pad(json, options.dataAlignment());
        } catch (JsonBytes.TooLong e) {
            throw new FormatException(FormatError.HEADER_TOO_LARGE,
                    "the header would be over the format's " + OpenOptions.FORMAT_HEADER_CAP
                            + " bytes; write less metadata, or shards",
                    Where.file(file), e);
        } catch (IllegalArgumentException e) {
            throw new FormatException(FormatError.INVALID_HEADER,
                    "a tensor's name or the metadata is no Unicode text: " + e.getMessage(), Where.file(file), e);
        }
        return new HeaderEncoder(json.toArray(), digestOffsets);
    }

    /// How many bytes come before the data section.
    int byteSize() {
        return LENGTH_FIELD + text.length;
    }

    /// What the file begins with: the length and the header.
    ///
    /// @return made for this call, from position to limit
    ByteBuffer toBuffer() {
        return ByteBuffer.allocate(LENGTH_FIELD + text.length).order(ByteOrder.LITTLE_ENDIAN).putLong(text.length)
                .put(text).flip();
    }

    /// The offset in the file of the 64 hexadecimal digits that wait for a tensor's digest.
    long digestOffset(String tensor) {
        return LENGTH_FIELD + (long) Objects.requireNonNull(digestOffsets.get(tensor), tensor);
    }

    /// Digests that came with the options' metadata are left out where new ones are made: they are of other bytes.
    ///
    /// @param digestOffsets gets the place in the text of each digest that waits
    /// @return whether there is any, since an empty object is left out
    private static boolean metadata(JsonBytes json, List<TensorSpec> items, WriteOptions options,
            Map<String, Integer> digestOffsets) {
        Map<String, String> given = options.metadata();
        List<String> keys = new ArrayList<>();
        for (String key : given.keySet()) {
            if (!options.digests() || !key.startsWith(WriteOptions.DIGEST_KEY)) {
                keys.add(key);
            }
        }
        if (options.digests()) {
            for (TensorSpec item : items) {
                keys.add(WriteOptions.DIGEST_KEY + item.name());
            }
        }
        if (keys.isEmpty()) {
            return false;
        }
        keys.sort(JsonBytes.BY_CODE_POINT);
        json.quoted(METADATA).raw(":");
        String separator = "{";
        for (String key : keys) {
            json.raw(separator).quoted(key).raw(":");
            if (options.digests() && key.startsWith(WriteOptions.DIGEST_KEY)) {
                digestOffsets.put(key.substring(WriteOptions.DIGEST_KEY.length()), json.length() + 1);
                json.quoted(NO_DIGEST);
            } else {
                json.quoted(given.getOrDefault(key, ""));
            }
            separator = ",";
        }
        json.raw("}");
        return true;
    }

    /// Offsets follow from the order: each tensor begins where the one before it ends.
    private static void tensors(JsonBytes json, List<TensorSpec> items, boolean atStart) {
        boolean first = atStart;
        long begin = 0;
        for (TensorSpec item : items) {
            long end = Math.addExact(begin, item.byteSize());
            json.raw(first ? "" : ",").quoted(item.name()).raw(":{\"dtype\":\"").raw(item.dtype().name())
                    .raw("\",\"shape\":").raw(item.shape().toString()).raw(",\"data_offsets\":[").number(begin).raw(",")
                    .number(end).raw("]}");
            begin = end;
            first = false;
        }
    }

    /// Spaces behind the object, as the reference pads, up to where data may begin.
    private static void pad(JsonBytes json, int alignment) {
        int over = (LENGTH_FIELD + json.length()) % alignment;
        if (over != 0) {
            json.raw(" ".repeat(alignment - over));
        }
    }
}
