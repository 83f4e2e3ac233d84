package io.fastsafetensors.core.header;

import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.io.Reader;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.function.IntConsumer;

/// The characters of one section of a file, strictly decoded as they are asked for: what is not UTF-8 is refused with
/// the given error, and a file that ends early is a [StorageException]. Both are thrown as they are, so that they
/// pass through the JSON parser. Closing does nothing: the file is the caller's.
///
/// Only as much is in memory as one read of the storage, 64 KiB: a header of 100 MB passes through. Not thread-safe.
///
/// Overlong forms, surrogates and code points past U+10FFFF are errors, as the JDK's decoder has it with `REPORT`.
final class Utf8Section extends Reader {
    /// Bytes that are decoded at a time.
    private static final int BUFFER = 64 * 1024;

    private IntConsumer told;
    private final FileBytes file;
    private final FormatError notUtf8;
    private final long end;
    private final ByteBuffer bytes;
    private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT);
    /// The offset in the file of the next byte that is read into the buffer.
    private long position;
    /// Whether a backslash was among the bytes so far.
    private boolean escapes;

    /// The bytes [begin, end) of `file`.
    Utf8Section(FileBytes file, long begin, long end, FormatError notUtf8) {
        this(file, begin, end, notUtf8, _ -> {
        });
    }

    /// The bytes [begin, end) of `file`.
    ///
    /// @param told how many characters were read, each time
    Utf8Section(FileBytes file, long begin, long end, FormatError notUtf8, IntConsumer told) {
        this.told = told;
        this.file = file;
        this.notUtf8 = notUtf8;
        this.position = begin;
        this.end = end;
        this.bytes = ByteBuffer.allocate((int) Math.min(BUFFER, end - begin)).limit(0);
    }

    /// Room for two characters at least must be given, since some come in pairs.
    @Override
    public int read(char[] target, int offset, int length) {
        Objects.checkIndex(1, length);
        CharBuffer out = CharBuffer.wrap(target, offset, length);
        while (true) {
            CoderResult result = decoder.decode(bytes, out, position == end);
            if (result.isError()) {
                throw new FormatException(notUtf8, "the text is not UTF-8",
                        where().withOffset(position - bytes.remaining()));
            }
            if (out.position() > offset) {
                told.accept(out.position() - offset);
                return out.position() - offset;
            }
            if (position == end) {
                return -1;
            }
            fill();
        }
    }

    /// Decodes what is left, for its errors only. After an error of the JSON, for the error that the reference would
    /// have found first.
    void drain() {
        told = _ -> {
        };
        char[] ignored = new char[8 * 1024];
        while (read(ignored, 0, ignored.length) >= 0) {
            // Reading is all.
        }
    }

    private Where where() {
        return file.location().where();
    }

    /// Reads the next bytes behind those that are left, which are the beginning of a character at most.
    ///
    /// A backslash is looked for here because a check of each string for surrogate halves is expensive and hardly any
    /// header has an escape.
    private void fill() {
        bytes.compact();
        bytes.limit((int) Math.min(bytes.capacity(), bytes.position() + end - position));
        int count = file.read(position, bytes.array(), bytes.position(), bytes.remaining());
        if (count == 0 && bytes.hasRemaining()) {
            throw new StorageException("the file became shorter while its header was read; is it being written?",
                    where().withOffset(position));
        }
        bytes.position(bytes.position() + count);
        position += count;
        // One call of what the JDK has compiled long before: a loop of our own would be the slowest part of a
        // process's first headers.
        escapes |= new String(bytes.array(), bytes.position() - count, count, StandardCharsets.ISO_8859_1)
                .indexOf('\\') >= 0;
        bytes.flip();
    }

    /// Whether anything read so far can be an escape of JSON: has a backslash.
    boolean hasEscapes() {
        return escapes;
    }

    @Override
    public void close() {
    }
}
