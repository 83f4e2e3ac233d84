package io.fastsafetensors.backend.cuda.gds;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage.Support;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.ffm.DescriptorFile;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@EnabledOnOs(OS.LINUX)
@Timeout(600)
class GdsFileTest {
    private static final int LENGTH = 100_001;
    private static final int EINTR = 4;
    private static final int EIO = 5;
    private static final int ENOSPC = 28;

    @TempDir
    Path folder;

    private byte[] content;
    private Path path;
    private Rig rig;
    private StorageFile source;
    private DirectFile file;
    private DeviceBuffer buffer;

    @BeforeEach
    void open() throws IOException {
        content = new byte[LENGTH];
        new Random(7).nextBytes(content);
        path = Files.write(folder.resolve("model.safetensors"), content);
        rig = new Rig(folder);
        source = DescriptorFile.open(path);
        file = rig.storage.open(source);
        buffer = rig.backend.allocate(LENGTH, 4096);
    }

    @AfterEach
    void close() throws IOException {
        source.close();
        rig.close();
        rig.assertBalanced(folder);
    }

    private void assertWhole() {
        assertEquals(LENGTH, file.read(0, buffer, 0, LENGTH));
        assertArrayEquals(content, Rig.bytes(buffer));
    }

    @Test
    void short_reads_are_continued() {
        for (long most : new long[] {1 << 16, 4096, 777}) {
            Rig.segment(buffer).fill((byte) 0);
            rig.cuFile.shortReads(most);
            assertWhole();
        }
    }

    @Test
    void the_end_of_the_file_ends_a_read() {
        assertEquals(1, file.read(LENGTH - 1, buffer, 5, 4096));
        assertEquals(content[LENGTH - 1], Rig.bytes(buffer)[5]);
        int calls = rig.cuFile.calls("cuFileRead");
        assertEquals(0, file.read(LENGTH, buffer, 0, 10));
        assertEquals(0, file.read(Long.MAX_VALUE, buffer, 0, 10));
        assertEquals(0, file.read(0, buffer, LENGTH, 0));
        assertEquals(calls, rig.cuFile.calls("cuFileRead"), "nothing to read asks nobody");
    }

