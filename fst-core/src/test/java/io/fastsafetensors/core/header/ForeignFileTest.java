package io.fastsafetensors.core.header;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.error.FormatException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Files of other kinds keep their verdict, and are named for what they are.
class ForeignFileTest {
    @TempDir
    Path directory;

    @Test
    void a_pointer_of_git_lfs_is_named() {
        assertKind("HeaderTooLarge", "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0".repeat(64)
                + "\nsize 4976698672\n", "Git LFS pointer", "4976698672", "git lfs pull");
    }

    @Test
    void what_a_server_says_in_place_of_a_file_is_shown() {
        assertKind("HeaderTooLarge", "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>",
                "HTML page (Sign in)", "log in");
        assertKind("HeaderTooLarge", "\n\n <HTML></html>", "HTML page");
        assertKind("HeaderTooLarge", "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>",
                "XML document (AccessDenied)");
        assertKind("HeaderTooLarge", "{\"error\":\"Access to this model is restricted.\"}",
                "JSON ({\"error\":\"Access to this model is restricted.\"})", "accept the terms");
        assertKind("HeaderTooLarge", "\ufeff[{\"a\": 1}]", "JSON");
        assertKind("HeaderTooLarge", "{\"metadata\": {}, \"weight_map\": {}}", "index", ".safetensors.index.json");
        assertKind("HeaderTooLarge", "Entry not found", "plain text (Entry not found)");
        assertKind("HeaderTooLarge", "Zugriff verweigert: ü".repeat(300), "plain text");
        assertKind("HeaderTooSmall", "404\n", "plain text (404)");
    }

    @Test
    void pickles_and_archives_are_named_with_what_converts_them() throws IOException {
        for (int protocol = 2; protocol <= 5; protocol++) {
            byte[] pickle = {(byte) 0x80, (byte) protocol, '}', 'q', 0, '(', 'X', 6, 0, 0, 0, 'w'};
            assertKind("HeaderTooLarge", Arrays.copyOf(pickle, 80), "Python pickle", "save_file");
        }
        byte[] framed = {(byte) 0x80, 4, (byte) 0x95, 5, 0, 0, 0, 0, 0, 0, 0, '}'};
        assertKind("InvalidHeaderLength", framed, "Python pickle");
        assertKind("HeaderTooLarge", zip("archive/data.pkl"), "zip file of PyTorch", "save_file");
        assertKind("HeaderTooLarge", zip("weight.npy"), "NumPy arrays (.npz)");
        assertKind("HeaderTooLarge", zip("readme.txt"), "zip file");
        ByteArrayOutputStream gzip = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(gzip)) {
            out.write(new byte[100]);
        }
        // The time in its header is zero, so it begins with a plausible length.
        assertKind("InvalidHeaderLength", gzip.toByteArray(), "compressed (gzip)", "unpack");
        assertKind("InvalidHeader", Arrays.copyOf(gzip.toByteArray(), 600_000), "compressed (gzip)");
    }

    @Test
    void other_formats_are_named() {
        assertKind("HeaderTooLarge", ByteBuffer.allocate(120).put("GGUF\3".getBytes(StandardCharsets.US_ASCII)).put(8,
                (byte) 1).array(), "GGUF", "llama.cpp");
        assertKind("HeaderTooLarge", bytes(0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0, 0), "HDF5");
        assertKind("HeaderTooLarge", bytes(0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 'v', 0), "NumPy array (.npy)");
        assertKind("HeaderTooLarge", bytes(0, 5, 0x16, 7, 0, 2, 0, 0, 'M', 'a', 'c'), "AppleDouble");
    }

    @Test
    void sidecars_are_known_by_their_names() {
        for (String name : new String[] {"._m.safetensors", "m.safetensors.lock", "m.safetensors.metadata",
            "m.safetensors.incomplete"}) {
            Path file = TestFile.write(directory.resolve(name), "x");
            String message = refusal(file, OpenOptions.defaults()).getMessage();
            assertTrue(message.contains("sidecar") || message.contains("download that did not end"), message);
        }
    }

    @Test
    void what_was_never_written_and_what_was_cut_off_say_so() {
        assertKind("HeaderTooSmall", new byte[0], "empty");
        assertKind("InvalidHeaderDeserialization", new byte[4096], "begins with zeros");
        byte[] whole = TestFile.of(TestFile.header(TestFile.entry("a", "U8", "[64]", 0, 64)), 64);
        assertKind("InvalidHeaderLength", Arrays.copyOf(whole, 40), "truncated download");
        assertKind("MetadataIncompleteBuffer", Arrays.copyOf(whole, whole.length - 10), "download or copy it again");
    }

    @Test
    void a_broken_header_is_no_other_kind_of_file() {
        // The length reads like the beginning of a pickle.
        String padded = "{" + " ".repeat(0x0280 - 2) + "]";
        Path file = TestFile.write(directory.resolve("x"), TestFile.of(padded, 0));
        assertEquals(0x280, padded.length());
        assertFalse(refusal(file, OpenOptions.defaults()).getMessage().contains("pickle"));
    }

    @Test
    void lenient_mode_is_advised_only_where_it_helps() {
        byte[] random = bytes(0xc3, 0x28, 0xa0, 0xff, 0xfe, 0x81, 0x7f, 0x12, 0xff, 0xff);
        Path file = TestFile.write(directory.resolve("x"), random);
        for (OpenOptions options : new OpenOptions[] {OpenOptions.defaults(), OpenOptions.lenientMode()}) {
            String message = refusal(file, options).getMessage();
            assertFalse(message.contains("lenient"), message);
        }
        Path large = TestFile.write(directory.resolve("y"), TestFile.of("{" + " ".repeat(200), 10));
        String message = refusal(large, OpenOptions.defaults().withMaxHeaderBytes(100)).getMessage();
        assertTrue(message.contains("the lenient option raises it"), message);
    }

    private static byte[] bytes(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }

    private static byte[] zip(String entry) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream out = new ZipOutputStream(bytes)) {
            out.putNextEntry(new ZipEntry(entry));
            out.write(1);
        }
        return bytes.toByteArray();
    }

    private void assertKind(String error, String text, String... parts) {
        assertKind(error, text.getBytes(StandardCharsets.UTF_8), parts);
    }

    private void assertKind(String error, byte[] bytes, String... parts) {
        Path file = TestFile.write(directory.resolve("m.safetensors"), bytes);
        FormatException e = refusal(file, OpenOptions.defaults());
        assertEquals(error, e.errorName(), e.getMessage());
        for (String part : parts) {
            assertTrue(e.getMessage().contains(part), e.getMessage());
        }
        assertTrue(e.getMessage().contains(file.toString()), e.getMessage());
        FormatException lenient = refusal(file, OpenOptions.lenientMode());
        assertTrue(lenient.getMessage().contains(parts[0]), lenient.getMessage());
    }

    private static FormatException refusal(Path file, OpenOptions options) {
        return assertThrows(FormatException.class, () -> Opened.header(file, options));
    }
}
