package io.fastsafetensors.core.header;

import static io.fastsafetensors.core.header.TestFile.entry;
import static io.fastsafetensors.core.header.TestFile.header;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The contents of headers, beside their verdicts.
class HeaderReaderTest {
    @TempDir
    Path directory;

    @Test
    void tensors_come_by_offset_with_their_places() {
        String text =
                header("\"__metadata__\":{\"b\":\"1\",\"a\":\"2\",\"b\":\"3\"}", entry("y", "F32", "[2,1]", 4, 12),
                        entry("x\\u0000\\ud83d\\ude00", "U8", "[4]", 0, 4), entry("e", "F64", "[0,3]", 12, 12));
        Path file = write(text, 12);
        FileHeader read = Opened.header(file, OpenOptions.defaults());
        long start = 8 + text.length();
        assertEquals(List.of(new TensorInfo("x\0😀", DType.U8, Shape.of(4), Location.of(file), start, 4),
                new TensorInfo("y", DType.F32, Shape.of(2, 1), Location.of(file), start + 4, 8),
                new TensorInfo("e", DType.F64, Shape.of(0, 3), Location.of(file), start + 12, 0)), read.tensors());
        assertEquals(new FileHeader(Location.of(file), start + 12, start, read.tensors(), Map.of("b", "3", "a", "2")),
                read);
        assertEquals(List.of("b", "a"), List.copyOf(read.metadata().keySet()));
        assertThrows(UnsupportedOperationException.class, () -> read.tensors().clear());
        assertThrows(UnsupportedOperationException.class, () -> read.metadata().clear());
    }

    @Test
    void empty_tensor_comes_before_its_neighbour() {
        Path file = write(header(entry("a", "U8", "[4]", 0, 4), entry("z", "U8", "[0]", 0, 0)), 4);
        List<TensorInfo> tensors = Opened.header(file, OpenOptions.defaults()).tensors();
        assertEquals(List.of("z", "a"), tensors.stream().map(TensorInfo::name).toList());
    }

    @Test
    void lenient_mode_takes_trailing_bytes_and_nothing_else() {
        String text = header(entry("a", "F4", "[2]", 0, 1));
        OpenOptions lenient = OpenOptions.lenientMode();
        assertEquals(1, Opened.header(write(text, 64), lenient).tensors().size());
        assertEquals(0, Opened.header(write("{}", 1), lenient).tensors().size());
        assertError(FormatError.METADATA_INCOMPLETE_BUFFER, write(text, 0), lenient);
        assertError(FormatError.INVALID_OFFSET, write(header(entry("a", "U8", "[1]", 1, 2)), 2), lenient);
        assertError(FormatError.DUPLICATE_TENSOR_NAME,
                write(header(entry("a", "U8", "[1]", 0, 1), entry("a", "U8", "[1]", 0, 1)), 1), lenient);
        assertError(FormatError.INVALID_HEADER_DESERIALIZATION, write("{\"a\":[\"U8\",[1],[0,1]]}", 1), lenient);
        assertError(FormatError.UNSUPPORTED_SHAPE,
                write(header(entry("a", "U8", "[0,9223372036854775808]", 0, 0)), 0), lenient);
    }

    @Test
    void cap_of_the_options_counts() throws IOException {
        Path file = write(" ".repeat(98) + "{}", 0);
        assertEquals(0, Opened.header(file, OpenOptions.defaults().withMaxHeaderBytes(100)).tensors().size());
        assertError(FormatError.HEADER_TOO_LARGE, file, OpenOptions.defaults().withMaxHeaderBytes(99));
        Path claim = TestFile.write(directory.resolve("claim"), TestFile.raw(100_000_001, new byte[8], 0));
        assertError(FormatError.HEADER_TOO_LARGE, claim, OpenOptions.defaults());
        assertError(FormatError.INVALID_HEADER_LENGTH, claim, OpenOptions.lenientMode());
    }

