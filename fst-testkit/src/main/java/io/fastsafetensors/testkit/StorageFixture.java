package io.fastsafetensors.testkit;

import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Assumptions;

/// Puts files where the storage under test finds them: a fresh, empty directory, prefix or table for one rule.
///
/// Four methods are required. The others say what else the storage is capable of; one that is not overridden aborts the
/// rules that need it, with the reason. A method that works at times only aborts by itself, with [Assumptions#abort].
///
/// Each method returns when the storage serves what was written. Where versions are told apart by a clock (a file system
/// stamps files every few milliseconds), a method that changes a file waits first until the clock has moved on. Methods are
/// called by several threads, but for one file by one thread at a time.
public abstract class StorageFixture implements AutoCloseable {
    /// For subclasses.
    protected StorageFixture() {
    }

    /// Where a file of this name would be. Nothing is there yet.
    ///
    /// @param name one name, without encoding
    public abstract Location location(String name);

    /// Writes a file in one step, as a rename or an upload does: an open file of this location keeps its own version, or
    /// fails. A storage whose files never change aborts if there is a file already.
    public abstract void write(Location file, byte[] bytes) throws Exception;

    /// Deletes a file.
    public abstract void delete(Location file) throws Exception;

    /// Changes bytes of a file in place; its length stays.
    ///
    /// @param bytes as many as the file has
    public void rewrite(Location file, byte[] bytes) throws Exception {
        cannot("rewrite a file in place");
    }

    /// Adds bytes at the end of a file.
    public void append(Location file, byte[] bytes) throws Exception {
        cannot("append to a file");
    }

    /// Cuts a file off.
    public void truncate(Location file, long length) throws Exception {
        cannot("truncate a file");
    }

    /// Whether the storage lists directories.
    public boolean lists() {
        return false;
    }

    /// Makes an empty directory. Required if the storage [#lists()].
    public void makeDirectory(Location directory) throws Exception {
        cannot("make a directory");
    }

    /// Makes something that is neither a file nor a directory, such as a pipe.
    public void makeOther(Location other) throws Exception {
        cannot("make anything but files and directories");
    }

    /// Writes a file of more than 4 GiB of which only a few bytes are stored; the others are 0.
    ///
    /// @param pieces bytes by their offsets
    public void writeSparse(Location file, long length, Map<Long, byte[]> pieces) throws Exception {
        cannot("write a file of " + length + " bytes without storing them all");
    }

    /// Makes each later read that includes the byte at `offset` fail for good, such as by a lost connection.
    public void failReads(Location file, long offset) throws Exception {
        cannot("make reads fail");
    }

    /// Whether an open file knows that its location has another version by now, so that `isCurrent()` is false. A storage
    /// that does not ask, because its reads fail or go on with the old version, says no.
    public boolean tellsChanges() {
        return true;
    }

    /// The abilities that every file of the storage has here. Others are looked at too, where a file has them.
    public Set<Class<?>> abilities() {
        return Set.of();
    }

    /// The same file by an address that holds a secret. Unless overridden, the secret is the value of a parameter after
    /// the `?`.
    public Location withSecret(Location file, String secret) {
        if (file.path().isPresent()) {
            cannot("hide a secret in a path");
        }
        String address = file.address();
        return Location.of(address + (address.indexOf('?') < 0 ? "?" : "&") + "token=" + secret);
    }

    /// Whether a thread is the fixture's own, such as one of a server, and no leak of the storage.
    public boolean owns(Thread thread) {
        return false;
    }

    /// Deletes everything, after the storage was closed.
    @Override
    public abstract void close() throws IOException;

    private static void cannot(String what) {
        Assumptions.abort("the fixture cannot " + what);
    }
}
