package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.OpaqueType;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Dtypes of other projects: refused, or in lenient mode opaque bytes whose range counts.
class OpaqueTensorTest {
    @TempDir
    Path directory;

    private Path write(String header, int dataBytes) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, json.length).array());
        bytes.write(json);
        for (int i = 0; i < dataBytes; i++) {
            bytes.write(i);
        }
        return Files.write(directory.resolve("model.safetensors"), bytes.toByteArray());
    }

    /// As Jlama writes it: 4 bits to an element, the scales in a tensor of their own.
    private Path jlama() throws IOException {
        return write("{" + SafetensorsFixture.entry("w", "Q4", "[4,8]", 0, 16) + ","
                + SafetensorsFixture.entry("w.qb", "F32", "[4,1]", 16, 32) + "}", 32);
    }

    @Test
    void an_unknown_dtype_is_refused_and_the_way_out_is_named() throws IOException {
        Path file = jlama();
        FormatException e = assertThrows(FormatException.class, () -> Safetensors.open(file));
        assertEquals("InvalidHeaderDeserialization", e.errorName());
        assertTrue(e.getMessage().contains("unknown dtype \"Q4\"; the lenient option keeps its bytes"), e.getMessage());
    }

    @Test
    void lenient_mode_keeps_the_bytes_and_what_the_header_says() throws IOException {
        Path file = jlama();
        Checkpoint open = Safetensors.open(file, OpenOptions.lenientMode());
        assertEquals(Map.of("w", new OpaqueType("Q4", Shape.of(4, 8))), open.opaque());
        assertEquals(DType.U8, open.info("w").dtype());
        assertEquals(Shape.of(16), open.info("w").shape());
        assertEquals("UnknownDType", open.notes().getFirst().errorName());
        assertTrue(open.notes().getFirst().text().contains("1 tensor is opaque bytes"), open.notes().toString());
        byte[] expected = new byte[16];
        for (int i = 0; i < 16; i++) {
            expected[i] = (byte) i;
        }
        try (Tensor w = open.read("w")) {
            assertArrayEquals(expected, w.toByteArray());
        }
        try (Loader loader = Loader.builder().open(OpenOptions.lenientMode()).dtype(DType.BF16).build()) {
            try (Weights weights = loader.load(file)) {
                assertEquals(DType.U8, weights.get("w").dtype());
                assertEquals(DType.BF16, weights.get("w.qb").dtype());
            }
            Path copy = directory.resolve("copy.safetensors");
            UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                    () -> loader.rewrite(file, copy, WriteOptions.defaults()));
            assertTrue(e.getMessage().contains("Q4"), e.getMessage());
        }
        try (Loader loader = Loader.builder().open(OpenOptions.lenientMode()).select(Selection.names("w.qb")).build()) {
            Path copy = directory.resolve("copy.safetensors");
            loader.rewrite(file, copy, WriteOptions.defaults());
            assertEquals(1, Safetensors.open(copy).tensors().size());
        }
        assertEquals("UnknownDType", assertThrows(FormatException.class,
                () -> Safetensors.open(file, OpenOptions.lenientMode().withStrict(true))).errorName());
    }

    @Test
    void ranges_of_opaque_tensors_obey_the_format() throws IOException {
        assertEquals("InvalidOffset", error("{" + SafetensorsFixture.entry("w", "Q4", "[4,8]", 4, 16) + "}", 16));
        assertEquals("InvalidOffset", error("{" + SafetensorsFixture.entry("w", "Q4", "[4,8]", 16, 0) + "}", 16));
        assertEquals("MetadataIncompleteBuffer",
                error("{" + SafetensorsFixture.entry("w", "Q4", "[4,8]", 0, 17) + "}", 16));
        assertEquals("InvalidHeaderDeserialization",
                error("{" + SafetensorsFixture.entry("w", "Q4", "[18446744073709551615]", 0, 16) + "}", 16));
        assertEquals("InvalidHeaderDeserialization",
                error("{\"w\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,16]}}", 16));
    }

    private String error(String header, int dataBytes) throws IOException {
        Path file = write(header, dataBytes);
        return assertThrows(FormatException.class, () -> Safetensors.open(file, OpenOptions.lenientMode())).errorName();
    }
}
