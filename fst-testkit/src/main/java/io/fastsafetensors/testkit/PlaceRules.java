package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.types.Location;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// Schemes, opening, kinds, lists, names.
abstract class PlaceRules extends StorageRuleGroup {
    private static final List<String> NAMES = List.of("model-00001-of-00002.safetensors", "with space", "a+b", "a%20b",
            "a b", "50%", "x=1&y=2", "#1", "m\u00fcller", "\u6a21\u578b", "tilde~", "(1)", "a?b", "a:b@c");

    @SuppressWarnings("NullAway.Init")
    PlaceRules(StorageConformance suite) {
        super(suite);
    }

    /// A provider serves one scheme or more, each a word in lower case, the same each time it is asked; the fixture's
    /// locations have one of them.
    ///
    /// If it fails: the scheme is what stands before the colon of an address, without the colon.
    @Test
    @DisplayName("S-01 schemes are words in lower case")
    void s_01_schemes_are_words_in_lower_case() {
        Set<String> schemes = provider.schemes();
        assertFalse(schemes.isEmpty(), "no scheme");
        for (String scheme : schemes) {
            assertTrue(scheme.matches("[a-z][a-z0-9+.-]+"), () -> "scheme \"" + scheme + "\"");
        }
        assertEquals(Optional.empty(), SpiVersion.refusal(provider.spiVersion()), "programs do not use it");
        assertEquals(schemes, provider.schemes(), "asked again");
        assertEquals(schemes, suite.provider().schemes(), "another provider");
        String used = fixture.location("weights.bin").scheme();
        assertTrue(used.equals("file") || !schemes.contains("file"), "the scheme of local files is fst-core's");
        assertTrue(schemes.contains(used), () -> "the fixture's locations have scheme " + used + ", not in " + schemes);
    }

    /// Opening a storage connects to nothing, starts nothing and prints nothing: no descriptor and no thread is there that was
    /// not.
    ///
    /// If it fails: connect when the first location is asked for; a loader opens storages that it may never use.
    @Test
    @DisplayName("S-02 opening a storage connects to nothing")
    void s_02_opening_connects_to_nothing() throws Exception {
        // The first one may load classes and files of its own.
        StandardStreams.Captured<Storage> first =
                StandardStreams.capture(() -> suite.provider().open(suite.options()));
        first.result().close();
        assertEquals("", first.text(), "opening printed");
        OpenResources before = OpenResources.now(fixture::owns);
        Storage opened = suite.provider().open(suite.options());
        try {
            assertEquals(List.of(), before.moreNow(), "there after opening, and not before");
        } finally {
            opened.close();
        }
    }

    /// Options that the storage does not know are ignored.
    ///
    /// If it fails: options are shared by all storages of a loader; reject bad values of your own only.
    @Test
    @DisplayName("S-03 unknown options are ignored")
    void s_03_unknown_options_are_ignored() throws Exception {
        byte[] content = bytes(100);
        Location file = write("weights.bin", content);
        Map<String, String> properties = new HashMap<>(suite.properties());
        properties.put("fst.testkit.unknown", "no");
        try (Storage other = provider.open(StorageOptions.of(properties)); StorageFile opened = other.open(file)) {
            assertBytes(content, readAll(opened), "a file opened with an unknown option");
        }
    }

    /// Storages of one provider are independent: closing one leaves the others usable.
    ///
    /// If it fails: count who uses what storages share, or do not share it.
    @Test
    @DisplayName("S-04 storages of one provider are independent")
    void s_04_storages_of_one_provider_are_independent() throws Exception {
        byte[] content = bytes(100);
        try (StorageFile file = open("weights.bin", content)) {
            try (Storage other = provider.open(suite.options()); StorageFile same = other.open(file.location())) {
                assertBytes(content, readAll(same), "a file of another storage");
            }
            assertBytes(content, readAll(file), "a file whose storage is open, after another storage was closed");
        }
        assertBytes(content, readAll(fixture.location("weights.bin")),
                "a file opened after another storage was closed");
    }

    /// A file is a FILE, and where nothing is there is ABSENT, without an exception.
    ///
    /// If it fails: "not found" is an answer here; no permission and no connection are errors.
    @Test
    @DisplayName("S-05 a file is a file and nothing is absent")
    void s_05_a_file_is_a_file_and_nothing_is_absent() throws Exception {
        assertEquals(Storage.Kind.FILE, storage.kind(write("weights.bin", bytes(10))), "a file");
        assertEquals(Storage.Kind.FILE, storage.kind(write("empty", new byte[0])), "an empty file");
        assertEquals(Storage.Kind.ABSENT, storage.kind(fixture.location("nothing")), "nothing");
        assertEquals(Storage.Kind.ABSENT, storage.kind(fixture.location("nothing").resolve("below")),
                "below nothing");
    }

    /// What a location names is what it names now, not what it named when it was asked for first.
    ///
    /// If it fails: ask each time; a checkpoint may be written while a program waits for it.
    @Test
    @DisplayName("S-06 a kind follows what happens")
    void s_06_a_kind_follows_what_happens() throws Exception {
        Location file = fixture.location("weights.bin");
        assertEquals(Storage.Kind.ABSENT, storage.kind(file), "before it is written");
        fixture.write(file, bytes(10));
        assertEquals(Storage.Kind.FILE, storage.kind(file), "after it was written");
        fixture.delete(file);
        assertEquals(Storage.Kind.ABSENT, storage.kind(file), "after it was deleted");
    }

