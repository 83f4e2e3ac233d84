package io.fastsafetensors.core.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The files that one load, stream, rewrite or plan reads, headers and data: each is opened once and stays open until the
/// last holder of this lets go. Where there are more than the process may have open, those that nobody uses are closed,
/// the longest unused first, and must be the same ones when they are opened again. Thread-safe.
///
/// Locks: a file's own first, then this one; what opens or closes a file runs without this one, since it may take
/// long.
public final class SourceFiles implements AutoCloseable {
    /// Files that stay open for a load where the process may have more.
    private static final int MOST = 512;
    /// Descriptors of a process that does not say: macOS has as few by default.
    private static final int ASSUMED_LIMIT = 256;
    /// The part of the process's descriptors that one load may have.
    private static final int SHARE = 4;

    private final Storages storages;
    private final int most;
    /// See [#isLater()].
    private final boolean later;
    private final Map<Location, SourceFile> files = new HashMap<>();
    /// Open files without a user, the longest unused first.
    private final Set<SourceFile> idle = new LinkedHashSet<>();
    /// Files that are open, or for which room was made.
    private int opened;
    /// How many have this and will close it; guarded by this, as everything that changes.
    private int holders = 1;

    /// @param most how many stay open
    SourceFiles(Storages storages, int most) {
        this(storages, most, false);
    }

    private SourceFiles(Storages storages, int most, boolean later) {
        this.storages = storages.retain();
        this.most = most;
        this.later = later;
    }

    /// Files that stay open for a load; one holder.
    ///
    /// A quarter of the process's limit of descriptors at the most, since other loads and the program itself want
    /// some.
    ///
    /// @param storages held until this is closed
    public static SourceFiles forLoad(Storages storages) {
        return new SourceFiles(storages, Math.min(MOST, Limit.DESCRIPTORS / SHARE));
    }

    /// Files that are closed as soon as nobody uses them; one holder.
    ///
    /// @param storages held until this is closed
    public static SourceFiles closedAtOnce(Storages storages) {
        return new SourceFiles(storages, 0);
    }

    /// The same files for later reads, when these may be closed: each must be the version that was read here.
    /// They are closed as soon as nobody uses them; one holder.
    ///
    /// For reads that come long after the headers, such as [io.fastsafetensors.api.Checkpoint#read]: what is opened
    /// is compared with the version that is known.
    ///
    /// @param opener held until the result is closed
    public SourceFiles again(Storages opener) {
        SourceFiles again = new SourceFiles(opener, 0, true);
        List<SourceFile> known;
        synchronized (this) {
            known = List.copyOf(files.values());
        }
        // A file that is derived finds its parts among those that are there already.
        for (boolean derived : new boolean[] {false, true}) {
            for (SourceFile file : known) {
                if (file.isDerived() == derived) {
                    again.files.put(file.location(), file.again(again));
                }
            }
        }
        return again;
    }

    /// Does ahead of the first load what a process does once: finding the storage of paths, binding the system's calls.
    public void prepare() {
        storage(Location.of(Path.of("")));
    }

    /// Whether what is opened here was read before, and closed.
    boolean isLater() {
        return later;
    }

    /// The process's limit of descriptors, read once and only by who keeps files open.
    private static final class Limit {
        private static final int DESCRIPTORS = read();

