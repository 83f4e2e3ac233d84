package io.fastsafetensors.tests.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.common.jimfs.Configuration;
import com.google.common.jimfs.Jimfs;
import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Paths that the kernel does not know: headers and data come from the same file of the same file system.
@Timeout(600)
class OtherFileSystemsTest {
    @TempDir
    Path directory;
    private Path shards;

    @BeforeEach
    void writeShards() {
        shards = directory.resolve("m");
        List<TensorSource> sources = Stream.of("a", "b", "c").map(name -> TensorSource.of(name, DType.U8,
                Shape.of(100_000), channel -> {
                    byte[] content = new byte[100_000];
                    Arrays.fill(content, (byte) name.charAt(0));
                    channel.write(ByteBuffer.wrap(content));
                })).toList();
        Safetensors.write(shards, sources, WriteOptions.defaults().withMaxShardBytes(100_000));
    }

    private void copyTo(Path target) throws IOException {
        Files.createDirectories(target);
        try (Stream<Path> files = Files.list(shards)) {
            for (Path file : files.toList()) {
                Files.copy(file, target.resolve(file.getFileName().toString()));
            }
        }
    }

    private static void check(Path checkpoint) {
        for (TransferPath way : List.of(TransferPath.AUTO, TransferPath.STAGED, TransferPath.MAPPED,
                TransferPath.DIRECT)) {
            boolean far = way == TransferPath.MAPPED || way == TransferPath.DIRECT;
            LoaderBuilder builder = Loader.builder().device(Device.parse(far ? "remote:0" : "cpu")).transferPath(way);
            try (Loader loader = builder.blockBytes(4096).build(); Weights weights = loader.load(checkpoint);
                    Arena arena = Arena.ofConfined()) {
                weights.awaitAll();
                for (String name : List.of("a", "b", "c")) {
                    MemorySegment copy = arena.allocate(100_000);
                    weights.get(name).copyTo(copy);
                    for (byte each : copy.toArray(ValueLayout.JAVA_BYTE)) {
                        assertEquals(name.charAt(0), each, way + " " + name);
                    }
                }
            }
        }
        Diagnostics.StorageReport report = Diagnostics.storage(checkpoint).getFirst();
        assertTrue(report.reason().contains("through its channel"), report.reason());
        assertTrue(!report.direct() && report.cachedBytes() == -1, report.toString());
    }

    @Test
    void a_checkpoint_in_a_zip_is_loaded_though_the_disk_has_files_of_that_name() throws IOException {
        Path zip = directory.resolve("m.zip");
        try (FileSystem files = FileSystems.newFileSystem(zip, Map.of("create", "true"))) {
            copyTo(files.getPath(shards.toString()));
        }
        Path trap = shards.resolve("model-00001-of-00003.safetensors");
        Files.write(trap, new byte[(int) Files.size(trap)]);
        try (FileSystem files = FileSystems.newFileSystem(zip, Map.of())) {
            check(files.getPath(shards.toString()));
            check(files.getPath(shards.toString(), "model.safetensors.index.json"));
        }
    }

    @Test
    void a_checkpoint_in_memory_is_loaded() throws IOException {
        try (FileSystem unix = Jimfs.newFileSystem(Configuration.unix());
                FileSystem windows = Jimfs.newFileSystem(Configuration.windows())) {
            copyTo(unix.getPath("/models/m"));
            check(unix.getPath("/models/m"));
            copyTo(windows.getPath("C:\\models\\m"));
            check(windows.getPath("C:\\models\\m"));
        }
    }

    @Test
    void writing_there_is_refused_in_plain_words() throws IOException {
        try (FileSystem files = Jimfs.newFileSystem(Configuration.unix()); Loader loader = Loader.builder().build()) {
            Path target = files.getPath("/work/copy.safetensors");
            UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                    () -> loader.rewrite(shards, target, WriteOptions.defaults()));
            assertTrue(e.getMessage().contains("file system \"jimfs\""), e.getMessage());
            assertTrue(Files.notExists(target));
        }
    }
}
