package io.fastsafetensors.core.header;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// Makes safetensors files, good and bad, out of a header's text.
final class TestFile {
    private TestFile() {
    }

    /// A file of this header and `dataBytes` zeros.
    static byte[] of(String header, int dataBytes) {
        return of(header.getBytes(StandardCharsets.UTF_8), dataBytes);
    }

    /// A file of these header bytes and `dataBytes` zeros.
    static byte[] of(byte[] header, int dataBytes) {
        return raw(header.length, header, dataBytes);
    }

    /// A file that claims a header of `length` bytes.
    static byte[] raw(long length, byte[] header, int dataBytes) {
        return ByteBuffer.allocate(8 + header.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN).putLong(length)
                .put(header).array();
    }

    /// A header's entry, with its name and without a comma.
    static String entry(String name, String dtype, String shape, String begin, String end) {
        return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":[" + begin + ","
                + end + "]}";
    }

    /// As above, with offsets of this machine's kind.
    static String entry(String name, String dtype, String shape, long begin, long end) {
        return entry(name, dtype, shape, Long.toString(begin), Long.toString(end));
    }

    /// A header with these entries.
    static String header(String... entries) {
        return "{" + String.join(",", entries) + "}";
    }

    static Path write(Path file, byte[] bytes) {
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            return Files.write(file, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Path write(Path file, String text) {
        return write(file, text.getBytes(StandardCharsets.UTF_8));
    }
}
