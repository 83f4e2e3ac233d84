package io.fastsafetensors.backend.rocm.hip;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Compiled kernels on disk, one file for each key, each with a digest before its bytes. The folder belongs to the user
/// alone; one that others may write to is not used. A cache that does not work is no error: kernels are compiled again.
/// Processes may share it.
///
/// @param folder where; made when something is kept
record KernelCache(Path folder) {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.backend.rocm");
    private static final int DIGEST = 32;

    /// `$XDG_CACHE_HOME/fst/hip`, or `~/.cache/fst/hip`.
    ///
    /// @param cacheHome the environment variable's value, null if not set; ignored unless absolute, as its
    ///        specification asks
    /// @param home the user's folder; empty if unknown
    static Optional<Path> usersFolder(@Nullable String cacheHome, String home) {
        Path parent = cacheHome != null && cacheHome.startsWith("/") ? Path.of(cacheHome) : Path.of(home, ".cache");
        return parent.isAbsolute() ? Optional.of(parent.resolve("fst").resolve("hip")) : Optional.empty();
    }

    /// What was kept under the key; empty if nothing was, or not whole.
    Optional<byte[]> read(String key) {
        Path file = file(key);
        try {
            if (!Files.exists(file) || !isOurs(folder)) {
                return Optional.empty();
            }
            byte[] all = Files.readAllBytes(file);
            if (all.length > DIGEST) {
                byte[] code = Arrays.copyOfRange(all, DIGEST, all.length);
                if (Arrays.equals(digest(code), 0, DIGEST, all, 0, DIGEST)) {
                    return Optional.of(code);
                }
            }
            LOG.log(Level.DEBUG, "{0} is damaged; the kernels are compiled again", file);
        } catch (IOException | UnsupportedOperationException e) {
            LOG.log(Level.DEBUG, () -> file + " cannot be read; the kernels are compiled again", e);
        }
        return Optional.empty();
    }

    /// Keeps code under a key, in place of what was there; readers see the old or the new file whole.
    void write(String key, byte[] code) {
        try {
            Files.createDirectories(folder,
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            if (!isOurs(folder)) {
                LOG.log(Level.DEBUG, "{0} can be written by others; compiled kernels are not kept", folder);
                return;
            }
            Path part = Files.createTempFile(folder, key, ".part");
            try {
                byte[] all = Arrays.copyOf(digest(code), DIGEST + code.length);
                System.arraycopy(code, 0, all, DIGEST, code.length);
                Files.write(part, all);
                Files.move(part, file(key), StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Files.deleteIfExists(part);
            }
        } catch (IOException | UnsupportedOperationException e) {
            LOG.log(Level.DEBUG, () -> "compiled kernels cannot be kept in " + folder, e);
        }
    }

    private Path file(String key) {
        return folder.resolve(key + ".hsaco");
    }

    /// Whether nobody but this process's user (or root) can change what is in the folder.
    private static boolean isOurs(Path folder) throws IOException {
        Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(folder);
        return !permissions.contains(PosixFilePermission.GROUP_WRITE)
                && !permissions.contains(PosixFilePermission.OTHERS_WRITE)
                && owner(folder).equals(owner(Path.of("/proc/self")));
    }

    private static Object owner(Path path) throws IOException {
        return Files.getAttribute(path, "unix:uid");
    }

    private static byte[] digest(byte[] code) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(code);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }
}
