package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.Location;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// Identities, and files that change while they are open.
abstract class VersionRules extends StorageRuleGroup {
    private static final int LENGTH = 20_000;
    private static final int HALF = LENGTH / 2;

    /// Something that happens to a file.
    private interface Change {
        void to(Location file) throws Exception;
    }

    @SuppressWarnings("NullAway.Init")
    VersionRules(StorageConformance suite) {
        super(suite);
    }

    /// One version has one identity, in every file and storage that is opened; its text is for people.
    ///
    /// If it fails: an identity is made of what the storage says of the file, not of when or by whom it was opened.
    @Test
    @DisplayName("V-01 one version has one identity")
    void v_01_one_version_has_one_identity() throws Exception {
        Location location = write("f", bytes(LENGTH));
        try (StorageFile first = storage.open(location); StorageFile second = storage.open(location);
                Storage other = provider.open(suite.options()); StorageFile third = other.open(location)) {
            assertEquals(first.identity(), second.identity(), "opened twice");
            assertEquals(first.identity(), third.identity(), "opened by two storages");
            assertEquals(first.identity().hashCode(), second.identity().hashCode(), "hash codes");
            assertFalse(first.identity().toString().isBlank(), "an identity without text");
        }
    }

    /// A file that took another one's place has another identity, also if it is as long.
    ///
    /// If it fails: an inode or a number may be given to the next file; a time or a count of versions is needed besides.
    @Test
    @DisplayName("V-02 a replaced file has another identity")
    void v_02_a_replaced_file_has_another_identity() throws Exception {
        changes((location) -> fixture.write(location, bytes(LENGTH)), LENGTH);
    }

    /// A file that was rewritten in place has another identity. Needs a fixture that rewrites.
    ///
    /// If it fails: include the time of the last change, as finely as the storage knows it.
    @Test
    @DisplayName("V-03 a rewritten file has another identity")
    void v_03_a_rewritten_file_has_another_identity() throws Exception {
        changes((location) -> fixture.rewrite(location, bytes(LENGTH)), LENGTH);
    }

    /// A file that grew has another identity and another length. Needs a fixture that appends.
    ///
    /// If it fails: as V-03.
    @Test
    @DisplayName("V-04 a file that grew has another identity")
    void v_04_a_file_that_grew_has_another_identity() throws Exception {
        changes((location) -> fixture.append(location, bytes(100)), LENGTH + 100);
    }

    /// A file that was cut off has another identity and another length. Needs a fixture that truncates.
    ///
    /// If it fails: as V-03.
    @Test
    @DisplayName("V-05 a file that was cut off has another identity")
    void v_05_a_file_that_was_cut_off_has_another_identity() throws Exception {
        changes((location) -> fixture.truncate(location, HALF), HALF);
    }

    private void changes(Change change, long length) throws Exception {
        Location location = write("f", new byte[LENGTH]);
        FileIdentity before;
        try (StorageFile file = storage.open(location)) {
            before = file.identity();
        }
        change.to(location);
        try (StorageFile file = storage.open(location)) {
            assertNotEquals(before, file.identity(), "identity after the change");
            assertEquals(length, file.length(), "length after the change");
        }
    }

    /// While nothing happens to a file it stays the same version, however often it is read and asked.
    ///
    /// If it fails: access times, counters and tokens of connections do not belong to an identity.
    @Test
    @DisplayName("V-06 a file that nobody touches stays current")
    void v_06_a_file_that_nobody_touches_stays_current() throws Exception {
        try (StorageFile file = open("f", bytes(LENGTH))) {
            for (int i = 0; i < 3; i++) {
                assertEquals(file.identity(), file.currentIdentity(), "identity now");
                assertTrue(file.isCurrent(), "isCurrent()");
                readAll(file);
            }
        }
    }

    /// Length and identity of an open file stay those of its opening, whatever happens to the file.
    ///
    /// If it fails: keep them in fields; `currentIdentity()` is what asks.
    @Test
    @DisplayName("V-07 what an open file said it was it stays")
    void v_07_what_an_open_file_said_it_was_it_stays() throws Exception {
        try (StorageFile file = open("f", bytes(LENGTH))) {
            FileIdentity identity = file.identity();
            fixture.write(file.location(), bytes(LENGTH + 1));
            assertEquals(identity, file.identity(), "identity after the file was replaced");
            assertEquals(LENGTH, file.length(), "length after the file was replaced");
        }
    }

    /// A file whose location has another version by now is not current. Needs a fixture that says so
    /// (`tellsChanges()`).
    ///
    /// If it fails: ask the storage for the version at the location, as if the file were opened now.
    @Test
    @DisplayName("V-08 a replaced file is not current")
    void v_08_a_replaced_file_is_not_current() throws Exception {
        if (!fixture.tellsChanges()) {
            Assumptions.abort("the storage does not tell that a file changed; see V-10");
        }
        try (StorageFile file = open("f", bytes(LENGTH))) {
            assertTrue(file.isCurrent(), "isCurrent() before");
            fixture.write(file.location(), bytes(LENGTH));
            assertFalse(file.isCurrent(), "isCurrent() after the file was replaced");
        }
    }

    /// A file whose location names nothing any more is current: what was read is the last version that there was.
    ///
    /// If it fails: "not found" is no other version.
    @Test
    @DisplayName("V-09 a deleted file is current")
    void v_09_a_deleted_file_is_current() throws Exception {
        try (StorageFile file = open("f", bytes(LENGTH))) {
            fixture.delete(file.location());
            assertTrue(file.isCurrent(), "isCurrent() after the file was deleted");
        }
    }

