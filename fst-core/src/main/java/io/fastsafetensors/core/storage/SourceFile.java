package io.fastsafetensors.core.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// One file of [SourceFiles]: opened for its first user, and one version of it from then on. Thread-safe.
///
/// Counted by its users (readers, header reads, mappings): the last one to let go leaves it open for the next, and
/// [SourceFiles] closes it when it needs the room, when the load ends, or at once where nothing is kept open. A file
/// that was closed in between must be the same version when it is opened again, which is what makes "opened once" true
/// for checkpoints of more files than a process may have open.
///
/// Locks are taken in one order: a derived file's, its parts', the table's. Room for another file is made, and parts
/// are opened, before any of them is taken.
///
/// The version is that of the first opening, which is the header's; a later opening for data gets the
/// same version or an error.
public final class SourceFile {
    private final SourceFiles table;
    private final Location location;
    private final @Nullable DerivedSource derived;
    private final List<SourceFile> parts;
    /// How many have called [#retain()] and not [#release()]; guarded by this.
    private int users;
    private @Nullable StorageFile open;
    /// The version that was opened first and has to be found each time; null before that.
    private @Nullable FileIdentity identity;
    /// Whether its location named another version when it was closed to make room: known only then, told by
    /// [#requireCurrent()].
    private boolean replaced;
    /// What direct storage said when it was asked.
    private DirectStorage.@Nullable Support direct;

    SourceFile(SourceFiles table, Location location) {
        this(table, location, null, List.of());
    }

    /// @param parts the files that it is made of
    SourceFile(SourceFiles table, Location location, @Nullable DerivedSource derived, List<SourceFile> parts) {
        this.table = table;
        this.location = location;
        this.derived = derived;
        this.parts = parts;
    }

    /// The same version of the same file in another table; not open there. The parts of what is derived are there already.
    synchronized SourceFile again(SourceFiles other) {
        SourceFile again = new SourceFile(other, location, derived,
                parts.stream().map(part -> other.file(part.location)).toList());
        again.identity = identity;
        return again;
    }

    /// The files that it is made of.
    List<Location> parts() {
        return parts.stream().map(SourceFile::location).toList();
    }

    /// Whether its bytes are made of those of other files.
    boolean isDerived() {
        return derived != null;
    }

    /// Where it is.
    public Location location() {
        return location;
    }

    /// The open file, for one user more; each calls [#release()].
    ///
    /// @throws StorageException if it cannot be opened, or what is there now is not what was opened before
    public StorageFile retain() {
        StorageFile mine = retainOpen();
        if (mine != null) {
            return mine;
        }
        DerivedSource source = derived;
        if (source != null) {
            return retainDerived(source);
        }
        // Before the lock: room is made by closing others, each under its own lock.
        table.makeRoom();
        boolean used = false;
        try {
            synchronized (this) {
                mine = retainOpen();
                if (mine == null) {
                    used = true;
                    mine = open();
                }
            }
            return mine;
        } finally {
            if (!used) {
                table.countClosed();
            }
        }
    }

    /// Its parts are opened before the lock, each under its own.
    private StorageFile retainDerived(DerivedSource source) {
        DerivedSource.Opened made = new DerivedSource.Opened(location, source, parts);
        StorageFile mine;
        synchronized (this) {
            mine = retainOpen();
            if (mine == null) {
                mine = made;
                identity = made.identity();
                open = made;
                users++;
            }
        }
        if (!mine.equals(made)) {
            made.close();
        }
        return mine;
    }

    /// The open file with one user more; null if it is not open, and then nothing has changed.
    ///
    /// The file leaves the list of those that may be closed when it gets its first user.
    private synchronized @Nullable StorageFile retainOpen() {
        if (open != null && users++ == 0) {
            table.busy(this);
        }
        return open;
    }

    /// Opens the file for its first user, with the lock held and room made.
    private StorageFile open() {
        StorageFile mine = table.open(this);
        FileIdentity before = identity;
        if (before != null && !mine.identity().equals(before)) {
            String change = before.changeTo(mine.identity());
            table.close(mine);
            if (table.isLater()) {
                throw new StorageException("the file " + change + " after its header was read; open the checkpoint"
                        + " again", location.where());
            }
            throw changed(change, null);
        }
        identity = mine.identity();
        open = mine;
        users++;
        return mine;
    }

    /// One user less. The file may stay open for the next one.
    public synchronized void release() {
        users--;
        if (users == 0 && open != null && !table.keep(this)) {
            evict();
        }
    }

