package io.fastsafetensors.core.write;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The reference implementation's serializer tests, and a file that its release 0.8.0 wrote: the same bytes.
class ReferenceBytesTest {
    private static final byte[] SIX_FLOATS = floats(0, 1, 2, 3, 4, 5);

    @TempDir
    private Path directory;

    @Test
    void one_tensor() throws Exception {
        assertBytes("{\"attn.0\":{\"dtype\":\"F32\",\"shape\":[1,2,3],\"data_offsets\":[0,24]}}", SIX_FLOATS, Map.of(),
                Sources.of("attn.0", DType.F32, SIX_FLOATS, 1, 2, 3));
    }

    @Test
    void a_header_that_needs_padding() throws Exception {
        assertBytes("{\"attn0\":{\"dtype\":\"F32\",\"shape\":[1,1,2,3],\"data_offsets\":[0,24]}}       ", SIX_FLOATS,
                Map.of(), Sources.of("attn0", DType.F32, SIX_FLOATS, 1, 1, 2, 3));
    }

    @Test
    void four_bit_floats() throws Exception {
        assertBytes("{\"attn.0\":{\"dtype\":\"F4\",\"shape\":[1,2],\"data_offsets\":[0,1]}}    ", new byte[1], Map.of(),
                Sources.of("attn.0", DType.F4, new byte[1], 1, 2));
    }

    @Test
    void a_file_without_tensors_is_written() throws Exception {
        assertBytes("{}      ", new byte[0], Map.of());
    }

    @Test
    void a_file_with_metadata_and_no_tensors_has_the_bytes_of_the_reference() throws Exception {
        assertBytes("{\"__metadata__\":{\"framework\":\"pt\"}}     ", new byte[0], Map.of("framework", "pt"));
    }

    @Test
    void order_and_escapes() throws Exception {
        String header = ("{'__metadata__':{'k\\u001f':'v\\b\\f\\r\\t<\u2028'},"
                + "'c':{'dtype':'F64','shape':[],'data_offsets':[0,8]},"
                + "'a\\u0001\u007f\\'\\\\/\u00e9\ud83d\ude00\\n':{'dtype':'I32','shape':[2,2],'data_offsets':[8,24]},"
                + "'\uffee':{'dtype':'I32','shape':[0],'data_offsets':[24,24]},"
                + "'\ud83d\ude00':{'dtype':'I32','shape':[1],'data_offsets':[24,28]},"
                + "'z':{'dtype':'BF16','shape':[1],'data_offsets':[28,30]},"
                + "'y':{'dtype':'F16','shape':[1],'data_offsets':[30,32]},"
                + "'':{'dtype':'U8','shape':[3],'data_offsets':[32,35]},"
                + "'b':{'dtype':'BOOL','shape':[1],'data_offsets':[35,36]}}     ").replace('\'', '"');
        byte[] data =
                {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 0, 1, 0,
                    1, 0, 1, 2, 0};
        assertBytes(header, data, Map.of("k\u001f", "v\b\f\r\t<\u2028"), Sources.counting("b", DType.BOOL, 1),
                Sources.counting("", DType.U8, 3), Sources.counting("\ud83d\ude00", DType.I32, 1),
                Sources.counting("y", DType.F16, 1),
                Sources.counting("a\u0001\u007f\"\\/\u00e9\ud83d\ude00\n", DType.I32, 2, 2),
                Sources.counting("z", DType.BF16, 1), Sources.counting("c", DType.F64),
                Sources.counting("\uffee", DType.I32, 0));
    }

    private void assertBytes(String header, byte[] data, Map<String, String> metadata, TensorSource... tensors)
            throws Exception {
        Path file = directory.resolve("x.safetensors");
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream expected = new ByteArrayOutputStream();
        expected.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(text.length).array());
        expected.write(text);
        expected.write(data);

        List<Path> written = CheckpointWriter.write(file, List.of(tensors),
                WriteOptions.defaults().withMetadata(metadata));

        assertEquals(List.of(file), written);
        assertEquals(header, Sources.header(file));
        assertArrayEquals(expected.toByteArray(), Files.readAllBytes(file));
    }

    private static byte[] floats(float... values) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            bytes.putFloat(value);
        }
        return bytes.array();
    }
}
