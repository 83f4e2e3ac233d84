package io.fastsafetensors.backend.cuda.gds;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/// Folders that look like a machine's `proc`, `sys`, `dev` and `etc`.
final class FakeHost {
    private final Path root;

    FakeHost(Path root) throws IOException {
        this.root = root;
        Files.createDirectories(root.resolve("dev"));
        Files.createDirectories(root.resolve("proc/driver"));
        Files.createDirectories(root.resolve("sys/dev/block"));
    }

    HostSetup setup() {
        return new HostSetup(root, Map.of());
    }

    FakeHost withNvidiaFs() throws IOException {
        Files.createDirectories(root.resolve("proc/driver/nvidia-fs"));
        Files.write(root.resolve("dev/nvidia-fs0"), new byte[0]);
        return this;
    }

    /// Puts the drive of a real file under a path of sysfs.
    ///
    /// @return the folder of the drive
    Path drive(Path file, String path) throws IOException {
        Path drive = Files.createDirectories(root.resolve("sys/devices").resolve(path));
        Path link = root.resolve("sys/dev/block").resolve(Medium.deviceNumber(file));
        Files.deleteIfExists(link);
        Files.createSymbolicLink(link, drive);
        return drive;
    }
}
