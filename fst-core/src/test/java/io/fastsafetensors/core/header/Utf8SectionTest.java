package io.fastsafetensors.core.header;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.core.storage.TestSources;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.StorageFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Utf8SectionTest {
    private static final String TEXT = "aé€😀".repeat(20_000);

    @TempDir
    Path directory;

    @Test
    void section_is_decoded_whatever_is_asked_for_at_once() throws IOException {
        byte[] bytes = ("ab" + TEXT + "cd").getBytes(StandardCharsets.UTF_8);
        Path file = TestFile.write(directory.resolve("text"), bytes);
        for (int chunk : new int[] {2, 3, 4000, 1 << 20}) {
            try (StorageFile open = TestSources.open(file)) {
                StringBuilder read = new StringBuilder();
                Utf8Section section =
                        new Utf8Section(new FileBytes(open), 2, bytes.length - 2, FormatError.INVALID_HEADER);
                char[] buffer = new char[chunk];
                for (int count = section.read(buffer, 0, chunk); count >= 0; count = section.read(buffer, 0, chunk)) {
                    read.append(buffer, 0, count);
                }
                assertEquals(TEXT, read.toString());
            }
        }
    }

    @Test
    void offset_of_what_is_not_utf8_is_told() throws IOException {
        byte[] bytes = (TEXT + "!").getBytes(StandardCharsets.UTF_8);
        bytes[bytes.length - 1] = (byte) 0x80;
        Path file = TestFile.write(directory.resolve("text"), bytes);
        try (StorageFile open = TestSources.open(file)) {
            Utf8Section section = new Utf8Section(new FileBytes(open), 0, bytes.length, FormatError.INVALID_INDEX);
            FormatException e = assertThrows(FormatException.class, section::drain);
            assertEquals(FormatError.INVALID_INDEX, e.error());
            assertEquals(bytes.length - 1, e.where().offset());
        }
    }

    @Test
    void file_that_shrinks_is_a_storage_error() throws IOException {
        byte[] bytes = TEXT.getBytes(StandardCharsets.UTF_8);
        Path file = TestFile.write(directory.resolve("text"), bytes);
        try (StorageFile open = TestSources.open(file)) {
            Utf8Section section = new Utf8Section(new FileBytes(open), 0, bytes.length, FormatError.INVALID_HEADER);
            assertEquals(2, section.read(new char[2], 0, 2));
            TestFile.write(file, TEXT.substring(0, 50_000));
            StorageException e = assertThrows(StorageException.class, section::drain);
            assertTrue(e.getMessage().contains("shorter") && e.getMessage().contains(file.toString()), e.getMessage());
        }
    }
}
