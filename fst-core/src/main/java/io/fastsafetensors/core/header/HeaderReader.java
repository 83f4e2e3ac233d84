package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.core.JacksonException;

/// Reads and validates the header of one file: the reference implementation's verdicts in its order of checks, and
/// where fst is stricter. Time and memory grow with the header alone, whatever it claims.
public final class HeaderReader {
    private static final int LENGTH_BYTES = 8;

    private HeaderReader() {
    }

    /// Reads the header; no data is read and nothing stays open. Thread-safe.
    ///
    /// @throws FormatException if the file breaks the format, or its header takes more heap than there is
    /// @throws StorageException if it cannot be read, is not a regular file, or shrinks meanwhile
    public static FileHeader read(Path file, OpenOptions options) {
        return read(file, options, new HeapGuard(file));
    }

    static FileHeader read(Path file, OpenOptions options, HeapGuard guard) {
        try (FileChannel channel = RegularFile.open(file)) {
            long fileLength = channel.size();
            long headerLength = headerLength(channel, file, fileLength, options.maxHeaderBytes());
            long dataStart = LENGTH_BYTES + headerLength;
            HeaderParser.Result parsed = parse(channel, file, dataStart, guard);
            if (parsed.duplicate() != null) {
                throw new FormatException(FormatError.DUPLICATE_TENSOR_NAME,
                        "one name for two tensors, where other readers silently take the last",
                        Where.file(file).withTensor(parsed.duplicate()));
            }
            List<TensorInfo> tensors = new RangeCheck(file, dataStart, fileLength - dataStart).check(parsed.tensors(),
                    options.lenient());
            return new FileHeader(file, fileLength, dataStart, tensors, parsed.metadata());
        } catch (IOException e) {
            throw new StorageException("cannot read the header: " + e.getMessage(), Where.file(file).withOffset(0), e);
        }
    }

    // What comes back is compared with the cap and the file's length: the rest may rely on it.
    private static long headerLength(FileChannel channel, Path file, long fileLength, long cap) throws IOException {
        Where where = Where.file(file).withOffset(0);
        if (fileLength < LENGTH_BYTES) {
            throw new FormatException(FormatError.HEADER_TOO_SMALL,
                    "the file has " + fileLength + " bytes, the header's length alone takes 8", where);
        }
        ByteBuffer bytes = ByteBuffer.allocate(LENGTH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.hasRemaining()) {
            if (channel.read(bytes, bytes.position()) < 0) {
                throw new StorageException("the file became shorter while its header was read; is it being written?",
                        where);
            }
        }
        long length = bytes.getLong(0);
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

    private static HeaderParser.Result parse(FileChannel channel, Path file, long end, HeapGuard guard) {
        Utf8Section text = new Utf8Section(channel, file, LENGTH_BYTES, end, FormatError.INVALID_HEADER, guard::read);
        try (JsonCursor json = new JsonCursor(text, text::hasEscapes)) {
            return HeaderParser.parse(json, end - LENGTH_BYTES, guard);
        } catch (JacksonException e) {
            // The reference looks for UTF-8 errors before it looks at the JSON.
            text.drain();
            throw new FormatException(FormatError.INVALID_HEADER_DESERIALIZATION,
                    "the header is not as it must be: " + JsonCursor.describe(e), Where.file(file));
        }
    }
}
