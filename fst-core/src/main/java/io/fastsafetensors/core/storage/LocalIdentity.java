package io.fastsafetensors.core.storage;

import io.fastsafetensors.core.linux.ffm.LibC.Statx;
import io.fastsafetensors.spi.storage.FileIdentity;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Map;
import java.util.Objects;

/// Identifies the version of a file of some file system: which file it is, its length, when it was changed last.
///
/// Text, compared as a whole and shown as it is in the message that says what changed. Both ways of asking give the same
/// text on Linux: a checkpoint whose headers were read in one may be read in the other later. The time of change is in nanoseconds, so that
/// a rewrite of the same length in the same second is seen wherever the file system keeps them.
///
/// Inode numbers are used again, and a copied file may keep the time of its source: no part alone tells versions
/// apart.
final class LocalIdentity {
    private LocalIdentity() {
    }

    /// Of what statx(2) found.
    static FileIdentity of(Statx status) {
        return FileIdentity.of("device " + (status.device() >>> 32) + ":" + (int) status.device() + ", inode "
                + status.inode(), status.size(),
                changed(status.seconds(), status.nanos()));
    }

    /// Of what a path names now, links followed; by the JDK alone.
    static FileIdentity of(Path path) throws IOException {
        if (path.getFileSystem().equals(FileSystems.getDefault())
                && path.getFileSystem().supportedFileAttributeViews().contains("unix")) {
            Map<String, Object> all = Files.readAttributes(path, "unix:dev,ino,size,lastModifiedTime");
            Long size = (Long) Objects.requireNonNull(all.get("size"));
            FileTime changed = (FileTime) Objects.requireNonNull(all.get("lastModifiedTime"));
            Long device = (Long) Objects.requireNonNull(all.get("dev"));
            return FileIdentity.of("device " + major(device) + ":" + minor(device) + ", inode " + all.get("ino"), size,
                    changed(changed));
        }
        BasicFileAttributes all = Files.readAttributes(path, BasicFileAttributes.class);
        return FileIdentity.of("file " + all.fileKey(), all.size(), changed(all.lastModifiedTime()));
    }

    /// The parts of a `dev_t`, as glibc and musl lay them out.
    private static long major(long device) {
        return (device >>> 8 & 0xFFF) | (device >>> 32 & 0xFFFF_F000L);
    }

    private static long minor(long device) {
        return (device & 0xFF) | (device >>> 12 & 0xFFFF_FF00L);
    }

    /// As precise as the file system keeps it.
    private static String changed(FileTime time) {
        Instant instant = time.toInstant();
        return changed(instant.getEpochSecond(), instant.getNano());
    }

    /// In Unix time: a date would take dozens of classes of the JDK into every first load.
    private static String changed(long seconds, int nanos) {
        String fraction = Integer.toString(nanos);
        return "changed at " + seconds + "." + "0".repeat(9 - fraction.length()) + fraction + " s";
    }
}
