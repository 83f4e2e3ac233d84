package io.fastsafetensors.core.header;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.storage.TestSources;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Headers that take more heap than there is are refused by name.
class HeapGuardTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path directory;

    private Path write(String header, int data) throws IOException {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer file = ByteBuffer.allocate(8 + text.length + data).order(ByteOrder.LITTLE_ENDIAN);
        file.putLong(text.length).put(text);
        return Files.write(directory.resolve("model.safetensors"), file.array());
    }

    private static FileHeader read(Path file, long heap) {
        return TestSources.reading(file, open -> HeaderReader.read(open, OpenOptions.strict(),
                new HeapGuard(open.location(), () -> heap)));
    }

    private static void assertRefused(Path file, long heap) {
        FormatException e = assertThrows(FormatException.class, () -> read(file, heap));
        assertEquals(FormatError.HEADER_TOO_LARGE, e.error());
        assertTrue(e.getMessage().contains("-Xmx"), e.getMessage());
    }

    @Test
    void one_long_value() throws IOException {
        Path file = write("{\"__metadata__\":{\"k\":\"" + "x".repeat((int) (20 * MIB)) + "\"}}", 0);
        assertRefused(file, 64 * MIB);
        assertEquals(20 * MIB, read(file, 512 * MIB).metadata().getOrDefault("k", "").length());
    }

    @Test
    void a_shape_of_millions_of_dimensions() throws IOException {
        Path file = write("{\"a\":{\"dtype\":\"U8\",\"shape\":[" + "1,".repeat((int) (4 * MIB))
                + "1],\"data_offsets\":[0,1]}}", 1);
        assertRefused(file, 64 * MIB);
        assertEquals(4 * MIB + 1, read(file, 512 * MIB).tensors().getFirst().shape().rank());
    }

    @Test
    void hundreds_of_thousands_of_keys() throws IOException {
        StringBuilder keys = new StringBuilder("{\"__metadata__\":{");
        for (int i = 0; i < 500_000; i++) {
            keys.append(i == 0 ? "" : ",").append('"').append(i).append("\":\"\"");
        }
        Path file = write(keys.append("}}").toString(), 0);
        assertRefused(file, 32 * MIB);
        assertEquals(500_000, read(file, 512 * MIB).metadata().size());
    }

    @Test
    void the_header_of_a_large_model_is_read_in_a_small_heap() throws IOException {
        StringBuilder entries = new StringBuilder("{");
        for (int i = 0; i < 100_000; i++) {
            entries.append(i == 0 ? "" : ",").append("\"model.layers.").append(i)
                    .append(".weight\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[").append(i).append(',')
                    .append(i + 1).append("]}");
        }
        Path file = write(entries.append('}').toString(), 100_000);
        assertEquals(100_000, read(file, 64 * MIB).tensors().size());
    }
}