        /// The soft limit, which is what `open` goes by.
        private static int read() {
            try {
                for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
                    if (line.startsWith("Max open files")) {
                        String soft = line.substring("Max open files".length()).strip().split("\\s+", 2)[0];
                        return soft.equals("unlimited") ? Integer.MAX_VALUE
                                : (int) Math.min(Integer.MAX_VALUE, Long.parseLong(soft));
                    }
                }
            } catch (IOException e) {
                System.getLogger("io.fastsafetensors.core").log(Level.DEBUG, "no /proc/self/limits", e);
            }
            return ASSUMED_LIMIT;
        }
    }

    /// The storage that serves a location.
    ///
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if there is none for its scheme
    public Storage storage(Location location) {
        return storages.of(location);
    }

    /// What its storages were told when they were opened.
    public StorageOptions options() {
        return storages.options();
    }

    /// The location by which the same bytes are found for as long as this is open. A revision of a hub or a version of
    /// an object, where the storage has such a thing; else the same location.
    public Location pin(Location location) {
        return storage(location).pin(location);
    }

    /// The file at a location; nothing is opened yet.
    public synchronized SourceFile file(Location location) {
        SourceFile file = files.get(location);
        if (file == null) {
            file = new SourceFile(this, location);
            files.put(location, file);
        }
        return file;
    }

    /// Adds a file that is made of others. Parts are looked up here, so they need not be known before.
    ///
    /// The location has the scheme of the source's name, so it is no path and no storage serves it. A second source
    /// of the same name gets a number in its directory.
    ///
    /// @param name the last name of its location, and what messages call it
    /// @return where [#file(Location)] finds it; no storage knows it
    public synchronized Location derive(DerivedSource source, Location directory, String name) {
        Location base = Location.of(source.name() + ":" + directory.toString().replace("%", "%25").replace("?", "%3F"));
        Location location = base.resolve(name);
        for (int number = 2; files.containsKey(location); number++) {
            location = base.resolve(Integer.toString(number)).resolve(name);
        }
        files.put(location, new SourceFile(this, location, source, source.parts().stream().map(this::file).toList()));
        return location;
    }

    /// The files that one of [#derive]'s is made of; none for every other file.
    public synchronized List<Location> parts(Location location) {
        SourceFile file = files.get(location);
        return file == null ? List.of() : file.parts();
    }

    /// Whether a location is one of [#derive]'s.
    public synchronized boolean isDerived(Location location) {
        SourceFile file = files.get(location);
        return file != null && file.isDerived();
    }

    /// Opens a file for which room was made.
    ///
    /// Where it fails, the room is free again.
    StorageFile open(SourceFile file) {
        boolean done = false;
        try {
            StorageFile opened = storages.of(file.location()).open(file.location());
            done = true;
            return opened;
        } finally {
            if (!done) {
                countClosed();
            }
        }
    }

    /// Makes room for one file more, by closing those that nobody uses; ended by [#countClosed()]. The caller holds no
    /// file's lock.
    void makeRoom() {
        while (true) {
            SourceFile victim;
            synchronized (this) {
                if (holders == 0) {
                    throw new IllegalStateException("the files are closed");
                }
                if (opened < most || idle.isEmpty()) {
                    // Those in use are few: one for each thread that reads.
                    opened++;
                    return;
                }
                victim = idle.iterator().next();
                idle.remove(victim);
            }
            victim.evict();
        }
    }

    /// Closes a file that [#open] gave, and frees its room whatever fails.
    void close(StorageFile file) {
        try {
            file.close();
        } finally {
            countClosed();
        }
    }

    /// One file less, or room that was not used.
    synchronized void countClosed() {
        opened--;
    }

    /// A file has a user again: it is no candidate for closing.
    synchronized void busy(SourceFile file) {
        idle.remove(file);
    }

    /// Whether a file that nobody uses stays open.
    ///
    /// Derived files never stay: what they hold is their parts.
    synchronized boolean keep(SourceFile file) {
        return !file.isDerived() && holders > 0 && opened <= most && idle.add(file);
    }

    /// Whether somebody will ask for [SourceFile#requireCurrent()].
    boolean checksAtTheEnd() {
        return most > 0;
    }

    /// One holder more.
    public synchronized SourceFiles retain() {
        if (holders == 0) {
            throw new IllegalStateException("the files are closed");
        }
        holders++;
        return this;
    }

    /// One holder less; the last closes every file.
    ///
    /// @throws StorageException if a file cannot be closed
    @Override
    public void close() {
        List<SourceFile> all;
        synchronized (this) {
            if (--holders > 0) {
                return;
            }
            all = List.copyOf(files.values());
            idle.clear();
        }
        Releases releases = new Releases();
        for (SourceFile file : all) {
            releases.run(file::closeNow);
        }
        releases.run(storages::close);
        releases.finish();
    }
}
