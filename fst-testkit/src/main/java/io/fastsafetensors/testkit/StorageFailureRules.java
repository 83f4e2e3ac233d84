package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// Rules on failures: which calls fail, how the failure is reported, and what never reaches a message.
abstract class StorageFailureRules extends StorageRuleGroup {
    private static final int LENGTH = 100_000;
    private static final int BROKEN = 60_000;
    private static final String SECRET = "fst0testkit0secret";

    @SuppressWarnings("NullAway.Init")
    StorageFailureRules(StorageConformance suite) {
        super(suite);
    }

    /// A location that names nothing cannot be opened: StorageException that names it.
    ///
    /// If it fails: no `null`, no `NoSuchFileException`, no file of length 0; the user has many files and wants the name.
    @Test
    @DisplayName("X-01 what is not there cannot be opened")
    void x_01_what_is_not_there_cannot_be_opened() {
        Location absent = fixture.location("missing-weights");
        StorageException refused = assertStorageFails(() -> storage.open(absent).close(),
                "opening a file that is not there");
        assertNames(absent, refused);
    }

    /// A directory cannot be opened: StorageException that names it. Needs a storage that lists.
    ///
    /// If it fails: the kernel opens directories for reading, and fails at the first read only.
    @Test
    @DisplayName("X-02 a directory cannot be opened")
    void x_02_a_directory_cannot_be_opened() throws Exception {
        if (!fixture.lists()) {
            Assumptions.abort("the storage does not list");
        }
        Location directory = fixture.location("some-directory");
        fixture.makeDirectory(directory);
        assertNames(directory, assertStorageFails(() -> storage.open(directory).close(), "opening a directory"));
    }

    /// What is neither file nor directory cannot be opened: StorageException that names it, at once.
    ///
    /// If it fails: see S-08; opening a pipe waits for a writer.
    @Test
    @DisplayName("X-03 what is no file cannot be opened")
    void x_03_what_is_no_file_cannot_be_opened() throws Exception {
        Location other = fixture.location("some-pipe");
        fixture.makeOther(other);
        Threads.together(1, _ -> assertNames(other,
                assertStorageFails(() -> storage.open(other).close(), "opening what is no file")));
    }

    /// A file that was deleted is read as before, or is a StorageException; it is not empty, and not zeros.
    ///
    /// If it fails: "not found" in the middle of a file is an error, not its end.
    @Test
    @DisplayName("X-04 a deleted file is read or fails")
    void x_04_a_deleted_file_is_read_or_fails() throws Exception {
        byte[] content = bytes(LENGTH);
        try (StorageFile file = open("weights.bin", content)) {
            read(file, 0, 100);
            fixture.delete(file.location());
            try {
                assertBytes(content, readAll(file), "a deleted file");
            } catch (StorageException e) {
                assertNames(file.location(), e);
            }
        }
    }

    /// A read that fails in the middle of a file is a StorageException, each time, that names the location and an offset
    /// of the read; the bytes before it arrive. Needs a fixture that makes reads fail.
    ///
    /// If it fails: pass the location and the offset on to where the exception is made; never give zeros, 0 or an
    /// `IOException`.
    @Test
    @DisplayName("X-05 a failed read names location and offset")
    void x_05_a_failed_read_names_location_and_offset() throws Exception {
        byte[] content = bytes(LENGTH);
        try (StorageFile file = open("weights.bin", content); Arena arena = Arena.ofShared()) {
            fixture.failReads(file.location(), BROKEN);
            MemorySegment target = arena.allocate(1000);
            for (int attempt = 0; attempt < 3; attempt++) {
                StorageException failed = assertStorageFails(() -> file.read(BROKEN, target, 0, 1000),
                        "a read at an offset that fails");
                assertNames(file.location(), failed);
                Long offset = failed.where().offset();
                assertTrue(offset != null && offset >= BROKEN && offset < BROKEN + 1000,
                        () -> "offset " + offset + " of the exception, should be " + BROKEN);
            }
            failsFrom(file, BROKEN - 500, content);
        }
    }

    /// A read that begins before the failing byte brings what comes before it, or fails.
    private static void failsFrom(StorageFile file, int begin, byte[] content) {
        for (int at = begin; at <= BROKEN;) {
            int from = at;
            try {
                at += (int) checkRead(file::read, from, 3, 1000, range(content, from, BROKEN - from), 1);
            } catch (StorageException e) {
                Long offset = e.where().offset();
                assertTrue(offset != null && offset >= from && offset <= BROKEN,
                        () -> "offset " + offset + " of the exception, should be " + from + " to " + BROKEN);
                return;
            }
            if (at > BROKEN) {
                fail("the byte at " + BROKEN + " was read, though it cannot be" + Seed.note());
            }
        }
    }

