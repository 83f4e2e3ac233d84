package io.fastsafetensors.backend.cuda.gds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cuda.gds.ffm.DescriptorLibC;
import io.fastsafetensors.backend.cuda.gds.ffm.DescriptorLibCFfm;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage.Mode;
import io.fastsafetensors.spi.DirectStorage.Support;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.ffm.DescriptorFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
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
class GdsStorageTest {
    @TempDir
    Path folder;

    private Path path;
    private StorageFile file;
    private Rig rig;

    @BeforeEach
    void open() throws IOException {
        path = Files.write(folder.resolve("model.safetensors"), new byte[9000]);
        file = DescriptorFile.open(path);
        rig = new Rig(folder);
    }

    @AfterEach
    void close() throws IOException {
        file.close();
        rig.close();
        rig.assertBalanced(folder);
    }

    private void assertRefused(String... words) {
        Support support = rig.storage.support(file);
        BackendException refused = assertThrows(BackendException.class, () -> rig.storage.open(file));
        assertEquals(Mode.NONE, support.mode());
        for (String word : words) {
            assertTrue(support.reason().contains(word), support::reason);
            assertTrue(refused.getMessage().contains(word), refused::getMessage);
        }
        assertEquals("cuda-gds", refused.where().backend());
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "DRIVER_ALREADY_OPEN")
    void any_status_of_opening_the_driver_is_the_reason(CuFileStatus status) {
        rig.cuFile.fail("cuFileDriverOpen", status.code(), 0);
        assertRefused("cuFileDriverOpen failed with " + status.code(), status.name());
        assertEquals(1, rig.cuFile.calls("cuFileDriverOpen"), "attempts");
        assertEquals(0, rig.cuFile.calls("cuFileHandleRegister"));
    }

    @ParameterizedTest
    @EnumSource
    void any_status_of_the_properties_is_the_reason(CuFileStatus status) {
        rig.cuFile.fail("cuFileDriverGetProperties", status.code(), 3);
        assertRefused("cuFileDriverGetProperties failed with " + status.code(), status.name(), "CUDA_ERROR_3");
    }

    @ParameterizedTest
    @EnumSource
    void any_status_of_registering_the_file_is_the_reason(CuFileStatus status) throws IOException {
        rig.cuFile.fail("cuFileHandleRegister", status.code(), 0);
        assertRefused("cuFileHandleRegister failed with " + status.code(), status.name());
        assertEquals(path.toString(),
                assertThrows(BackendException.class, () -> rig.storage.open(file)).where().file());
        assertFalse(rig.storage.support(file).reason().contains("["), "the place is the caller's to tell");
        assertEquals(1, Rig.openFiles(folder).size(), "but for the file itself");
    }

    @Test
    void a_driver_that_another_user_has_opened_serves() {
        rig.cuFile.fail("cuFileDriverOpen", CuFileStatus.DRIVER_ALREADY_OPEN.code(), 0);
        assertEquals(Mode.COMPATIBILITY, rig.storage.support(file).mode());
    }

    @Test
    void the_driver_is_opened_by_the_first_question_and_once() {
        assertEquals(0, rig.cuFile.calls("cuFileDriverOpen"), "before any question");
        List<CompletableFuture<Support>> questions = IntStream.range(0, 16)
                .mapToObj(_ -> CompletableFuture.supplyAsync(() -> rig.storage.support(file))).toList();
        questions.forEach(q -> assertEquals(Mode.COMPATIBILITY, q.join().mode()));
        assertEquals(1, rig.cuFile.calls("cuFileDriverOpen"));
    }

    @Test
    void the_modes_follow_the_machine() throws IOException {
        assertEquals(Mode.COMPATIBILITY, rig.storage.support(file).mode());
        Path drive = rig.host.drive(path, "pci0000:00/nvme/nvme0/nvme0n1/nvme0n1p1");
        Assumptions.assumeTrue(Medium.of(path, rig.host.setup().sys()).kind() == Medium.Kind.NVME,
                "the temporary folder is not on a filesystem of drives: " + drive);
        try (Rig nvidiaFs = new Rig(folder)) {
            nvidiaFs.host.withNvidiaFs();
            nvidiaFs.cuFile.properties(2, 20, 1 << 4);
            Support support = nvidiaFs.storage.support(file);
            assertEquals(Mode.DIRECT, support.mode(), support::reason);
            assertTrue(support.reason().contains("nvidia-fs 2.20"), support::reason);
        }
    }

    @Test
    void a_file_that_was_replaced_is_read_as_it_was_opened() throws IOException {
        Files.delete(path);
        Files.write(path, new byte[5]);
        try (DirectFile direct = rig.storage.open(file)) {
            assertEquals(4096, direct.alignment());
            assertTrue(Rig.openFiles(folder).stream().anyMatch(name -> name.endsWith("(deleted)")),
                    () -> "no second descriptor of the deleted file");
        }
    }

    @Test
    void a_filesystem_without_o_direct_is_opened_without() throws IOException {
        ScriptedLibC c = new ScriptedLibC(22, Integer.MAX_VALUE);
        try (Rig other = new Rig(folder, c); DirectFile direct = other.storage.open(file)) {
            assertEquals(4096, direct.alignment());
            assertEquals(List.of(true, false), c.direct);
        }
    }

    @Test
    void a_file_that_cannot_be_opened_is_refused_with_the_errno() throws IOException {
        try (Rig other = new Rig(folder, new ScriptedLibC(24, 24))) {
            Support support = other.storage.support(file);
            assertEquals(Mode.NONE, support.mode());
            assertEquals("cannot open: Too many open files", support.reason());
        }
    }

    @Test
    void closing_the_backend_closes_files() {
        DirectFile left = rig.storage.open(file);
        rig.storage.open(file);
        assertEquals(2, rig.cuFile.openHandles());
        rig.backend.close();
        assertEquals(0, rig.cuFile.openHandles());
        left.close();
        assertThrows(IllegalStateException.class, () -> rig.storage.open(file));
        assertThrows(IllegalStateException.class, () -> rig.storage.support(file));
    }

    /// open(2) that fails with one errno with O_DIRECT, and with another without.
    private static final class ScriptedLibC implements DescriptorLibC {
        private final DescriptorLibC real = new DescriptorLibCFfm();
        private final List<Boolean> direct = new ArrayList<>();
        private final int withDirect;
        private final int without;
        private int errno;

        ScriptedLibC(int withDirect, int without) {
            this.withDirect = withDirect;
            this.without = without;
        }

        @Override
        public int o_direct() {
            return real.o_direct();
        }

        @Override
        public int open(Path path, int flags) {
            boolean isDirect = (flags & o_direct()) != 0;
            direct.add(isDirect);
            errno = isDirect ? withDirect : without;
            return errno == Integer.MAX_VALUE ? real.open(path, flags) : -1;
        }

        @Override
        public int close(int fd) {
            return real.close(fd);
        }

        @Override
        public int errno() {
            return errno;
        }

        @Override
        public String strerror(int number) {
            return real.strerror(number);
        }
    }
}
