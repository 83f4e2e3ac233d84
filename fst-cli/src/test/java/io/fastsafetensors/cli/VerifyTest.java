package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerifyTest {
    @TempDir
    private Path directory;

    @Test
    void a_row_for_each_path_and_status_1_if_one_is_refused() throws Exception {
        Path good = Cli.write(directory.resolve("good.safetensors"), Cli.bytes("a", 1));
        Path small = Files.write(directory.resolve("small.safetensors"), new byte[7]);
        Path hole = hole("hole.safetensors", "a");
        Path absent = directory.resolve("absent.safetensors");
        Cli.Result result = Cli.run("verify", "--format", "tsv", good, small, hole, absent);
        assertEquals(1, result.status());
        assertEquals("path\tverdict\tmessage\tnotes", result.lines().getFirst());
        assertEquals(List.of(List.of(good.toString(), "OK"), List.of(small.toString(), "HeaderTooSmall"),
                List.of(hole.toString(), "InvalidOffset"), List.of(absent.toString(), "Storage")),
                result.rows().stream().map(row -> row.subList(0, 2)).toList());
        assertEquals("", result.err());
        assertEquals(0, Cli.run("verify", good).status());
    }

    @Test
    void lenient_accepts_trailing_bytes() throws Exception {
        Path file = Cli.write(directory.resolve("x.safetensors"), Cli.bytes("a", 1));
        Files.write(file, new byte[3], StandardOpenOption.APPEND);
        assertEquals("MetadataIncompleteBuffer", verdict("verify", "--format", "tsv", file));
        assertEquals("OK", verdict("verify", "--lenient", "--format", "tsv", file));
    }

    @Test
    void directories_are_verified_as_checkpoints() throws Exception {
        Path shards = Cli.writeShards(directory.resolve("m"), 1, Cli.bytes("a", 1), Cli.bytes("b", 2));
        assertEquals("OK", verdict("verify", "--format", "tsv", shards));
        Files.delete(shards.resolve("model-00002-of-00002.safetensors"));
        assertEquals("MissingShard", verdict("verify", "--format", "tsv", shards));
    }

    @Test
    void messages_stay_in_their_row() throws Exception {
        Path file = hole("x.safetensors", "a\nb\t\u001b");
        Cli.Result result = Cli.run("verify", "--format", "tsv", file);
        assertEquals(1, result.rows().size());
        assertEquals(4, result.rows().getFirst().size());
        assertTrue(result.out().indexOf('\u001b') < 0, result.out());
    }

    @Test
    void text_counts_what_was_refused() {
        Path good = Cli.write(directory.resolve("good.safetensors"), Cli.bytes("a", 1));
        List<String> lines = Cli.run("verify", good, directory.resolve("absent")).lines();
        assertEquals("1 of 2 refused", lines.getLast());
        assertEquals("all 2 are valid", Cli.run("verify", good, good).lines().getLast());
    }

    @Test
    void digests_are_compared_and_have_to_be_there() throws Exception {
        Path plain = Cli.write(directory.resolve("plain.safetensors"), Cli.bytes("a", 1), Cli.bytes("b", 2, 3));
        Path file = directory.resolve("digests.safetensors");
        Path shards = directory.resolve("shards");
        assertEquals(0, Cli.run("align", "--digests", plain, file).status());
        assertEquals(0, Cli.run("split", "--digests", "--max-shard-size", "1", plain, shards).status());
        assertEquals("OK", verdict("verify", "--digests", "--format", "tsv", file));
        assertEquals("OK", verdict("verify", "--digests", "--format", "tsv", shards));
        Cli.Result missing = Cli.run("verify", "--digests", "--format", "tsv", plain);
        assertEquals(1, missing.status());
        assertEquals("NoDigest", missing.rows().getFirst().get(1));
        assertTrue(missing.rows().getFirst().get(2).startsWith("2 of 2 tensors"), missing.out());
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 1] ^= 1;
        Files.write(file, bytes);
        assertEquals("OK", verdict("verify", "--format", "tsv", file));
        Cli.Result damaged = Cli.run("verify", "--digests", "--format", "tsv", file);
        assertEquals(1, damaged.status());
        assertEquals("DigestMismatch", damaged.rows().getFirst().get(1));
        assertTrue(damaged.out().contains("tensor a") && damaged.out().contains(file.toString()), damaged.out());
        Files.write(file, new byte[1], StandardOpenOption.APPEND);
        assertEquals("DigestMismatch", verdict("verify", "--digests", "--lenient", "--format", "tsv", file));
    }

    private static String verdict(Object... args) {
        return Cli.run(args).rows().getFirst().get(1);
    }

    /// A file whose only tensor leaves a byte before it to nobody.
    private Path hole(String file, String tensor) {
        return SafetensorsFixture.create().tensor(tensor, DType.U8, Shape.of(1), 1).offsets(tensor, 1, 2)
                .trailingBytes(new byte[1]).write(directory.resolve(file)).path();
    }
}
