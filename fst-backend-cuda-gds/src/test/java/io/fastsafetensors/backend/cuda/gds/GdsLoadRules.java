package io.fastsafetensors.backend.cuda.gds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.DirectStorage.Support;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.Requirement;
import io.fastsafetensors.testkit.ffm.DescriptorFile;
import io.fastsafetensors.testkit.fixture.WrittenFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Loads through the loader; aborted where there is no GPU or no cuFile, failed there if the property
/// `fst.testkit.require` names `cuda-gds`. Files are in the temporary folder (`java.io.tmpdir`), and `fst.test.unserved`
/// names a folder on a filesystem that cuFile does not serve (default: `/dev/shm`).
@Timeout(600)
public abstract class GdsLoadRules {
    @TempDir
    Path folder;

    private Support support;

    @BeforeEach
    void needDevice() throws IOException {
        support = support(Files.write(folder.resolve("probe"), new byte[8192]));
    }

    private static Support support(Path file) {
        BackendProvider provider = new GdsBackendProvider();
        Probe probe = provider.probe();
        Probe.Available found = probe.found().orElseThrow(
                () -> Requirement.unavailable(GdsBackendProvider.NAME, probe.obstacle().orElse("")));
        try (Backend backend = provider.open(found.devices().getFirst().device(), BackendOptions.defaults());
                StorageFile open = DescriptorFile.open(file)) {
            return backend.directStorage().orElseThrow().support(open);
        }
    }

    private static LoaderBuilder loader() {
        return Loader.builder().backend(GdsBackendProvider.NAME).device("cuda:0");
    }

    @Test
    void every_case_arrives_by_direct_storage() {
        Assumptions.assumeTrue(support.mode() != DirectStorage.Mode.NONE, support::reason);
        LoadCases.checkAll(folder, () -> loader().transferPath(TransferPath.DIRECT));
    }

    @Test
    void every_case_arrives_by_the_way_that_is_chosen() {
        LoadCases.checkAll(folder, GdsLoadRules::loader);
    }

    @Test
    void the_way_is_told_with_its_reason() {
        WrittenFile file = LoadCases.large(folder);
        try (Loader loader = loader().build(); Weights weights = loader.load(file.path())) {
            weights.awaitAll();
            String landing = weights.plan().files().getFirst().landing();
            String expected = support.mode() == DirectStorage.Mode.NONE ? "no direct storage: " : support.reason();
            assertTrue(landing.contains(expected), () -> landing + " / " + support);
            assertEquals(1, weights.stats().storage().size());
        }
    }

    @Test
    void a_filesystem_that_cufile_does_not_serve_falls_back_unless_strict() {
        Path unserved = Path.of(System.getProperty("fst.test.unserved", "/dev/shm"));
        Assumptions.assumeTrue(Files.isWritable(unserved), () -> unserved + " cannot be written to");
        WrittenFile file = LoadCases.blockEdges(unserved);
        try {
            Support there = support(file.path());
            Assumptions.assumeTrue(there.mode() == DirectStorage.Mode.NONE, there::reason);
            LoadCases.check(file, loader());
            try (Loader strict = loader().strictBackend(true).build()) {
                BackendException refused = assertThrows(BackendException.class, () -> strict.load(file.path()).close());
                assertTrue(refused.getMessage().contains("cuFileHandleRegister"), refused::getMessage);
            }
        } finally {
            assertTrue(file.path().toFile().delete());
        }
    }
}