    @Test
    void header_over_the_formats_cap_is_read_in_lenient_mode() throws IOException {
        Path file = directory.resolve("large");
        int length = 100_000_008;
        // White space up to the end, written in pieces.
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE,
                StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(TestFile.raw(length, "{}".getBytes(), 0)));
            byte[] spaces = " ".repeat(length / 8).getBytes();
            for (long end = 10; end < length + 8L; end = channel.position()) {
                channel.write(ByteBuffer.wrap(spaces, 0, (int) Math.min(spaces.length, length + 8L - end)));
            }
        }
        assertError(FormatError.HEADER_TOO_LARGE, file, OpenOptions.defaults());
        assertEquals(length + 8L, Opened.header(file, OpenOptions.lenientMode()).dataStart());
        Files.delete(file);
    }

    @Test
    void messages_name_file_tensor_and_way_out() {
        Path cut = write(header(entry("a\\u001b[2J", "U8", "[4]", 0, 4)), 3);
        assertMessage(cut, "cut off", "copy it again", cut.toString());
        Path hole = write(header(entry("a\\u001b[2J", "U8", "[4]", 4, 8)), 8);
        assertMessage(hole, "tensor a\\u001b[2J", "[4,8]", "without holes", hole.toString());
        Path trailing = write(header(entry("a", "U8", "[4]", 0, 4)), 9);
        assertMessage(trailing, "5 bytes follow", "lenient");
        Path json = write("{\n \"a\":{\"dtype\":\"\\u001bX\"}}", 0);
        assertMessage(json, "unknown dtype \"\\u001bX\"", "line 2", "column");
        assertMessage(write("{\"a\":", 0), "ends too early");
        assertMessage(write("{\"a\":" + "[".repeat(300), 0), "not an object");
        assertMessage(write("{\"a\":{\"x\":" + "[".repeat(300), 0), "nested deeper than 127");
    }

    @Test
    void errors_are_serialisable() throws IOException {
        Path file = write("{]", 0);
        FormatException e = assertThrows(FormatException.class, () -> Opened.header(file, OpenOptions.defaults()));
        try (ObjectOutputStream out = new ObjectOutputStream(OutputStream.nullOutputStream())) {
            out.writeObject(e);
        }
        assertEquals(file.toString(), e.where().file());
    }

    @Test
    void what_is_no_regular_file_is_a_storage_error() throws IOException {
        assertStorageError(directory, "not a regular file");
        assertStorageError(directory.resolve("missing"), "no such file");
        assertStorageError(Files.createSymbolicLink(directory.resolve("dangling"), Path.of("nowhere")), "no such file");
        Path fifo = directory.resolve("fifo");
        try (Arena arena = Arena.ofConfined()) {
            // int mkfifo(const char *pathname, mode_t mode)
            assertEquals(0, NativeLibrary.standard().words("mkfifo")
                    .call(arena.allocateFrom(fifo.toString()).address(), 0600));
        }
        assertStorageError(fifo, "not a regular file");
    }

    @Test
    void links_are_followed() throws IOException {
        Path file = write("{}", 0);
        Path link = Files.createSymbolicLink(directory.resolve("link"), file.getFileName());
        assertEquals(Location.of(link), Opened.header(link, OpenOptions.defaults()).location());
    }

    private Path write(String header, int dataBytes) {
        return TestFile.write(directory.resolve("file.safetensors"), TestFile.of(header, dataBytes));
    }

    private static void assertError(FormatError error, Path file, OpenOptions options) {
        FormatException e = assertThrows(FormatException.class, () -> Opened.header(file, options));
        assertEquals(error, e.error(), e.getMessage());
    }

    private static void assertMessage(Path file, String... parts) {
        FormatException e = assertThrows(FormatException.class, () -> Opened.header(file, OpenOptions.defaults()));
        for (String part : parts) {
            assertTrue(e.getMessage().contains(part), e.getMessage());
        }
    }

    private static void assertStorageError(Path file, String part) {
        StorageException e = assertThrows(StorageException.class, () -> Opened.header(file, OpenOptions.defaults()));
        assertTrue(e.getMessage().contains(part) && e.getMessage().contains("file " + file),
                e.getMessage());
    }
}
