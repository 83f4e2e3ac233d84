package io.fastsafetensors.core.write;

import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// A file that is written next to its target and appears under the target's name complete, or not at all. Not
/// thread-safe; several writers of one target do not disturb each other, and the last one wins.
///
/// The temporary file is called `.NAME.RANDOM.fst-tmp`. A writer holds a lock on its own, so that the next writer of
/// the same target can tell, and remove, what a killed one left behind. The files of one writer have one RANDOM, and one of
/// them stays open: its lock stands for all, so that the others need no descriptor while nothing is written to them. A JVM
/// that ends in order, by a signal too, removes what is unfinished itself.
///
/// The order of a write that survives a power failure: space reserved, content written, content forced, renamed,
/// directory forced. Until the rename readers see what was there before, and afterwards all of the new content.
///
/// POSIX locks belong to the process and are dropped when it closes any descriptor of the file; hence the care about
/// which descriptors are closed when, and why our own files are never opened to be looked at.
final class AtomicFile implements AutoCloseable {
    /// The JDK's option to open a file past the page cache, `com.sun.nio.file.ExtendedOpenOption.DIRECT`; empty on a
    /// JDK that has none. Exported and supported, yet looked up by name, because javac warns of every mention of its
    /// package and the warning cannot be switched off in one place.
    private static final Optional<OpenOption> DIRECT = directOption();
    /// Readers of directories go by it: a checkpoint's files never end so.
    static final String SUFFIX = ".fst-tmp";

