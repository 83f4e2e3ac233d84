package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpaqueType;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.header.EntryParser.RawTensor;
import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;

/// Reads and validates the header of one file: the reference implementation's verdicts in its order of checks, and
/// where fst is stricter. Time and memory grow with the header alone, whatever it claims.
///
/// The verdict is made first and only then is asked whether the file is of another kind ([ForeignFile]): the error
/// stays the same, its text says what the file is instead.
///
/// In this order: the length field against the file and the cap, UTF-8, JSON, form of the entries, duplicate names,
/// ranges and shapes. A header with several faults gets the verdict that the reference gives, except where fst is
/// stricter.
public final class HeaderReader {
    /// Bytes of the field that a file begins with: the length of its header, unsigned, little-endian.
    private static final int LENGTH_BYTES = 8;
    /// What another kind of file is refused for.
    private static final Set<FormatError> NOT_A_HEADER = EnumSet.of(FormatError.HEADER_TOO_SMALL,
            FormatError.HEADER_TOO_LARGE, FormatError.INVALID_HEADER_LENGTH, FormatError.INVALID_HEADER,
            FormatError.INVALID_HEADER_DESERIALIZATION);

    private HeaderReader() {
    }

    /// Reads the header; no data is read. Thread-safe.
    ///
    /// @throws FormatException if the file breaks the format, or its header takes more heap than there is
    /// @throws StorageException if it cannot be read, or shrinks meanwhile
    /// @param file stays the caller's; read on the calling thread
    public static FileHeader read(FileBytes file, OpenOptions options) {
        try {
            return read(file, options, new HeapGuard(file.location()));
        } catch (FormatException e) {
            if (!NOT_A_HEADER.contains(e.error())) {
                throw e;
            }
            Optional<String> instead = ForeignFile.describe(file);
            throw instead.isEmpty() ? e : new FormatException(e.error(), instead.get(), e.where(), e);
        }
    }

    /// As above, without a look at what else the file may be.
    ///
    /// @param guard for this header alone
    static FileHeader read(FileBytes file, OpenOptions options, HeapGuard guard) {
        Location location = file.location();
        long fileLength = file.length();
        long headerLength = headerLength(file, options);
        long dataStart = LENGTH_BYTES + headerLength;
        HeaderParser.Result parsed = parse(file, dataStart, guard, options.lenient());
        if (parsed.duplicate() != null) {
            throw new FormatException(FormatError.DUPLICATE_TENSOR_NAME,
                    "one name for two tensors, where other readers silently take the last",
                    location.where().withTensor(parsed.duplicate()));
        }
        List<TensorInfo> tensors = new RangeCheck(location, dataStart, fileLength - dataStart).check(parsed.tensors(),
                options.lenient());
        return new FileHeader(location, fileLength, dataStart, tensors, parsed.metadata(), parsed.opaque());
    }

    /// What comes back is compared with the cap and the file's length: the rest may rely on it.
    ///
    /// Unsigned, as the format has it: a length over 2^63 is too large and not negative.
    private static long headerLength(FileBytes file, OpenOptions options) {
        Where where = file.location().where().withOffset(0);
        long fileLength = file.length();
        if (fileLength < LENGTH_BYTES) {
            throw new FormatException(FormatError.HEADER_TOO_SMALL,
                    "the file has " + fileLength + " bytes, the header's length alone takes 8", where);
        }
        byte[] bytes = new byte[LENGTH_BYTES];
        for (int at = 0; at < LENGTH_BYTES;) {
            int got = file.read(at, bytes, at, LENGTH_BYTES - at);
            if (got == 0) {
                throw new StorageException("the file became shorter while its header was read; is it being written?",
                        where);
            }
            at += got;
        }
        long length = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        long rest = fileLength - LENGTH_BYTES;
        if (Long.compareUnsigned(length, options.maxHeaderBytes()) > 0) {
            boolean fits = Long.compareUnsigned(length, rest) <= 0;
            throw new FormatException(FormatError.HEADER_TOO_LARGE, "a header of " + Long.toUnsignedString(length)
                    + " bytes, the cap is " + options.maxHeaderBytes() + (!fits
                            ? ", and the file has " + fileLength + " bytes: it is damaged or no safetensors file"
                            : !options.lenient() && length <= OpenOptions.LENIENT_HEADER_CAP
                                    ? "; the lenient option raises it to " + OpenOptions.LENIENT_HEADER_CAP : ""),
                    where);
        }
        if (length > rest) {
            throw new FormatException(FormatError.INVALID_HEADER_LENGTH,
                    "a header of " + length + " bytes in a file of "
                            + fileLength + ": a truncated download, or no safetensors file; get it again",
                    where);
        }
        return length;
    }

    /// Parses the text while it is read: the header is never in memory as a whole.
    ///
    /// @param end the offset of the first byte after the header
    private static HeaderParser.Result parse(FileBytes file, long end, HeapGuard guard, boolean lenient) {
        Utf8Section text = new Utf8Section(file, LENGTH_BYTES, end, FormatError.INVALID_HEADER, guard::read);
        try (JsonCursor json = new JsonCursor(text, text::hasEscapes)) {
            return HeaderParser.parse(json, end - LENGTH_BYTES, guard, lenient);
        } catch (JacksonException e) {
            // The reference looks for UTF-8 errors before it looks at the JSON.
            text.drain();
            throw new FormatException(FormatError.INVALID_HEADER_DESERIALIZATION,
                    "the header is not as it must be: " + JsonCursor.describe(e), file.location().where());
        }
    }

    /// Reads a header's JSON: `__metadata__` and tensors. Whatever has the wrong shape is a complaint of the cursor; a name
    /// that comes twice is only noted, since a complaint further on goes first. Nothing is judged but the form: ranges and
    /// shapes are judged when all of the text was read, because the reference tells of broken JSON first. Not thread-safe;
    /// one for a header.
    ///
    /// The form is the reference implementation's: the `safetensors` crate, whose serde types fix what is an error and
    /// what is passed over.
    private static final class HeaderParser {
        private static final String METADATA = "__metadata__";
        /// A guess of the bytes that an entry takes, low enough for real headers not to need more room.
        private static final int BYTES_PER_ENTRY = 96;
        /// What a tensor takes besides its name, and a key with its value besides their characters.
        private static final int BYTES_PER_TENSOR = 240;
        private static final int BYTES_PER_KEY = 160;

        private final List<RawTensor> tensors = new ArrayList<>();
        /// Sized by a guess from the header's length, so that it is not rehashed while it fills.
        private final Set<String> names;

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
}
