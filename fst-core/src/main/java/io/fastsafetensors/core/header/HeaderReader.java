package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import tools.jackson.core.JacksonException;

/// Reads and validates the header of one file: the reference implementation's verdicts in its order of checks, and
/// where fst is stricter. Time and memory grow with the header alone, whatever it claims.
public final class HeaderReader {
    private static final int LENGTH_BYTES = 8;

    private HeaderReader() {
    }

    /// Reads the header; no data is read. Thread-safe.
    ///
    /// @throws FormatException if the file breaks the format, or its header takes more heap than there is
    /// @throws StorageException if it cannot be read, or shrinks meanwhile
    public static FileHeader read(FileBytes file, OpenOptions options) {
        return read(file, options, new HeapGuard(file.location()));
    }

    static FileHeader read(FileBytes file, OpenOptions options, HeapGuard guard) {
        Location location = file.location();
        long fileLength = file.length();
        long headerLength = headerLength(file, options.maxHeaderBytes());
        long dataStart = LENGTH_BYTES + headerLength;
        HeaderParser.Result parsed = parse(file, dataStart, guard);
        if (parsed.duplicate() != null) {
            throw new FormatException(FormatError.DUPLICATE_TENSOR_NAME,
                    "one name for two tensors, where other readers silently take the last",
                    location.where().withTensor(parsed.duplicate()));
        }
        List<TensorInfo> tensors = new RangeCheck(location, dataStart, fileLength - dataStart).check(parsed.tensors(),
                options.lenient());
        return new FileHeader(location, fileLength, dataStart, tensors, parsed.metadata());
    }

    // What comes back is compared with the cap and the file's length: the rest may rely on it.
    private static long headerLength(FileBytes file, long cap) {
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
        if (Long.compareUnsigned(length, cap) > 0) {
            throw new FormatException(FormatError.HEADER_TOO_LARGE, "a header of " + Long.toUnsignedString(length)
                    + " bytes, the cap is " + cap + "; the lenient option raises it", where);
        }
        if (length > fileLength - LENGTH_BYTES) {
            throw new FormatException(FormatError.INVALID_HEADER_LENGTH, "a header of " + length
                    + " bytes in a file of " + fileLength + ": it is cut off or no safetensors file", where);
        }
        return length;
    }

    private static HeaderParser.Result parse(FileBytes file, long end, HeapGuard guard) {
        Utf8Section text = new Utf8Section(file, LENGTH_BYTES, end, FormatError.INVALID_HEADER, guard::read);
        try (JsonCursor json = new JsonCursor(text, text::hasEscapes)) {
            return HeaderParser.parse(json, end - LENGTH_BYTES, guard);
        } catch (JacksonException e) {
            // The reference looks for UTF-8 errors before it looks at the JSON.
            text.drain();
            throw new FormatException(FormatError.INVALID_HEADER_DESERIALIZATION,
                    "the header is not as it must be: " + JsonCursor.describe(e), file.location().where());
        }
    }
}
