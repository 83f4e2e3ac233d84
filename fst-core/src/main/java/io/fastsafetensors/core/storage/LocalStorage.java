package io.fastsafetensors.core.storage;

import io.fastsafetensors.core.linux.ffm.LibC;
import io.fastsafetensors.core.linux.ffm.LibC.Statx;
import io.fastsafetensors.core.linux.ffm.PlatformLibC;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.SharedChannel;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Serves paths: those of the default file system by Linux's own calls where they are to be had, all others through their
/// channel. Thread-safe; holds nothing between files, so that one serves the whole process and need not be closed.
///
/// Looking (kind, list) goes through the JDK even on Linux: it is done a few times for a load, and [Files] knows every
/// file system. Only opening and reading are worth calls of their own.
///
/// The process decides once between the two ways of reading files.
public final class LocalStorage implements Storage {
    /// Null where files are read through channels, for the reason that [#whyNot] gives.
    private final @Nullable LibC c;
    private final String whyNot;

    private LocalStorage(@Nullable LibC c, String whyNot) {
        this.c = c;
        this.whyNot = whyNot;
    }

    /// The best that this platform has: Linux's calls, or the JDK's channels where native access is denied or the kernel
    /// refuses, which each file's report tells.
    public static LocalStorage platform() {
        return Platform.STORAGE;
    }

    /// Initialised at the first question: it binds the calls.
    private static final class Platform {
        private static final LocalStorage STORAGE = detect();
    }

    /// For headers alone: through the JDK, since binding Linux's calls takes longer than most headers do.
    static LocalStorage forHeaders() {
        return plain("only its header is read");
    }

    /// Over the given calls, which a test may script.
    static LocalStorage over(LibC calls) {
        return new LocalStorage(calls, "");
    }

    /// Through the JDK alone.
    static LocalStorage plain(String why) {
        return new LocalStorage(null, why);
    }

    /// Logs nothing: each file's report has the reason.
    private static LocalStorage detect() {
        LibC calls = PlatformLibC.instance();
        if (calls == null) {
            return plain(PlatformLibC.obstacle());
        }
        // Tried once: sandboxes filter statx(2), and without it no file's version can be told from its descriptor.
        if (calls.statx(LibC.AT_FDCWD, new byte[] {'/'}, 0, new Statx()) < 0) {
            return plain("the kernel refuses statx(2): " + Errnos.describe(calls.errno()));
        }
        return over(calls);
    }

    @Override
    public Kind kind(Location location) {
        return SharedChannel.apartFromInterrupts(() -> kindNow(location));
    }

    /// Links are followed: a cache of models is made of them.
    private static Kind kindNow(Location location) {
        try {
            BasicFileAttributes all = Files.readAttributes(path(location), BasicFileAttributes.class);
            return all.isDirectory() ? Kind.DIRECTORY : all.isRegularFile() ? Kind.FILE : Kind.OTHER;
        } catch (IOException e) {
            if (Errnos.isAbsent(e)) {
                return Kind.ABSENT;
            }
            throw new StorageException("cannot look there: " + Errnos.describe(e), location.where(), e);
        }
    }

    @Override
    public List<StorageEntry> list(Location directory) {
        return SharedChannel.apartFromInterrupts(() -> entries(directory));
    }

    /// In the order of the file system, which is none.
    private static List<StorageEntry> entries(Location directory) {
        List<StorageEntry> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(path(directory))) {
            for (Path entry : entries) {
                found.add(StorageEntry.of(Location.of(entry), kindOfEntry(entry)));
            }
        } catch (DirectoryIteratorException e) {
            throw unlisted(directory, Objects.requireNonNull(e.getCause()));
        } catch (IOException e) {
            throw unlisted(directory, e);
        }
        return found;
    }

    private static StorageException unlisted(Location directory, IOException e) {
        return new StorageException("cannot list the directory: " + Errnos.describe(e), directory.where(), e);
    }

    /// Opening what cannot be looked at says what is wrong with it.
    private static Kind kindOfEntry(Path entry) {
        try {
            BasicFileAttributes all = Files.readAttributes(entry, BasicFileAttributes.class);
            return all.isDirectory() ? Kind.DIRECTORY : all.isRegularFile() ? Kind.FILE : Kind.OTHER;
        } catch (IOException e) {
            return Kind.FILE;
        }
    }

    /// @throws IllegalArgumentException if the location is an address
    private static Path path(Location location) {
        return location.path().orElseThrow(() -> new IllegalArgumentException(location + " is no path"));
    }

    /// A path of another file system (zip, jimfs) has no bytes that the kernel knows.
    @Override
    public StorageFile open(Location file) {
        if (!file.isLocal()) {
            return ChannelFile.open(file, "a path of the file system \"" + file.scheme()
                    + "\" is read through its channel");
        }
        return c == null ? ChannelFile.open(file, whyNot) : LinuxFile.open(c, file);
    }

    @Override
    public void close() {
        // Nothing is held between files.
    }
}