    /// A read after the file was replaced brings the bytes of the version that was opened, or fails, or
    /// `currentIdentity()` is another one.
    ///
    /// If it fails: hold what was opened (a descriptor, a version's number), or send the version with each request.
    @Test
    @DisplayName("V-10 a replaced file is not mixed with the new one")
    void v_10_a_replaced_file_is_not_mixed_with_the_new_one() throws Exception {
        neverMixed(location -> fixture.write(location, bytes(LENGTH)));
        neverMixed(location -> fixture.write(location, bytes(HALF / 2)));
    }

    /// The same after the file was rewritten in place. Needs a fixture that rewrites.
    ///
    /// If it fails: `currentIdentity()` asks the storage each time; it is asked after each block that was read.
    @Test
    @DisplayName("V-11 a file rewritten in place is told")
    void v_11_a_file_rewritten_in_place_is_told() throws Exception {
        neverMixed(location -> fixture.rewrite(location, bytes(LENGTH)));
    }

    /// The same after the file was cut off: the bytes that are gone are not read as zeros or as an early end of the
    /// version that was opened. Needs a fixture that truncates.
    ///
    /// If it fails: as V-11.
    @Test
    @DisplayName("V-12 a file that was cut off is told")
    void v_12_a_file_that_was_cut_off_is_told() throws Exception {
        neverMixed(location -> fixture.truncate(location, HALF + 100));
    }

    /// The same after the file grew: it is told, or what was there before is read as before. Needs a fixture that appends.
    ///
    /// If it fails: as V-11.
    @Test
    @DisplayName("V-13 a file that grew is told")
    void v_13_a_file_that_grew_is_told() throws Exception {
        byte[] content = new byte[LENGTH];
        Location location = write("f", content);
        try (StorageFile file = storage.open(location)) {
            fixture.append(location, bytes(100));
            boolean told = !file.currentIdentity().equals(file.identity()) || !file.isCurrent();
            try {
                assertBytes(content, readAll(file), "what was there before the file grew");
            } catch (StorageException _) {
                return;
            }
            assertTrue(told || !fixture.tellsChanges(), "a file that grew is said to be the same version");
        }
    }

    private void neverMixed(Change change) throws Exception {
        byte[] content = new byte[LENGTH];
        Arrays.fill(content, (byte) 1);
        Location location = write("f", content);
        try (StorageFile file = storage.open(location)) {
            assertBytes(range(content, 0, HALF), read(file, 0, HALF), "the first half, before the change");
            change.to(location);
            for (int at = HALF; at < LENGTH; at += 2000) {
                long count;
                try {
                    byte[] read = new byte[2000];
                    count = readOnce(file, at, read);
                    if (!file.currentIdentity().equals(file.identity())) {
                        return;
                    }
                    if (count < 1) {
                        fail("offset " + at + " of " + LENGTH + ": " + count
                                + " bytes after the change, and the identity is as before" + Seed.note());
                    }
                    assertBytes(range(content, at, (int) count), Arrays.copyOf(read, (int) count),
                            "bytes at offset " + at + " after the change, with the identity as before");
                } catch (StorageException _) {
                    return;
                }
            }
        }
    }

    private static long readOnce(StorageFile file, long offset, byte[] into) {
        long[] count = new long[1];
        byte[] all = read((at, target, targetOffset, bytes) -> {
            count[0] = file.read(at, target, targetOffset, bytes);
            return bytes;
        }, offset, into.length);
        System.arraycopy(all, 0, into, 0, into.length);
        return count[0];
    }

    /// While another thread replaces a file again and again, a file that was opened, read and found current has the bytes
    /// of one version.
    ///
    /// If it fails: identity, length and bytes are to come from one opening; two requests may see two versions.
    @Test
    @DisplayName("V-14 files opened while others replace them are whole")
    void v_14_files_opened_while_others_replace_them_are_whole() throws Exception {
        Location location = write("f", version(0));
        int readers = 2;
        AtomicInteger reading = new AtomicInteger(readers);
        Threads.together(readers + 1, thread -> {
            if (thread == 0) {
                for (int i = 1; reading.get() > 0; i++) {
                    fixture.write(location, version(i % 1000));
                    LockSupport.parkNanos(10_000);
                }
                return;
            }
            try {
                for (int i = 0; i < (isQuick() ? 30 : 200); i++) {
                    readOneVersion(location);
                }
            } finally {
                reading.decrementAndGet();
            }
        });
        fixture.write(location, version(1000));
        assertBytes(version(1000), readAll(location), "the last version");
    }

    private void readOneVersion(Location location) {
        try (StorageFile file = storage.open(location)) {
            byte[] read = new byte[Math.toIntExact(file.length())];
            for (int done = 0; done < read.length;) {
                byte[] part = new byte[Math.min(1000, read.length - done)];
                int count = (int) readOnce(file, done, part);
                if (!file.currentIdentity().equals(file.identity())) {
                    return;
                }
                assertTrue(count > 0, "a file said to be one version ended early");
                System.arraycopy(part, 0, read, done, count);
                done += count;
            }
            assertBytes(version(read.length - 3000), read, "a file said to be one version");
        } catch (StorageException _) {
            // The file may have been replaced under the storage; V-02 and V-10 look at what comes then.
            Thread.onSpinWait();
        }
    }

    /// A version's length and every byte tell which one it is.
    private static byte[] version(int number) {
        byte[] bytes = new byte[3000 + number];
        Arrays.fill(bytes, (byte) (number * 7 + 1));
        return bytes;
    }
}