    /// After a failed read other files are read and everything can be closed, and nothing is left. Needs a fixture that
    /// makes reads fail.
    ///
    /// If it fails: a connection in an unknown state goes back to no pool; it is closed.
    @Test
    @DisplayName("X-06 a failed read leaves nothing")
    void x_06_a_failed_read_leaves_nothing() throws Exception {
        byte[] content = bytes(LENGTH);
        Location good = write("good", content);
        Location bad = write("bad", content);
        fixture.failReads(bad, BROKEN);
        failAndRead(bad, good, content);
        OpenResources before = OpenResources.now(fixture::owns);
        for (int i = 0; i < 3; i++) {
            failAndRead(bad, good, content);
        }
        assertEquals(List.of(), before.moreNow(), "left after reads failed and everything was closed");
    }

    private void failAndRead(Location bad, Location good, byte[] content) throws Exception {
        try (Storage other = provider.open(suite.options())) {
            StorageFile file = other.open(bad);
            assertStorageFails(() -> readAll(file), "reading a file of which a byte cannot be read");
            file.close();
            try (StorageFile next = other.open(good)) {
                assertBytes(content, readAll(next), "another file after a failed read");
            }
        }
    }

    /// A secret in an address shows in no text and in no message. Needs addresses, not paths.
    ///
    /// If it fails: show locations by their `toString()`; messages of an HTTP client repeat the whole address, so do not
    /// pass them on as they are.
    @Test
    @DisplayName("X-07 secrets of an address are not shown")
    void x_07_secrets_of_an_address_are_not_shown() throws Exception {
        Location plain = write("weights.bin", bytes(1000));
        List<String> texts = new ArrayList<>();
        for (Location file : secretLocations(plain)) {
            collect(storage, file, texts);
        }
        for (Location absent : secretLocations(fixture.location("missing-weights"))) {
            collect(storage, absent, texts);
        }
        assertSilent(texts);
    }

    /// The fixture's way to hide a secret, and the user information of an address with an authority.
    private List<Location> secretLocations(Location location) {
        List<Location> locations = new ArrayList<>(List.of(fixture.withSecret(location, SECRET)));
        String start = location.scheme() + "://";
        if (location.address().startsWith(start)) {
            locations.add(Location.of(start + "user:" + SECRET + "@" + location.address().substring(start.length())));
        }
        return locations;
    }

    /// The value of an option shows in no text and in no message.
    ///
    /// If it fails: options hold tokens and keys; tell the names of those that are set at most.
    @Test
    @DisplayName("X-08 values of options are not shown")
    void x_08_values_of_options_are_not_shown() throws Exception {
        Map<String, String> properties = new HashMap<>(suite.properties());
        for (String name : List.of("token", "password", "secret", "fst.testkit.key")) {
            properties.putIfAbsent(name, SECRET);
        }
        List<String> texts = new ArrayList<>();
        try (Storage other = provider.open(StorageOptions.of(properties))) {
            collect(other, write("weights.bin", bytes(1000)), texts);
            collect(other, fixture.location("missing-weights"), texts);
        } catch (FstException e) {
            texts.add(allMessages(e));
        }
        assertSilent(texts);
    }

    /// Everything that a storage says of a location, whether it is there or not.
    private void collect(Storage asked, Location location, List<String> texts) {
        texts.add(asked.toString());
        say(() -> asked.kind(location), texts);
        say(() -> asked.pin(location), texts);
        say(() -> asked.list(location), texts);
        say(() -> {
            StorageFile file = asked.open(location);
            texts.addAll(List.of(file.toString(), file.storageName(), file.reason(), file.identity().toString()));
            texts.add(file.currentIdentity() + " " + file.location());
            file.close();
            return readClosed(file);
        }, texts);
    }

    private static long readClosed(StorageFile file) {
        try (Arena arena = Arena.ofShared()) {
            return file.read(0, arena.allocate(10), 0, 10);
        }
    }

    private interface Question {
        Object ask();
    }

    private static void say(Question question, List<String> texts) {
        try {
            texts.add(String.valueOf(question.ask()));
        } catch (FstException | IllegalStateException e) {
            texts.add(allMessages(e));
        }
    }

    private static void assertSilent(List<String> texts) {
        for (String text : texts) {
            assertFalse(text.contains(SECRET), () -> "a secret is shown: " + text);
        }
    }
}
