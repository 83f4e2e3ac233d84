package io.fastsafetensors.backend.rocm.hip;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.gpu.kernel.KernelSource;
import io.fastsafetensors.types.DType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(OS.LINUX)
@Timeout(600)
class KernelCacheTest {
    private static final byte[] CODE = "a code object".getBytes(StandardCharsets.UTF_8);

    @TempDir
    Path temp;
    private Path folder;
    private KernelCache cache;

    @BeforeEach
    void locate() {
        folder = temp.resolve("cache/fst/hip");
        cache = new KernelCache(folder);
    }

    private static long compilations(Map<String, String> properties) {
        long before = FakeHip.gpu().count("compilations");
        convert(properties);
        return FakeHip.gpu().count("compilations") - before;
    }

    private static void convert(Map<String, String> properties) {
        try (Backend backend = FakeHip.open(properties);
                DeviceBuffer source = backend.allocate(8, 256);
                DeviceBuffer target = backend.allocate(4, 256);
                CopyStream stream = backend.openCopyStream()) {
            backend.kernels().convert(stream, BufferSlice.of(source), DType.F32, BufferSlice.of(target), DType.F16, 2);
            stream.synchronize();
        }
    }

    private List<Path> kept() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
    }

    @Test
    void kernels_are_compiled_once_for_a_machine() throws IOException {
        Map<String, String> properties = Map.of(HipOptions.KERNEL_CACHE, folder.toString());
        assertEquals(1, compilations(properties));
        assertEquals(0, compilations(properties));
        Path file = kept().getFirst();
        assertEquals(KernelSource.digest() + "-gfx90a_sramecc+_xnack--70200000.hsaco", file.getFileName().toString());
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)));
        assertEquals(1, kept().size());
    }

    @Test
    void what_is_damaged_is_compiled_again() throws IOException {
        Map<String, String> properties = Map.of(HipOptions.KERNEL_CACHE, folder.toString());
        compilations(properties);
        Path file = kept().getFirst();
        byte[] whole = Files.readAllBytes(file);
        byte[] flipped = whole.clone();
        flipped[whole.length - 1] ^= 1;
        for (byte[] damaged : List.of(flipped, new byte[0], new byte[10],
                Arrays.copyOf(whole, whole.length - 1))) {
            Files.write(file, damaged);
            assertEquals(1, compilations(properties));
            assertArrayEquals(whole, Files.readAllBytes(file), "repaired");
        }
    }

    @Test
    void what_the_device_does_not_take_is_compiled_again() throws IOException {
        Map<String, String> properties = Map.of(HipOptions.KERNEL_CACHE, folder.toString());
        compilations(properties);
        String key = kept().getFirst().getFileName().toString().replace(".hsaco", "");
        cache.write(key, CODE);
        assertEquals(1, compilations(properties));
        assertEquals(0, compilations(properties));
    }

    @Test
    void the_cache_can_be_switched_off() {
        Map<String, String> off = Map.of(HipOptions.KERNEL_CACHE, "off");
        assertEquals(1, compilations(off));
        assertEquals(1, compilations(off));
    }

    @Test
    void a_cache_that_cannot_be_written_is_no_error() throws IOException {
        Path file = Files.writeString(temp.resolve("file"), "not a folder");
        Map<String, String> properties = Map.of(HipOptions.KERNEL_CACHE, file.resolve("inside").toString());
        assertEquals(1, compilations(properties));
        assertEquals(1, compilations(properties));
    }

    @Test
    void a_folder_that_others_may_write_to_is_not_used() throws IOException {
        cache.write("key", CODE);
        assertArrayEquals(CODE, cache.read("key").orElseThrow());
        for (String open : List.of("rwxrwx---", "rwx---rwx")) {
            Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString(open));
            assertEquals(Optional.empty(), cache.read("key"), open);
            cache.write("other", CODE);
            assertEquals(1, kept().size(), open);
        }
    }

    @Test
    void a_code_object_of_the_user_is_taken_as_it_is() throws IOException {
        Path code = Files.writeString(temp.resolve("kernels.hsaco"),
                "fake code object for gfx90a:sramecc+:xnack-\0");
        Map<String, String> given = Map.of(HipOptions.CODE_OBJECT, code.toString(), HipOptions.KERNEL_CACHE,
                folder.toString());
        assertEquals(0, compilations(given));
        assertTrue(Files.notExists(folder), "nothing is cached");
        Files.writeString(code, "something else");
        BackendException e = assertThrows(BackendException.class, () -> convert(given));
        assertTrue(e.getMessage().contains("hipModuleLoadData failed with 200 (hipErrorInvalidImage"), e.getMessage());
        Files.delete(code);
        e = assertThrows(BackendException.class, () -> convert(given));
        assertTrue(e.getMessage().contains(HipOptions.CODE_OBJECT) && e.getMessage().contains(code.toString()),
                e.getMessage());
    }

    @Test
    void the_folder_is_the_users_own() {
        assertEquals(Path.of("/c/fst/hip"), KernelCache.usersFolder("/c", "/home/u").orElseThrow());
        for (String ignored : new String[] {null, "", "relative"}) {
            assertEquals(Path.of("/home/u/.cache/fst/hip"),
                    KernelCache.usersFolder(ignored, "/home/u").orElseThrow());
        }
        assertEquals(Optional.empty(), KernelCache.usersFolder(null, ""));
    }
}
