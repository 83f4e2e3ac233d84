package io.fastsafetensors.core.write;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Whatever goes wrong, the error names it, what was there before stays, and nothing is left lying about.
class WriteFailureTest {
    private static final WriteOptions DEFAULTS = WriteOptions.defaults();
    private static final byte[] OLD = {1, 2, 3};

    @TempDir
    private Path directory;
    private Path file;

    @BeforeEach
    void writeOldFile() throws Exception {
        file = Files.write(directory.resolve("x.safetensors"), OLD);
    }

    @Test
    void a_source_that_writes_too_little() throws Exception {
        assertRefused(FormatError.INVALID_TENSOR_VIEW, "short", DEFAULTS, Sources.counting("a", DType.U8, 4),
                Sources.writing(7, "short", DType.F32, 2));
    }

    @Test
    void a_source_that_writes_too_much() throws Exception {
        assertRefused(FormatError.INVALID_TENSOR_VIEW, "long", DEFAULTS, Sources.writing(9, "long", DType.F32, 2));
    }

    @Test
    void a_source_that_writes_too_much_and_hides_it() throws Exception {
        assertRefused(FormatError.INVALID_TENSOR_VIEW, "sly", DEFAULTS,
                TensorSource.of("sly", DType.U8, Shape.of(2), channel -> {
                    channel.write(ByteBuffer.allocate(2));
                    assertThrows(FormatException.class, () -> channel.write(ByteBuffer.allocate(1)));
                }));
    }

    @Test
    void a_source_that_closes_the_channel_early() throws Exception {
        assertRefused(FormatError.INVALID_TENSOR_VIEW, "a", DEFAULTS,
                TensorSource.of("a", DType.U8, Shape.of(2), channel -> channel.close()));
    }

    @Test
    void four_bit_elements_that_do_not_fill_bytes() throws Exception {
        assertRefused(FormatError.MISALIGNED_SLICE, "odd", DEFAULTS, Sources.writing(1, "odd", DType.F4, 1, 3));
    }

    @Test
    void a_shape_that_overflows() throws Exception {
        assertRefused(FormatError.VALIDATION_OVERFLOW, "big", DEFAULTS,
                Sources.writing(0, "big", DType.F32, 2, Long.MAX_VALUE));
    }

    @Test
    void names_twice() throws Exception {
        assertRefused(FormatError.DUPLICATE_TENSOR_NAME, "twin", DEFAULTS, Sources.counting("twin", DType.U8, 1),
                Sources.counting("twin", DType.F32, 1));
    }

    @Test
    void names_twice_over_shards() {
        Path target = directory.resolve("shards");
        assertThrows(FormatException.class,
                () -> CheckpointWriter.write(target,
                        List.of(Sources.counting("twin", DType.U8, 1), Sources.counting("twin", DType.U8, 1)),
                        DEFAULTS.withMaxShardBytes(1)));
        assertTrue(Files.notExists(target));
    }

    @Test
    void the_metadatas_name() throws Exception {
        assertRefused(FormatError.DUPLICATE_TENSOR_NAME, "__metadata__", DEFAULTS,
                Sources.counting("__metadata__", DType.U8, 1));
    }

    @Test
    void names_that_are_no_unicode() throws Exception {
        assertRefused(FormatError.INVALID_HEADER, "lone surrogate", DEFAULTS, Sources.counting("\ud800", DType.U8, 1));
        assertRefused(FormatError.INVALID_HEADER, "lone surrogate", DEFAULTS,
                Sources.counting("\udc00\ud800", DType.U8, 1));
    }

    @Test
    void a_header_over_the_cap() throws Exception {
        String tooLong = "x".repeat(100_000_000);
        assertRefused(FormatError.HEADER_TOO_LARGE, "100000000", DEFAULTS.withMetadata(Map.of("k", tooLong)),
                TensorSource.of("a", DType.U8, Shape.of(1), channel -> {
                    throw new AssertionError("nothing may be written");
                }));
    }

    @Test
    void the_largest_header_that_fits() throws Exception {
        String longest = "x".repeat(100_000_000 - "{\"__metadata__\":{\"k\":\"\"}}".length());
        CheckpointWriter.write(file, List.of(), DEFAULTS.withMetadata(Map.of("k", longest)));
        assertEquals(100_000_008, Files.size(file));
    }

    @Test
    void a_source_that_fails() throws Exception {
        IOException cause = new IOException("the source's disk is gone");
        StorageException e = assertThrows(StorageException.class,
                () -> CheckpointWriter.write(file, List.of(TensorSource.of("a", DType.U8, Shape.of(2), channel -> {
                    channel.write(ByteBuffer.allocate(1));
                    throw cause;
                })), DEFAULTS));
        assertEquals(cause, e.getCause());
        assertTrue(e.getMessage().contains(file.toString()), e.getMessage());
        assertNothingChanged();
    }

