package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

class DiffTest {
    @TempDir
    private Path directory;

    private static TensorSource floats(String name, Shape shape, float... values) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            bytes.putFloat(value);
        }
        return TensorSource.of(name, DType.F32, shape, channel -> channel.write(bytes.duplicate().flip()));
    }

    private static Map<String, String> diff(Path a, Path b) {
        Cli.Result result = Cli.run("diff", "--format", "tsv", a, b);
        assertEquals("name\tdifference", result.lines().getFirst());
        assertEquals(result.rows().isEmpty() ? 0 : 1, result.status());
        assertEquals("", result.err());
        Map<String, String> rows = new TreeMap<>();
        result.rows().forEach(row -> rows.put(row.get(0), row.get(1)));
        return rows;
    }

    @Test
    void every_kind_of_difference_has_its_words() {
        Path a = Cli.writeShards(directory.resolve("a"), 40, Cli.bytes("same", 1, 2), Cli.bytes("gone", 1),
                Cli.bytes("some", 1, 2, 3, 4, 5), Cli.zeros("shape", DType.F32, 2, 3), Cli.zeros("type", DType.I16, 4),
                Cli.zeros("both", DType.I16, 4), floats("value", Shape.of(2, 2), 1, -2, 3, Float.NaN),
                floats("scalar", Shape.of(), 7), floats("nan", Shape.of(2), 1, 1),
                floats("signs", Shape.of(2), 0f, Float.POSITIVE_INFINITY), Cli.zeros("none", DType.F32, 0, 4));
        Path b = Cli.write(directory.resolve("b.safetensors"), Cli.bytes("\tnew", 1), Cli.bytes("same", 1, 2),
                Cli.bytes("some", 1, 9, 3, 4, 9), Cli.zeros("shape", DType.F32, 3, 2), Cli.zeros("type", DType.U16, 4),
                Cli.zeros("both", DType.U8, 2), floats("value", Shape.of(2, 2), 1, -2.5f, 3.25f, Float.NaN),
                floats("scalar", Shape.of(), 8), floats("nan", Shape.of(2), Float.NaN, 1),
                floats("signs", Shape.of(2), -0f, Float.POSITIVE_INFINITY), Cli.zeros("none", DType.F16, 0, 4));
        Map<String, String> expected = new TreeMap<>();
        expected.put("\"gone\"", "only in A");
        expected.put("\"\\u0009new\"", "only in B");
        expected.put("\"some\"", "2 of 5 elements differ");
        expected.put("\"shape\"", "shape [2,3] / [3,2]");
        expected.put("\"type\"", "dtype I16 / U16");
        expected.put("\"both\"", "dtype I16 / U8, shape [4] / [2]");
        expected.put("\"value\"", "2 of 4 elements differ, largest difference 0.5");
        expected.put("\"scalar\"", "1 of 1 elements differ, largest difference 1.0");
        expected.put("\"nan\"", "1 of 2 elements differ, largest difference NaN");
        expected.put("\"signs\"", "1 of 2 elements differ, largest difference 0.0");
        expected.put("\"none\"", "dtype F32 / F16");
        assertEquals(expected, diff(a, b));
        assertEquals(Map.of(), diff(a, a));
    }

    @Test
    void floats_of_two_dtypes_are_compared_by_value() {
        Path a = Cli.write(directory.resolve("a.safetensors"), floats("x", Shape.of(3), 1, 1.00390625f, 2),
                floats("exact", Shape.of(2), 1, 2));
        Path b = directory.resolve("b.safetensors");
        assertEquals(0, Cli.run("convert", a, b, "--dtype", "BF16").status());
        assertEquals(Map.of("\"x\"", "dtype F32 / BF16, 1 of 3 elements differ, largest difference 0.00390625",
                "\"exact\"", "dtype F32 / BF16"), diff(a, b));
    }

    @Test
    void rows_come_in_the_order_of_a_and_text_and_json_say_the_same() {
        Path a = Cli.write(directory.resolve("a.safetensors"), Cli.bytes("z", 1), Cli.zeros("m", DType.F32, 1),
                Cli.bytes("k", 1));
        Path b = Cli.write(directory.resolve("b.safetensors"), Cli.bytes("y", 1), Cli.bytes("k", 1));
        Cli.Result text = Cli.run("diff", a, b);
        assertEquals("3 tensors differ", text.lines().getLast());
        assertEquals(List.of("m", "z", "y"),
                text.lines().subList(1, 4).stream().map(line -> line.split(" ")[0]).toList());
        assertEquals("only in A", JsonMapper.shared().readTree(Cli.run("diff", "--format", "json", a, b).out()).get(0)
                .get("difference").asString());
    }

    @Test
    void more_than_one_load_together() {
        int elements = 3 << 20;
        Path a = Cli.write(directory.resolve("a.safetensors"), Cli.zeros("p", DType.F64, elements),
                Cli.zeros("q", DType.F64, 2, elements / 2), Cli.zeros("r", DType.F64, elements));
        byte[] one = new byte[8 * elements];
        ByteBuffer.wrap(one).order(ByteOrder.LITTLE_ENDIAN).putDouble(8 * (elements - 1), -4);
        Path b = Cli.write(directory.resolve("b.safetensors"), Cli.zeros("p", DType.F64, elements),
                TensorSource.of("q", DType.F64, Shape.of(2, elements / 2), channel -> {
                    ByteBuffer bytes = ByteBuffer.wrap(one);
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                }), Cli.zeros("r", DType.F64, elements));
        assertEquals(Map.of("\"q\"", "1 of " + elements + " elements differ, largest difference 4.0"), diff(a, b));
    }

    @Test
    void what_cannot_be_read_is_one_line() {
        Path a = Cli.write(directory.resolve("a.safetensors"), Cli.bytes("z", 1));
        Cli.Result result = Cli.run("diff", a, directory.resolve("absent"));
        assertEquals(1, result.status());
        assertEquals(1, result.errors().size());
        assertTrue(result.err().contains("absent"), result.err());
    }
}