    /// A directory is a DIRECTORY, also an empty one. Needs a storage that lists.
    ///
    /// If it fails: a prefix that objects have is a directory.
    @Test
    @DisplayName("S-07 a directory is a directory")
    void s_07_a_directory_is_a_directory() throws Exception {
        Location directory = directory("d");
        fixture.write(directory.resolve("f"), bytes(10));
        assertEquals(Storage.Kind.DIRECTORY, storage.kind(directory));
        assertEquals(Storage.Kind.DIRECTORY, storage.kind(directory("empty")), "an empty directory");
    }

    /// Something that is neither a file nor a directory is OTHER, and asking does not wait for it.
    ///
    /// If it fails: ask for the type before anything is opened; opening a pipe waits for a writer.
    @Test
    @DisplayName("S-08 something else is other")
    void s_08_something_else_is_other() throws Exception {
        Location other = fixture.location("other");
        fixture.makeOther(other);
        assertEquals(Storage.Kind.OTHER, storage.kind(other));
    }

    /// A list holds every entry once, with its name, kind and a location that opens. Needs a storage that lists.
    ///
    /// If it fails: a full run lists 1100 entries; a service that lists by pages says where the next one begins.
    @Test
    @DisplayName("S-09 a list holds every entry once")
    void s_09_a_list_holds_every_entry_once() throws Exception {
        Location directory = directory("d");
        Map<String, Storage.Kind> expected = new TreeMap<>();
        for (int i = 0; i < (isQuick() ? 40 : 1100); i++) {
            String name = "f" + i;
            fixture.write(directory.resolve(name), name.getBytes(StandardCharsets.UTF_8));
            expected.put(name, Storage.Kind.FILE);
        }
        fixture.makeDirectory(directory.resolve("sub"));
        fixture.write(directory.resolve("sub").resolve("inner"), new byte[1]);
        expected.put("sub", Storage.Kind.DIRECTORY);
        List<StorageEntry> entries = storage.list(directory);
        Map<String, Storage.Kind> found = new TreeMap<>();
        for (StorageEntry entry : entries) {
            assertFalse(found.containsKey(entry.name()), () -> entry.name() + " is listed twice");
            found.put(entry.name(), entry.kind());
            if (entry.kind() == Storage.Kind.FILE && (isQuick() || entry.name().endsWith("7"))) {
                assertBytes(entry.name().getBytes(StandardCharsets.UTF_8), readAll(entry.location()),
                        "what " + entry + " names");
            }
        }
        assertEquals(expected, found);
    }

    /// An empty directory has an empty list; a directory that is not there has none: StorageException. Needs a storage
    /// that lists.
    ///
    /// If it fails: the difference tells a user whether the path is wrong or the download is.
    @Test
    @DisplayName("S-10 an empty list is not a missing directory")
    void s_10_an_empty_list_is_not_a_missing_directory() throws Exception {
        Location empty = directory("empty");
        assertEquals(List.of(), storage.list(empty), "an empty directory");
        Location absent = fixture.location("missing-weights");
        assertNames(absent, assertStorageFails(() -> storage.list(absent), "listing a directory that is not there"));
    }

    /// A storage that cannot list says so by an [UnsupportedFeatureException] with its scheme. For storages that do not
    /// list.
    ///
    /// If it fails: do not override `list`; the default says it and what to do.
    @Test
    @DisplayName("S-11 a storage that cannot list says so")
    void s_11_a_storage_that_cannot_list_says_so() {
        if (fixture.lists()) {
            Assumptions.abort("the storage lists");
        }
        Location location = fixture.location("d");
        UnsupportedFeatureException refused = assertThrows(UnsupportedFeatureException.class,
                () -> storage.list(location));
        assertTrue(String.valueOf(refused.getMessage()).contains(location.scheme()), refused::getMessage);
    }

    /// Names with spaces, percent signs, question marks and letters of any alphabet name their own files.
    ///
    /// If it fails: decode a location's names once, and encode them for your service; `a%20b` is not `a b`.
    @Test
    @DisplayName("S-12 any name names its own file")
    void s_12_any_name_names_its_own_file() throws Exception {
        for (String name : NAMES) {
            write(name, name.getBytes(StandardCharsets.UTF_8));
        }
        for (String name : NAMES) {
            Location location = fixture.location(name);
            assertEquals(name, location.name(), "the fixture's location");
            assertEquals(Storage.Kind.FILE, storage.kind(location), () -> "kind of \"" + name + "\"");
            assertBytes(name.getBytes(StandardCharsets.UTF_8), readAll(location), "file \"" + name + "\"");
        }
    }

    /// A pinned location is the same each time, pins to itself and names the same bytes; if it is another one than was
    /// pinned, it goes on doing so when the file is replaced.
    ///
    /// If it fails: find out what a moving name means once for each storage; most storages have nothing to pin.
    @Test
    @DisplayName("S-13 a pin is stable")
    void s_13_a_pin_is_stable() throws Exception {
        byte[] content = bytes(100);
        Location file = write("weights.bin", content);
        Location pinned = storage.pin(file);
        assertNotNull(pinned, "pinned");
        assertEquals(pinned, storage.pin(file), "pinned twice");
        assertEquals(pinned, storage.pin(pinned), "a pinned location, pinned");
        assertBytes(content, readAll(pinned), "the file of a pinned location");
        if (!pinned.equals(file)) {
            fixture.write(file, bytes(200));
            assertBytes(content, readAll(pinned), "the file of a pinned location, after another one took its place");
        }
    }

    private Location directory(String name) throws Exception {
        if (!fixture.lists()) {
            Assumptions.abort("the storage does not list");
        }
        Location directory = fixture.location(name);
        fixture.makeDirectory(directory);
        return directory;
    }
}
