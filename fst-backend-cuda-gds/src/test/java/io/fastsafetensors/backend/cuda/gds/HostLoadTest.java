package io.fastsafetensors.backend.cuda.gds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.testkit.fixture.WrittenFile;
import io.fastsafetensors.testkit.leak.LeakExtension;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/// The whole loader over the backend, without a GPU: which way files take, and what is left after a failure.
@EnabledOnOs(OS.LINUX)
@ExtendWith(LeakExtension.class)
@Timeout(600)
class HostLoadTest {
    @TempDir
    Path folder;

    private FakeHost host;
    private HostGdsProvider.Parts parts;

    @BeforeEach
    void setUp() throws IOException {
        host = new FakeHost(folder.resolve("machine"));
        parts = HostGdsProvider.setUp(host);
    }

    @AfterEach
    void assertBalanced() throws IOException {
        HostGdsProvider.tearDown();
        assertEquals(List.of(), parts.cuFile().violations(), "misuse of the library");
        assertEquals(0, parts.cuFile().openHandles(), "handles");
        assertEquals(0, parts.cuFile().registeredBuffers(), "registered buffers");
        assertEquals(0, parts.memory().objects().total(), parts.memory().objects()::describe);
        assertEquals(List.of(), Rig.openFiles(folder));
    }

    private static LoaderBuilder loader() {
        return Loader.builder().backend(HostGdsProvider.NAME).blockBytes(LoadCases.BLOCK).readers(4);
    }

    private static LoaderBuilder direct() {
        return loader().transferPath(TransferPath.DIRECT);
    }

    private void assertWay(WrittenFile file, LoaderBuilder builder, String... words) {
        try (Loader loader = builder.build(); Weights weights = loader.load(file.path())) {
            weights.awaitAll();
            LoadCases.check(file, weights);
            String plan = weights.plan().files().getFirst().landing();
            String storage = weights.stats().storage().getFirst();
            for (String word : words) {
                assertTrue(plan.contains(word), plan);
                assertTrue(storage.contains(word), storage);
            }
        }
    }

    private static BackendException assertFails(WrittenFile file, LoaderBuilder builder) {
        try (Loader loader = builder.build()) {
            return assertThrows(BackendException.class, () -> {
                try (Weights weights = loader.load(file.path())) {
                    weights.awaitAll();
                }
            });
        }
    }

    @Test
    void every_case_arrives_through_short_reads() {
        parts.cuFile().shortReads(10_000);
        LoadCases.checkAll(folder, HostLoadTest::direct);
        assertTrue(parts.cuFile().calls("cuFileRead") > 1000, "cuFile did not read");
    }

    @Test
    void every_case_arrives_without_registered_memory() {
        parts.cuFile().fail("cuFileBufRegister", CuFileStatus.INVALID_MAPPING_SIZE.code(), 0);
        LoadCases.checkAll(folder, HostLoadTest::direct);
    }

    @Test
    void drives_that_nvidia_fs_serves_are_read_directly() throws IOException {
        WrittenFile file = LoadCases.large(folder);
        host.withNvidiaFs();
        host.drive(file.path(), "pci0000:00/nvme/nvme0/nvme0n1");
        Assumptions.assumeTrue(Medium.of(file.path(), host.setup().sys()).kind() == Medium.Kind.NVME,
                "the temporary folder is not on a filesystem of drives");
        parts.cuFile().properties(2, 20, 1 << 4);
        assertWay(file, loader(), "GPUDirect Storage by nvidia-fs 2.20");
        assertTrue(parts.cuFile().calls("cuFileRead") > 0);
    }

    @Test
    void compatibility_mode_leaves_the_way_to_slots() {
        WrittenFile file = LoadCases.large(folder);
        assertWay(file, loader(), "which slots do faster", "cuFile's compatibility mode");
        assertEquals(0, parts.cuFile().calls("cuFileRead"));
    }

    @Test
    void compatibility_mode_is_taken_and_named_if_direct_storage_is_demanded() {
        WrittenFile file = LoadCases.large(folder);
        assertWay(file, direct(), "cuFile's compatibility mode");
        assertWay(file, loader().strictBackend(true), "cuFile's compatibility mode");
        assertTrue(parts.cuFile().calls("cuFileRead") > 0);
    }

    @Test
    void files_that_cufile_does_not_take_fall_back_unless_strict() {
        WrittenFile file = LoadCases.blockEdges(folder);
        parts.cuFile().fail("cuFileHandleRegister", CuFileStatus.HANDLE_NOT_REGISTERED.code(), 0);
        assertWay(file, loader(), "no direct storage: ", "5027 (CU_FILE_HANDLE_NOT_REGISTERED");
        BackendException refused = assertFails(file, loader().strictBackend(true));
        assertTrue(refused.getMessage().contains("5027") && refused.getMessage().contains("udev"),
                refused::getMessage);
    }

    @Test
    void a_driver_that_does_not_open_falls_back_unless_strict() {
        WrittenFile file = LoadCases.blockEdges(folder);
        parts.cuFile().fail("cuFileDriverOpen", CuFileStatus.DRIVER_NOT_INITIALIZED.code(), 0);
        assertWay(file, loader(), "no direct storage: ", "5001");
        assertTrue(assertFails(file, loader().strictBackend(true)).getMessage().contains("allow_compat_mode"));
        assertEquals(1, parts.cuFile().calls("cuFileDriverOpen"));
    }

    @Test
    void a_handle_that_fails_after_some_reads_fails_the_load_once() {
        WrittenFile file = LoadCases.large(folder);
        for (int reads = 0; reads < 60; reads += 7) {
            parts.cuFile().failAfter(reads);
            BackendException failure = assertFails(file, direct());
            assertTrue(failure.getMessage().contains("cuFileRead failed with -1 (Input/output error)"),
                    failure::getMessage);
            assertEquals(file.path().toString(), failure.where().file());
        }
    }

    /// Whether the user sees it depends on whether the last block was there already.
    @Test
    void a_registration_that_does_not_end_is_at_most_one_error() {
        WrittenFile file = LoadCases.large(folder);
        parts.cuFile().fail("cuFileBufDeregister", CuFileStatus.INTERNAL_ERROR.code(), 0);
        try (Loader loader = direct().build(); Weights weights = loader.load(file.path())) {
            LoadCases.check(file, weights);
        } catch (BackendException e) {
            assertTrue(e.getMessage().contains("cuFileBufDeregister failed with 5030"), e::getMessage);
        }
        assertTrue(parts.cuFile().calls("cuFileBufDeregister") > 0);
    }

    @Test
    void closing_during_a_load_leaves_nothing() throws InterruptedException {
        WrittenFile file = LoadCases.large(folder);
        Random random = new Random(5);
        for (int round = 0; round < 40; round++) {
            try (Loader loader = direct().build(); Weights weights = loader.load(file.path())) {
                Thread.sleep(0, random.nextInt(999_999));
                weights.isReady("layer3");
            }
        }
    }
}
