package io.fastsafetensors.backend.cuda.gds;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// The storage medium of a file.
///
/// @param fileSystem the filesystem's type, such as `ext4`
/// @param device the drive below it as the kernel calls it, or what is mounted where there is no drive
/// @param kind the kind of storage, as cuFile tells them apart
record Medium(String fileSystem, String device, Kind kind) {
    /// Kinds of storage, each with its bit in `dstatusflags` (`CUfileDriverStatusFlags` of cufile.h).
    enum Kind {
        LUSTRE(0), WEKAFS(1), NFS(2), GPFS(3), NVME(4), NVME_OVER_FABRICS(5), SCSI(6), SCALEFLUX(7), BEEGFS(9),
        /// Drives that the kernel joins by its md driver. Nvidia-fs serves them as NVMe; PCI P2PDMA does not.
        NVME_RAID(4),
        /// SCATE's network filesystem.
        SCATEFS(12),
        /// Anything else: virtual disks, device mapper, filesystems other than ext4 and XFS on a drive.
        OTHER(-1);

        private final int flag;

        Kind(int flag) {
            this.flag = flag;
        }

        /// Whether the bit is set; never for [#OTHER].
        boolean isIn(int statusFlags) {
            return flag >= 0 && (statusFlags >>> flag & 1) != 0;
        }
    }

    private static final Set<String> ON_DRIVES = Set.of("ext4", "xfs");

    /// Looks at a file.
    ///
    /// @param sys where sysfs is, `/sys`
    static Medium of(Path file, Path sys) throws IOException {
        FileStore store = Files.getFileStore(file);
        String type = store.type();
        Kind network = switch (type) {
            case "lustre" -> Kind.LUSTRE;
            case "wekafs" -> Kind.WEKAFS;
            case "nfs", "nfs4" -> Kind.NFS;
            case "gpfs" -> Kind.GPFS;
            case "beegfs" -> Kind.BEEGFS;
            case "scatefs" -> Kind.SCATEFS;
            default -> Kind.OTHER;
        };
        if (network != Kind.OTHER) {
            return new Medium(type, store.name(), network);
        }
        Path device = sys.resolve("dev/block").resolve(deviceNumber(file));
        if (!Files.exists(device)) {
            return new Medium(type, store.name(), Kind.OTHER);
        }
        Path drive = device.toRealPath();
        return new Medium(type, drive.getFileName().toString(),
                ON_DRIVES.contains(type) ? ofDrive(drive) : Kind.OTHER);
    }

    /// `st_dev` as sysfs writes it, the C library's `major` and `minor` of it.
    static String deviceNumber(Path file) throws IOException {
        long dev = (Long) Files.getAttribute(file, "unix:dev");
        long major = (dev >>> 8 & 0xFFF) | (dev >>> 32 & ~0xFFFL);
        long minor = (dev & 0xFF) | (dev >>> 12 & 0xFFFFFF00L);
        return major + ":" + minor;
    }

    private static Kind ofDrive(Path drive) throws IOException {
        String name = drive.getFileName().toString();
        if (name.startsWith("nvme")) {
            return drive.toString().contains("/nvme-fabrics/") ? Kind.NVME_OVER_FABRICS : Kind.NVME;
        }
        if (name.startsWith("sd")) {
            return Kind.SCSI;
        }
        if (name.startsWith("sfd")) {
            return Kind.SCALEFLUX;
        }
        return name.startsWith("md") && isOfNvme(drive) ? Kind.NVME_RAID : Kind.OTHER;
    }

    private static boolean isOfNvme(Path array) throws IOException {
        Path members = array.resolve("slaves");
        if (!Files.isDirectory(members)) {
            return false;
        }
        try (Stream<Path> found = Files.list(members)) {
            List<String> drives = found.map(d -> d.getFileName().toString()).toList();
            return !drives.isEmpty() && drives.stream().allMatch(d -> d.startsWith("nvme"));
        }
    }

    /// The filesystem and what is below it.
    @Override
    public String toString() {
        return fileSystem + " on " + device;
    }
}
