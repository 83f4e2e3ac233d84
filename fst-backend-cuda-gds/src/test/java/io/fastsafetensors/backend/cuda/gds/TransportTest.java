package io.fastsafetensors.backend.cuda.gds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cuda.gds.Medium.Kind;
import io.fastsafetensors.backend.cuda.gds.ffm.CuFileDrvProps;
import io.fastsafetensors.spi.DirectStorage.Mode;
import io.fastsafetensors.spi.DirectStorage.Support;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TransportTest {
    private static final int NVME = 1 << 4;
    private static final int P2PDMA = 1 << 11;

    @TempDir
    Path folder;

    private FakeHost host;
    private Path file;

    @BeforeEach
    void machine() throws IOException {
        host = new FakeHost(folder.resolve("machine"));
        file = Files.writeString(folder.resolve("file"), "x");
    }

    private static Support support(boolean nvidiaFs, int flags, Kind kind) {
        return new Transport(nvidiaFs, new CuFileDrvProps(2, 17, flags))
                .support(new Medium("ext4", "nvme0n1p2", kind));
    }

    private static void assertMode(Mode mode, boolean nvidiaFs, int flags, Kind kind) {
        assertEquals(mode, support(nvidiaFs, flags, kind).mode(), () -> nvidiaFs + " " + flags + " " + kind);
    }

    @Test
    void direct_is_what_the_driver_serves() {
        for (Kind kind : Kind.values()) {
            assertMode(Mode.COMPATIBILITY, false, 0, kind);
            assertMode(Mode.COMPATIBILITY, false, ~P2PDMA, kind);
            assertMode(Mode.COMPATIBILITY, true, 0, kind);
            assertMode(kind == Kind.OTHER ? Mode.COMPATIBILITY : Mode.DIRECT, true, -1, kind);
            assertMode(kind == Kind.NVME ? Mode.DIRECT : Mode.COMPATIBILITY, false, P2PDMA, kind);
        }
        assertMode(Mode.DIRECT, true, NVME, Kind.NVME);
        assertMode(Mode.DIRECT, true, NVME, Kind.NVME_RAID);
        assertMode(Mode.COMPATIBILITY, true, NVME, Kind.SCSI);
        assertMode(Mode.COMPATIBILITY, true, P2PDMA, Kind.NVME_RAID);
    }

    @Test
    void reasons_tell_the_modes_apart() {
        assertEquals("GPUDirect Storage by nvidia-fs 2.17, ext4 on nvme0n1p2", support(true, NVME, Kind.NVME).reason());
        assertEquals("GPUDirect Storage by PCI P2PDMA, ext4 on nvme0n1p2", support(false, P2PDMA, Kind.NVME).reason());
        String compatibility = support(false, 0, Kind.NVME).reason();
        assertTrue(compatibility.startsWith("cuFile's compatibility mode, since nvidia-fs is not loaded"),
                compatibility);
        assertTrue(support(true, NVME, Kind.OTHER).reason().contains("nvidia-fs does not serve this storage (OTHER)"));
    }

    @Test
    void drives_are_found_in_sysfs() throws IOException {
        Assumptions.assumeTrue(Medium.of(file, folder).fileSystem().matches("ext4|xfs"),
                "the temporary folder is not on a filesystem of drives");
        assertDrive(Kind.OTHER, "vda1", "pci0000:00/virtio1/block/vda/vda1");
        assertDrive(Kind.NVME, "nvme0n1p1", "pci0000:00/nvme/nvme0/nvme0n1/nvme0n1p1");
        assertDrive(Kind.NVME_OVER_FABRICS, "nvme1n1", "virtual/nvme-fabrics/ctl/nvme1/nvme1n1");
        assertDrive(Kind.SCSI, "sda1", "pci0000:00/host0/block/sda/sda1");
        assertDrive(Kind.SCALEFLUX, "sfdv0n1", "pci0000:00/block/sfdv0n1");
        assertDrive(Kind.OTHER, "dm-0", "virtual/block/dm-0");
        assertDrive(Kind.OTHER, "loop3", "virtual/block/loop3");
        Path array = assertDrive(Kind.OTHER, "md0", "virtual/block/md0");
        Files.createDirectories(array.resolve("slaves/nvme0n1"));
        assertDrive(Kind.NVME_RAID, "md0", "virtual/block/md0");
        Files.createDirectories(array.resolve("slaves/sda"));
        assertDrive(Kind.OTHER, "md0", "virtual/block/md0");
    }

    private Path assertDrive(Kind kind, String name, String path) throws IOException {
        Path drive = host.drive(file, path);
        Medium medium = Medium.of(file, host.setup().sys());
        assertEquals(kind, medium.kind(), path);
        assertEquals(name, medium.device());
        return drive;
    }

    @Test
    void a_drive_that_sysfs_does_not_know_is_another_one() throws IOException {
        assertEquals(Kind.OTHER, Medium.of(file, host.setup().sys()).kind());
    }

    @Test
    void nvidia_fs_is_there_with_its_devices() throws IOException {
        assertFalse(host.setup().hasNvidiaFs());
        Files.createDirectories(folder.resolve("machine/proc/driver/nvidia-fs"));
        assertFalse(host.setup().hasNvidiaFs(), "loaded, but no /dev/nvidia-fs*");
        assertTrue(host.withNvidiaFs().setup().hasNvidiaFs());
        assertTrue(host.setup().mayReadDirectly());
    }

    @Test
    void p2pdma_is_asked_for_by_file_or_variable() throws IOException {
        assertFalse(host.setup().asksForP2pDma());
        Path etc = Files.createDirectories(folder.resolve("machine/etc"));
        Files.writeString(etc.resolve("cufile.json"), "{ // \"use_pci_p2pdma\": true\n \"properties\": {\n"
                + " // \"use_pci_p2pdma\": true,\n \"use_pci_p2pdma\" : false } }");
        assertFalse(host.setup().asksForP2pDma());
        Path named = Files.writeString(folder.resolve("own.json"), "{\"properties\": {\"use_pci_p2pdma\": true}}");
        assertTrue(with("CUFILE_ENV_PATH_JSON", named.toString()).mayReadDirectly());
        assertFalse(with("CUFILE_ENV_PATH_JSON", "/no/such/file").mayReadDirectly());
        assertTrue(with("CUFILE_USE_PCIP2PDMA", "true").mayReadDirectly());
        assertFalse(with("CUFILE_USE_PCIP2PDMA", "0").mayReadDirectly());
    }

    private HostSetup with(String variable, String value) {
        return new HostSetup(host.setup().root(), Map.of(variable, value));
    }
}