    @Test
    void a_source_with_a_bug() throws Exception {
        assertThrows(IllegalStateException.class,
                () -> CheckpointWriter.write(file, List.of(TensorSource.of("a", DType.U8, Shape.of(2), channel -> {
                    throw new IllegalStateException("closed");
                })), DEFAULTS));
        assertNothingChanged();
    }

    @Test
    void a_failure_in_the_last_shard_leaves_the_old_checkpoint() throws Exception {
        Path target = directory.resolve("shards");
        WriteOptions each = DEFAULTS.withMaxShardBytes(4);
        List<TensorSource> good = List.of(Sources.counting("a", DType.U8, 4), Sources.counting("b", DType.U8, 4));
        List<Path> files = CheckpointWriter.write(target, good, each);
        List<String> before = Sources.listing(target);
        byte[] index = Files.readAllBytes(files.getLast());

        List<TensorSource> bad = List.of(Sources.writing(4, "a", DType.U8, 4), Sources.writing(3, "b", DType.U8, 4));
        assertThrows(FormatException.class, () -> CheckpointWriter.write(target, bad, each));

        assertEquals(before, Sources.listing(target));
        assertArrayEquals(new byte[] {0, 1, 2, 3}, Sources.data(files.getFirst()));
        assertArrayEquals(index, Files.readAllBytes(files.getLast()));
    }

    @Test
    void targets_that_cannot_be_written() throws Exception {
        for (Path target : List.of(directory, directory.resolve("absent/x.safetensors"), file.resolve("below"))) {
            StorageException e = assertThrows(StorageException.class,
                    () -> CheckpointWriter.write(target, List.of(), DEFAULTS));
            assertTrue(e.getMessage().contains(target.toString()), e.getMessage());
        }
        assertThrows(StorageException.class,
                () -> CheckpointWriter.write(file, List.of(), DEFAULTS.withMaxShardBytes(1)));
        assertNothingChanged();
    }

    private void assertRefused(FormatError error, String named, WriteOptions options, TensorSource... tensors)
            throws Exception {
        FormatException e = assertThrows(FormatException.class,
                () -> CheckpointWriter.write(file, List.of(tensors), options));
        assertEquals(error, e.error());
        assertTrue(e.getMessage().contains(named), e.getMessage());
        assertNothingChanged();
    }

    private void assertNothingChanged() throws Exception {
        assertEquals(List.of("x.safetensors"), Sources.listing(directory));
        assertArrayEquals(OLD, Files.readAllBytes(file));
    }

    @Test
    void a_file_that_is_overwritten_keeps_its_mode() throws Exception {
        for (String mode : List.of("rw-r-----", "rw-------", "rw-rw-rw-", "r--r-----")) {
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
            CheckpointWriter.write(file, List.of(Sources.counting("a", DType.U8, 4)), DEFAULTS);
            assertEquals(mode, PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
            assertTrue(Files.size(file) > OLD.length);
        }
    }

    @Test
    void another_file_system_is_refused_before_anything_is_written() throws Exception {
        Path zip = directory.resolve("a.zip");
        try (FileSystem files = FileSystems.newFileSystem(zip, Map.of("create", "true"))) {
            UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                    () -> CheckpointWriter.write(files.getPath("/m.safetensors"),
                            List.of(Sources.counting("a", DType.U8, 4)), DEFAULTS));
            assertTrue(e.getMessage().contains("file system \"jar\""), e.getMessage());
            assertTrue(Files.notExists(files.getPath("/m.safetensors")));
        }
    }

    @Test
    void a_rename_that_fails_after_others_says_that_files_are_of_two_versions() throws Exception {
        Path shards = Files.createDirectory(directory.resolve("shards"));
        // The index's place is taken by a directory that is not empty, which no rename replaces.
        Path second = shards.resolve("model-00002-of-00002.safetensors");
        WriteOptions two = DEFAULTS.withMaxShardBytes(4);
        Layout layout =
                Layout.of(List.of(TensorSpec.of("a", DType.U8, Shape.of(4)), TensorSpec.of("b", DType.U8, Shape.of(4))),
                        two,
                        Layout.plainIndex(), shards);
        try (CheckpointOutput output = new CheckpointOutput(shards, layout, two, false)) {
            output.begin();
            output.append("a", ByteBuffer.allocate(4));
            output.append("b", ByteBuffer.allocate(4));
            Files.createDirectories(second.resolve("in the way"));
            StorageException e = assertThrows(StorageException.class, output::publish);
            assertTrue(e.getMessage().contains("1 of 3 files are new already"), e.getMessage());
            assertTrue(!e.getMessage().contains("still there"), e.getMessage());
        }
        assertTrue(Files.exists(shards.resolve("model-00001-of-00002.safetensors")));
    }
}