    /// Closes it to make room, unless somebody uses it again; whether its location named it until then is kept.
    synchronized void evict() {
        StorageFile mine = open;
        if (users == 0 && mine != null) {
            replaced |= table.checksAtTheEnd() && !mine.isCurrent();
            closeNow();
        }
    }

    /// Closes it, whether somebody uses it or not.
    ///
    /// Users find a closed file then: called when the load has ended.
    synchronized void closeNow() {
        StorageFile mine = open;
        if (mine != null) {
            open = null;
            if (derived != null) {
                mine.close();
            } else {
                table.close(mine);
            }
        }
    }

    /// Which version it is; opens it if it never was.
    public FileIdentity identity() {
        FileIdentity known = knownIdentity();
        if (known == null) {
            known = retain().identity();
            release();
        }
        return known;
    }

    private synchronized @Nullable FileIdentity knownIdentity() {
        return identity;
    }

    /// What direct storage can do with it; asked once.
    ///
    /// @param storage the device's
    public DirectStorage.Support support(DirectStorage storage) {
        StorageFile mine = retain();
        try {
            synchronized (this) {
                DirectStorage.Support known = direct;
                if (known == null) {
                    known = storage.support(mine);
                    direct = known;
                }
                return known;
            }
        } finally {
            release();
        }
    }

    /// Uses it, and makes sure afterwards that it was one version all the while: what cannot be made of two is that
    /// error. Work that fails because the file changed under it fails with the change as its reason.
    ///
    /// @throws StorageException if it cannot be opened, or is another version after than before
    public <T> T reading(Function<StorageFile, T> work) {
        StorageFile mine = retain();
        try {
            T result;
            try {
                result = work.apply(mine);
            } catch (RuntimeException | Error e) {
                StorageException change = change(e);
                if (change != null) {
                    throw change;
                }
                throw e;
            }
            requireUnchanged();
            return result;
        } finally {
            release();
        }
    }

    /// Makes sure that the open file still is the version that it was. Allocates nothing unless it is not.
    ///
    /// Called for each block by each reader. The storage is asked without a lock; a file that is not open is not
    /// asked, and is compared when it is opened again.
    ///
    /// @throws StorageException saying what changed
    public void requireUnchanged() {
        for (int i = 0; i < parts.size(); i++) {
            parts.get(i).requireUnchanged();
        }
        String change = change();
        if (change != null) {
            throw changed(change, null);
        }
    }

    /// The change of the open file since it was opened; null if there is none, or if nothing is open. Asks the storage
    /// without the lock.
    private @Nullable String change() {
        StorageFile mine;
        FileIdentity before;
        synchronized (this) {
            mine = open;
            before = identity;
        }
        if (mine == null || before == null) {
            return null;
        }
        FileIdentity now = mine.currentIdentity();
        return now.equals(before) ? null : before.changeTo(now);
    }

    /// Makes sure that its location still names the version that was read, or nothing.
    ///
    /// A replaced file is an error although its bytes were read to the end: the checkpoint's files would be of two
    /// versions.
    ///
    /// @throws StorageException saying what changed
    public void requireCurrent() {
        for (SourceFile part : parts) {
            part.requireCurrent();
        }
        requireUnchanged();
        StorageFile mine;
        boolean other;
        synchronized (this) {
            mine = open;
            other = replaced;
        }
        if (other || (mine != null && !mine.isCurrent())) {
            // It may have been written since the first look.
            String change = change();
            throw changed(change == null ? "was replaced by another" : change, null);
        }
    }

    /// That another version is there is a better reason for a failure than what it led to.
    ///
    /// @param failure what failed
    /// @return what changed, null if nothing did, nobody can tell, or the failure says so itself
    public @Nullable StorageException change(Throwable failure) {
        for (SourceFile part : parts) {
            StorageException change = part.change(failure);
            if (change != null) {
                return change;
            }
        }
        try {
            String change = change();
            StorageException reason = change == null ? null : changed(change, failure);
            boolean said = reason != null && String.valueOf(reason.getMessage()).equals(failure.getMessage());
            return said ? null : reason;
        } catch (StorageException | IllegalStateException e) {
            failure.addSuppressed(e);
            return null;
        }
    }

    /// The one text for every change, so that a failure that says it already is not told twice.
    private StorageException changed(String change, @Nullable Throwable cause) {
        return new StorageException("the file " + change + " while it was being read; load it again when its writer has"
                + " ended", location.where(), cause);
    }
}