    @Test
    void a_file_that_shrinks_gives_what_it_has() throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.truncate(5000);
        }
        assertEquals(5000, file.read(0, buffer, 0, LENGTH));
    }

    @Test
    void interruptions_are_repeated() {
        rig.cuFile.script(FakeCuFile.errnoOf(EINTR), FakeCuFile.errnoOf(EINTR));
        assertWhole();
    }

    @Test
    void errnos_are_told_with_the_place() {
        for (int errno : new int[] {EIO, ENOSPC}) {
            rig.cuFile.shortReads(4096);
            rig.cuFile.failAfter(Integer.MAX_VALUE - rig.cuFile.calls("cuFileRead"));
            rig.cuFile.script(FakeCuFile.errnoOf(errno));
            BackendException failure = assertThrows(BackendException.class, () -> file.read(8192, buffer, 0, 9000));
            assertEquals(path.toString(), failure.where().file());
            assertEquals(8192, failure.where().offset());
            assertTrue(failure.getMessage().contains(errno == EIO ? "Input/output error" : "No space left"),
                    failure::getMessage);
        }
    }

    @ParameterizedTest
    @EnumSource
    void any_status_of_a_read_is_told(CuFileStatus status) {
        rig.cuFile.script(-status.code());
        BackendException failure = assertThrows(BackendException.class, () -> file.read(0, buffer, 0, LENGTH));
        assertTrue(failure.getMessage().contains("cuFileRead failed with -" + status.code() + " (CU_FILE_"
                + status.name()), failure::getMessage);
        assertEquals("cuda-gds", failure.where().backend());
        assertWhole();
    }

    @Test
    void a_handle_may_fail_after_some_reads() {
        rig.cuFile.shortReads(4096);
        rig.cuFile.failAfter(3);
        BackendException failure = assertThrows(BackendException.class, () -> file.read(0, buffer, 0, LENGTH));
        assertEquals(3 * 4096, failure.where().offset());
    }

    @Test
    void misuse_is_refused_before_the_library_is_asked() {
        assertThrows(IndexOutOfBoundsException.class, () -> file.read(0, buffer, 1, LENGTH));
        assertThrows(IndexOutOfBoundsException.class, () -> file.read(0, buffer, 0, -1));
        assertThrows(IndexOutOfBoundsException.class, () -> file.read(-1, buffer, 0, 1));
        assertEquals(0, rig.cuFile.calls("cuFileRead"));
    }

    @Test
    void another_backends_buffer_is_refused() throws IOException {
        try (Rig other = new Rig(folder)) {
            DeviceBuffer undecorated = ((GdsBackend) other.backend).unwrap(other.backend.allocate(10, 1));
            assertThrows(IllegalArgumentException.class, () -> file.read(0, undecorated, 0, 10));
        }
    }

    @Test
    void a_buffer_is_registered_once_until_it_is_closed() {
        long address = buffer.handle().value();
        assertFalse(rig.cuFile.isRegistered(address), "before it is read into");
        assertWhole();
        assertWhole();
        assertEquals(1, rig.cuFile.calls("cuFileBufRegister"));
        assertTrue(rig.cuFile.isRegistered(address));
        buffer.close();
        buffer.close();
        assertFalse(rig.cuFile.isRegistered(address));
        assertEquals(1, rig.cuFile.calls("cuFileBufDeregister"));
        assertThrows(IllegalStateException.class, () -> file.read(0, buffer, 0, 1));
    }

    @ParameterizedTest
    @EnumSource
    void memory_that_cannot_be_registered_is_read_into_all_the_same(CuFileStatus status) {
        rig.cuFile.fail("cuFileBufRegister", status.code(), 0);
        assertWhole();
        assertWhole();
        assertEquals(1, rig.cuFile.calls("cuFileBufRegister"), "attempts");
        buffer.close();
        assertEquals(0, rig.cuFile.calls("cuFileBufDeregister"));
        Support support = rig.storage.support(source);
        assertTrue(support.reason().contains("memory is not registered: libcufile: cuFileBufRegister failed with "
                + status.code()), support::reason);
    }

    @ParameterizedTest
    @EnumSource
    void memory_is_freed_even_if_its_registration_does_not_end(CuFileStatus status) {
        rig.cuFile.fail("cuFileBufDeregister", status.code(), 0);
        assertWhole();
        BackendException failure = assertThrows(BackendException.class, () -> buffer.close());
        assertTrue(failure.getMessage().contains("cuFileBufDeregister failed with " + status.code()),
                failure::getMessage);
        assertEquals(0, rig.objects.count(OpenObjects.Kind.BUFFER));
        buffer.close();
    }

    @Test
    void closing_a_backend_frees_all_whatever_fails() throws IOException {
        Rig other = new Rig(folder);
        DirectFile left = other.storage.open(source);
        for (int i = 0; i < 3; i++) {
            left.read(0, other.backend.allocate(4096, 4096), 0, 4096);
        }
        other.cuFile.fail("cuFileBufDeregister", CuFileStatus.INTERNAL_ERROR.code(), 0);
        BackendException failure = assertThrows(BackendException.class, other::close);
        assertEquals(2, failure.getSuppressed().length);
        other.assertBalanced(folder.resolve("nothing"));
        other.close();
    }

    @Test
    void closing_waits_for_reads_under_way() throws Exception {
        rig.cuFile.hold();
        CompletableFuture<Long> read = CompletableFuture.supplyAsync(() -> file.read(0, buffer, 0, LENGTH));
        while (rig.cuFile.calls("cuFileRead") == 0) {
            Thread.onSpinWait();
        }
        CompletableFuture<Void> closing = CompletableFuture.runAsync(file::close);
        CompletableFuture<Void> freeing = CompletableFuture.runAsync(buffer::close);
        assertThrows(TimeoutException.class, () -> closing.get(100, TimeUnit.MILLISECONDS));
        assertThrows(TimeoutException.class, () -> freeing.get(10, TimeUnit.MILLISECONDS));
        rig.cuFile.letGo();
        assertEquals(LENGTH, read.get());
        closing.get();
        freeing.get();
        assertThrows(IllegalStateException.class, () -> file.read(0, buffer, 0, 1));
    }

    @Test
    void closing_during_reads_of_many_threads_ends_them_one_way_or_the_other() throws Exception {
        for (int round = 0; round < 50; round++) {
            DirectFile shared = rig.storage.open(source);
            CompletableFuture<?>[] readers = IntStream.range(0, 8).mapToObj(_ -> CompletableFuture.runAsync(() -> {
                try (DeviceBuffer own = rig.backend.allocate(4096, 4096)) {
                    for (int at = 0; at < LENGTH; at += 4096) {
                        shared.read(at, own, 0, 4096);
                    }
                }
            })).toArray(CompletableFuture[]::new);
            shared.close();
            for (CompletableFuture<?> reader : readers) {
                try {
                    reader.get();
                } catch (ExecutionException e) {
                    assertEquals(IllegalStateException.class, e.getCause().getClass(), e::toString);
                }
            }
        }
    }

    @Test
    void many_threads_read_one_file_into_one_buffer() {
        rig.cuFile.shortReads(1000);
        assertTimeoutPreemptively(Duration.ofSeconds(30), () -> CompletableFuture
                .allOf(IntStream.range(0, 8).mapToObj(thread -> CompletableFuture.runAsync(() -> {
                    int block = 3333;
                    for (int at = thread * block; at < LENGTH; at += 8 * block) {
                        int size = Math.min(block, LENGTH - at);
                        assertEquals(size, file.read(at, buffer, at, size));
                    }
                })).toArray(CompletableFuture[]::new)).join());
        assertArrayEquals(content, Rig.bytes(buffer));
        assertEquals(1, rig.cuFile.calls("cuFileBufRegister"));
    }

    @Test
    void the_decorated_backend_sees_its_own_buffers() {
        assertWhole();
        DeviceBuffer copy = rig.backend.allocate(LENGTH, 1);
        try (var stream = rig.backend.openCopyStream()) {
            stream.copy(buffer, 1, copy, 0, LENGTH - 1);
            stream.synchronize();
        }
        assertArrayEquals(Arrays.copyOfRange(content, 1, LENGTH), Arrays.copyOf(Rig.bytes(copy), LENGTH - 1));
    }
}
