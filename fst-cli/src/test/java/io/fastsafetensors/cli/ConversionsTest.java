package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Conversions say what they lose and what they leave.
class ConversionsTest {
    @TempDir
    Path directory;
    private Path model;
    private Path out;

    @BeforeEach
    void write() {
        model = directory.resolve("model.safetensors");
        out = directory.resolve("out.safetensors");
        byte[] ones = new byte[64 * 64];
        Arrays.fill(ones, (byte) 0x38);
        Safetensors.write(model, TensorSource.of("q.weight", DType.F8_E4M3, Shape.of(64, 64), ones),
                TensorSource.of("q.weight_scale_inv", Shape.of(1, 1), new float[] {0.5f}),
                TensorSource.of("norm", Shape.of(3), new float[] {1, 70_000, -1e30f}),
                TensorSource.of("head", Shape.of(2), new float[] {1, 2}),
                TensorSource.of("ids", Shape.of(2), new long[] {1, 2}));
    }

    @Test
    void a_conversion_tells_overflows_and_the_scales_that_it_leaves_behind() {
        Cli.Result result = Cli.run("convert", model, out, "--dtype", "float16");
        assertEquals(0, result.status(), result.err());
        assertTrue(result.err().contains("2 numbers of 1 tensor overflowed: \"norm\" 2"), result.err());
        assertTrue(result.err().contains("1 quantised tensor becomes F16 without its scales"), result.err());
        assertTrue(result.err().contains("\"q.weight\"") && result.err().contains("--dequantize"), result.err());
        assertTrue(result.out().contains("4 converted, 0 kept, 1 as they were"), result.out());
    }

    @Test
    void kept_tensors_stay_as_they_are_and_a_pattern_without_a_match_is_refused() {
        Cli.Result result = Cli.run("convert", model, out, "--dtype", "f16", "--keep", "q.*", "--keep", "norm");
        assertEquals(0, result.status(), result.err());
        assertEquals("", result.err());
        assertTrue(result.out().contains("1 converted, 3 kept, 1 as they were"), result.out());
        Checkpoint copy = Safetensors.open(out);
        assertEquals(DType.F32, copy.info("norm").dtype());
        assertEquals(DType.F8_E4M3, copy.info("q.weight").dtype());
        assertEquals(DType.F16, copy.info("head").dtype());
        Cli.Result wrong = Cli.run("convert", model, out, "--dtype", "f16", "--keep", "nrom");
        assertEquals(1, wrong.status());
        assertTrue(wrong.err().contains("--keep matches none of the 5 tensors"), wrong.err());
    }

    @Test
    void de_quantised_copies_have_no_scales() {
        Cli.Result result = Cli.run("convert", model, out, "--dequantize", "bfloat16");
        assertEquals(0, result.status(), result.err());
        assertEquals("", result.err());
        assertTrue(result.out().contains("1 de-quantised, 0 converted, 0 kept, 3 as they were"), result.out());
        Checkpoint copy = Safetensors.open(out);
        assertEquals(Set.of("q.weight", "norm", "head", "ids"), Set.copyOf(copy.names()));
        assertEquals(DType.BF16, copy.info("q.weight").dtype());
        assertEquals(DType.F32, copy.info("norm").dtype());
        assertEquals(2, Cli.run("convert", model, out, "--dequantize", "f8_e4m3").status());
        assertEquals(2, Cli.run("convert", model, out).status());
    }

    @Test
    void a_load_reports_overflows_and_de_quantises() {
        Cli.Result result = Cli.run("load", model, "--dtype", "f16", "--format", "tsv");
        assertEquals(0, result.status(), result.err());
        assertEquals("2", result.rows().stream().filter(row -> row.get(0).equals("overflows")).findFirst().orElseThrow()
                .get(1));
        assertTrue(result.err().contains("\"norm\" 2") && result.err().contains("left behind"), result.err());
        Cli.Result multiplied = Cli.run("load", model, "--dequantize", "bf16", "--format", "tsv");
        assertEquals(0, multiplied.status(), multiplied.err());
        assertEquals("4",
                multiplied.rows().stream().filter(row -> row.get(0).equals("tensors")).findFirst().orElseThrow()
                        .get(1));
    }

    @Test
    void verify_says_which_digests_it_used() throws IOException {
        String digest = HexFormat.of().formatHex(DigestList.newSha256().digest(Files.readAllBytes(model)));
        Files.writeString(directory.resolve("SHA256SUMS"), digest + "  model.safetensors\n");
        Cli.Result found = Cli.run("verify", "--digests", "--format", "tsv", model);
        assertEquals(List.of("OK"), List.of(found.rows().getFirst().get(1)), found.out() + found.err());
        assertTrue(found.rows().getFirst().get(2).contains("equal to SHA256SUMS of 1 file"), found.out());
        Files.writeString(directory.resolve("SHA256SUMS"), "00".repeat(32) + "  model.safetensors\n");
        Cli.Result damaged = Cli.run("verify", "--digests", "--format", "tsv", model);
        assertEquals("DigestMismatch", damaged.rows().getFirst().get(1), damaged.out());
        assertFalse(damaged.status() == 0);
        assertEquals(1, Cli.run("load", "--check-digests", model).status());
        Files.delete(directory.resolve("SHA256SUMS"));
        assertEquals("NoDigest", Cli.run("verify", "--digests", "--format", "tsv", model).rows().getFirst().get(1));
    }
}
