package io.fastsafetensors.spi.ffm;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Makes a Java binding that carries its native library in a jar (JCuda, JOCL) load it from a private directory.
///
/// Left alone, such a binding unpacks into `java.io.tmpdir` under a fixed name, and loads a file that already lies
/// there, no matter who put it there. So the library is unpacked here, into a fresh directory that only this user can
/// enter, and while the binding loads it, `java.io.tmpdir` names that directory: the binding reads the property when
/// it loads, whereas the JDK reads `java.library.path`, like its own temporary directory, once at start.
public final class PrivateLibrary {
    private static final String TMPDIR = "java.io.tmpdir";
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rwx------");

    private PrivateLibrary() {
    }

    /// Unpacks a library, lets the binding load it and removes the files; the loaded library stays mapped. One load
    /// at a time in a process.
    ///
    /// @param binding a class of the binding that is not initialised by being named here; its class loader has the
    ///        library's jar too
    /// @param resource the library in its jar, such as `lib/libexample-linux-x86_64.so`; the binding looks for a file
    ///        of the same name
    /// @param load makes the binding load its library; what it throws is passed on
    /// @throws UnsupportedFeatureException if the library is not in any jar, or cannot be unpacked safely; the binding
    ///         was not asked then
    public static synchronized void load(Class<?> binding, String resource, Runnable load) {
        Unpacked library = unpack(binding, resource);
        String before = System.getProperty(TMPDIR);
        try {
            System.setProperty(TMPDIR, library.directory.toString());
            load.run();
        } finally {
            restore(before);
            library.delete();
        }
    }

    private static Unpacked unpack(Class<?> binding, String resource) {
        String name = resource.substring(resource.lastIndexOf('/') + 1);
        try (InputStream content = open(binding, resource)) {
            Path directory = Files.createTempDirectory("fst-", PosixFilePermissions.asFileAttribute(OWNER_ONLY));
            Unpacked library = new Unpacked(directory, directory.resolve(name));
            try {
                Files.copy(content, library.file);
                requirePrivate(library);
            } catch (IOException | RuntimeException e) {
                library.delete();
                throw e;
            }
            return library;
        } catch (IOException | UnsupportedOperationException e) {
            throw new UnsupportedFeatureException("cannot unpack " + name + " into a private directory below "
                    + System.getProperty(TMPDIR) + " (" + e + "); name another place with -D" + TMPDIR,
                    Where.nowhere(), e);
        }
    }

    private static InputStream open(Class<?> binding, String resource) {
        ClassLoader loader = binding.getClassLoader();
        InputStream content =
                loader == null ? ClassLoader.getSystemResourceAsStream(resource) : loader.getResourceAsStream(resource);
        if (content == null) {
            throw new UnsupportedFeatureException(
                    "no jar has " + resource + "; add the jar with the native libraries of this platform",
                    Where.nowhere());
        }
        return content;
    }

    /// Some file systems ignore permissions, and where others may rename in the parent directory, they may have put
    /// theirs in the place of ours: then it is not the file's owner that owns it.
    private static void requirePrivate(Unpacked library) throws IOException {
        if (!Files.getPosixFilePermissions(library.directory, LinkOption.NOFOLLOW_LINKS).equals(OWNER_ONLY)
                || !uid(library.directory).equals(uid(library.file))) {
            throw new IOException(library.directory + " is open to other users");
        }
    }

    private static Object uid(Path path) throws IOException {
        return Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    }

    private static void restore(@Nullable String before) {
        if (before == null) {
            System.clearProperty(TMPDIR);
        } else {
            System.setProperty(TMPDIR, before);
        }
    }

    private record Unpacked(Path directory, Path file) {
        /// What cannot be removed is left: the directory is in the temporary directory, and private.
        @SuppressWarnings("EmptyCatch")
        void delete() {
            try {
                Files.deleteIfExists(file);
                Files.deleteIfExists(directory);
            } catch (IOException ignored) {
                // Nothing depends on it.
            }
        }
    }
}