    /// Hexadecimal digits that name a writer; fixed, so that names of another form are left alone.
    private static final int RANDOM_DIGITS = 16;
    /// Characters of the target's name that are in the temporary one.
    private static final int LONGEST_STEM = 60;
    /// Times that another process may take a file for stale in the moment before it is locked.
    private static final int TRIES = 10;
    private static final Pattern UNUSUAL = Pattern.compile("[^!-~]");
    private static final boolean IS_POSIX = FileSystems.getDefault().supportedFileAttributeViews().contains("posix");
    private static final FileAttribute<?>[] ANY_MODE = {};
    /// For a file that replaces one whose mode may be narrower than a new one's: nobody reads it meanwhile who must
    /// not.
    private static final FileAttribute<?>[] OWNER_ONLY = {
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))};
    /// Opening and closing a file drops this process's own lock on it, so our own are never examined.
    private static final Set<Path> OURS = ConcurrentHashMap.newKeySet();

    /// Removes unfinished files when the JVM ends. Loaded, and so registered, with the first file.
    ///
    /// A process that is killed removes nothing; its files are removed by the next writer of the target.
    private static final class AtExit {
        /// Whether the JVM is ending: from then on nothing is begun that nobody would remove.
        private static volatile boolean ending;

        static {
            try {
                Runtime.getRuntime().addShutdownHook(new Thread(AtExit::removeAll, "fst-unfinished-files"));
            } catch (IllegalStateException e) {
                // The JVM is ending already.
                ending = true;
            }
        }

        private AtExit() {
        }

        /// Whatever writers do meanwhile: a file that is made after this is removed by who makes it.
        private static void removeAll() {
            ending = true;
            for (Path unfinished : OURS) {
                try {
                    Files.deleteIfExists(unfinished);
                } catch (IOException e) {
                    System.getLogger("io.fastsafetensors.core").log(Level.DEBUG, "an unfinished file stays", e);
                }
            }
        }

        /// @throws IOException if the JVM is ending
        static void requireRunning() throws IOException {
            if (ending) {
                throw new IOException("the JVM is ending");
            }
        }
    }

    private final Path target;
    private final Path temporary;
    /// What all files of one writer have in their names.
    private final String random;
    /// Null while it is parked.
    private @Nullable FileChannel channel;
    /// Null until it is asked for, and where there is none.
    private @Nullable FileChannel direct;
    private boolean published;

    private AtomicFile(Path target, Path temporary, String random, FileChannel channel) {
        this.target = target;
        this.temporary = temporary;
        this.random = random;
        this.channel = channel;
    }

    /// Makes the temporary file, and removes those of dead writers.
    ///
    /// @param bytes how long it will be
    /// @throws IOException if it cannot be made there, or there is no room for so many bytes
    static AtomicFile create(Path target, long bytes) throws IOException {
        return create(target, bytes, null);
    }

    /// As above, for a writer of several files in one directory.
    ///
    /// The directory's links are followed once, so that the rename stays within one directory whatever a link names
    /// later.
    ///
    /// @param keeper another one of them, which stays open until this one is published or closed; null for the first
    static AtomicFile create(Path target, long bytes, @Nullable AtomicFile keeper) throws IOException {
        Path absolute = target.toAbsolutePath();
        Path directory = absolute.getParent();
        Path name = absolute.getFileName();
        if (directory == null || name == null || Files.isDirectory(absolute)) {
            throw new IOException("it is a directory; name a file");
        }
        Path real = directory.toRealPath();
        String prefix = prefix(Location.of(name).name());
        removeStale(real, prefix);
        for (int i = 0; i < TRIES; i++) {
            String random = keeper == null ? HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong())
                    : keeper.random;
            Path temporary = real.resolve(prefix + random + SUFFIX);
            FileChannel channel = open(temporary, bytes, Files.exists(real.resolve(name)));
            if (lock(channel) && Files.exists(temporary)) {
                return new AtomicFile(real.resolve(name), temporary, random, channel);
            }
            // Another writer took it for stale in the moment before the lock.
            channel.close();
            OURS.remove(temporary);
        }
        throw new IOException("another process keeps removing the temporary files");
    }

    /// The file that it becomes.
    Path target() {
        return target;
    }

    /// Where the content goes. Opened again if it was parked.
    synchronized FileChannel channel() throws IOException {
        FileChannel open = channel;
        if (open == null) {
            open = FileChannel.open(temporary, StandardOpenOption.READ, StandardOpenOption.WRITE);
            channel = open;
        }
        return open;
    }

    /// Closes its descriptors until something is written again; no writing is under way. Only for a file whose keeper is
    /// open, since closing drops the lock.
    synchronized void park() throws IOException {
        FileChannel first = channel;
        FileChannel second = direct;
        channel = null;
        direct = null;
        try {
            if (second != null) {
                second.close();
            }
        } finally {
            if (first != null) {
                first.close();
            }
        }
    }

    /// A second way to the content, past the page cache: whole pages only, from page-aligned memory. Null where the
    /// file system has none.
    synchronized @Nullable FileChannel directChannel() {
        if (direct == null && DIRECT.isPresent()) {
            try {
                // Closed with the file and not before: closing any channel of it drops the lock.
                direct = FileChannel.open(temporary, StandardOpenOption.WRITE, DIRECT.get());
            } catch (IOException | UnsupportedOperationException e) {
                return null;
            }
        }
        return direct;
    }

    /// Makes the content durable.
    ///
    /// @throws IOException if it cannot be; the content may be lost then
    void complete() throws IOException {
        channel().force(true);
    }

    /// Puts the file in place, over what was there, whose mode it gets.
    ///
    /// Not durable before [#syncDirectory()].
    ///
    /// @throws IOException if it cannot be; what was there before is still there
    void publish() throws IOException {
        if (IS_POSIX && Files.exists(target)) {
            Files.setPosixFilePermissions(temporary, Files.getPosixFilePermissions(target));
        }
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        published = true;
    }

    /// Makes the renames in this file's directory durable, where the system can: the files are whole without it.
    void syncDirectory() {
        Path directory = target.getParent();
        if (directory != null && !System.getProperty("os.name").toLowerCase(Locale.ROOT).contains("windows")) {
            try (FileChannel handle = FileChannel.open(directory, StandardOpenOption.READ)) {
                handle.force(true);
            } catch (IOException e) {
                System.getLogger(AtomicFile.class.getName()).log(System.Logger.Level.DEBUG,
                        "the renames in " + directory + " may be lost in a power failure", e);
            }
        }
    }

    /// Removes the temporary file unless it was published.
    @Override
    public void close() throws IOException {
        try {
            park();
        } finally {
            forget();
        }
    }

    /// Gone first and then forgotten: the other way round a writer of this process could take it for stale.
    private void forget() throws IOException {
        try {
            if (!published) {
                Files.deleteIfExists(temporary);
            }
        } finally {
            OURS.remove(temporary);
        }
    }

    /// What the temporary files of a target begin with; two targets may share it, which only costs a look.
    private static String prefix(String name) {
        // Short enough that no file system finds the temporary name too long, and in characters that every charset has.
        String stem = UNUSUAL.matcher(name).replaceAll("_");
        return "." + (stem.length() > LONGEST_STEM ? stem.substring(0, LONGEST_STEM) : stem) + ".";
    }

    /// Removes what killed writers of this target left.
    private static void removeStale(Path directory, String prefix) throws IOException {
        int length = prefix.length() + RANDOM_DIGITS + SUFFIX.length();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, entry -> {
            String name = entry.getFileName().toString();
            return name.length() == length && name.startsWith(prefix) && name.endsWith(SUFFIX);
        })) {
            for (Path entry : entries) {
                if (!OURS.contains(entry) && !hasLivingSibling(directory, entry)) {
                    removeIfDead(entry);
                }
            }
        }
    }

    /// Whether another file of the same writer is locked.
    ///
    /// Parked files of a living writer are not locked themselves.
    private static boolean hasLivingSibling(Path directory, Path temporary) throws IOException {
        String name = temporary.getFileName().toString();
        String ending = name.substring(name.length() - RANDOM_DIGITS - SUFFIX.length());
        try (DirectoryStream<Path> siblings = Files.newDirectoryStream(directory,
                entry -> entry.getFileName().toString().endsWith(ending) && !entry.equals(temporary))) {
            for (Path sibling : siblings) {
                if (OURS.contains(sibling) || isLocked(sibling)) {
                    return true;
                }
            }
        }
        return false;
    }

    /// Whether a living writer has it. Never asked of our own files, see [#OURS].
    private static boolean isLocked(Path temporary) {
        try (FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
            return channel.tryLock() == null;
        } catch (OverlappingFileLockException e) {
            return true;
        } catch (IOException e) {
            // Gone, or another process's: nothing that tells.
            return false;
        }
    }

    /// The lock is held while the file is removed, so that no writer begins with it.
    private static void removeIfDead(Path temporary) {
        try (FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
            FileLock lock = channel.tryLock();
            if (lock != null) {
                Files.deleteIfExists(temporary);
            }
        } catch (IOException | OverlappingFileLockException e) {
            // Another process's, or gone: only tidying up, so not worth failing for.
            return;
        }
    }

    /// @param replaces whether there is a file whose mode may be narrower than a new one's
    private static FileChannel open(Path temporary, long bytes, boolean replaces) throws IOException {
        // Before there is a file: who removes it is registered here.
        AtExit.requireRunning();
        OURS.add(temporary);
        FileChannel channel = null;
        boolean done = false;
        try {
            channel = FileChannel.open(temporary, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.READ,
                    StandardOpenOption.WRITE), IS_POSIX && replaces ? OWNER_ONLY : ANY_MODE);
            // And after it was made: either this sees the end, or the end sees the file.
            AtExit.requireRunning();
            DiskSpace.platform().reserve(temporary, bytes);
            done = true;
            return channel;
        } finally {
            if (!done) {
                if (channel != null) {
                    channel.close();
                    Files.deleteIfExists(temporary);
                }
                OURS.remove(temporary);
            }
        }
    }

    /// Whether nobody else has it.
    private static boolean lock(FileChannel channel) {
        try {
            return channel.tryLock() != null;
        } catch (IOException e) {
            // No locks on this file system: then no writer can take ours for stale either.
            return true;
        }
    }

    /// By its name, see [#DIRECT].
    private static Optional<OpenOption> directOption() {
        try {
            Object[] constants = Class.forName("com.sun.nio.file.ExtendedOpenOption").getEnumConstants();
            return Arrays.stream(constants).filter(constant -> constant.toString().equals("DIRECT"))
                    .map(OpenOption.class::cast).findFirst();
        } catch (ClassNotFoundException e) {
            return Optional.empty();
        }
    }
}
