package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.DescriptorAccess;
import io.fastsafetensors.spi.storage.DirectReads;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.fixture.Seed;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// Rules on optional abilities: they agree with what plain reads bring. Not applicable where a file lacks the ability.
abstract class AbilityRules extends StorageRuleGroup {
    /// The abilities that the rules know.
    static final List<Class<?>> TYPES = List.of(CacheResidency.class, DirectReads.class, Mapping.class,
            DescriptorAccess.class);

    private static final int LENGTH = (1 << 18) + 1234;
    private static final int SECTOR = 4096;
    /// The largest page size of a machine that runs Linux.
    private static final int PAGE = 1 << 16;

    private byte[] content;
    private StorageFile file;

    @SuppressWarnings("NullAway.Init")
    AbilityRules(StorageConformance suite) {
        super(suite);
    }

    @BeforeEach
    void openFile() throws Exception {
        content = bytes(LENGTH);
        file = open("f", content);
    }

    @AfterEach
    @SuppressWarnings("ConstantValue")
    void closeFile() {
        if (file != null) {
            file.close();
        }
    }

    private <A> A need(Class<A> type) {
        return file.ability(type)
                .orElseGet(() -> Assumptions.abort(file.storageName() + " has no " + type.getSimpleName()));
    }

    /// A file has the abilities that the fixture claims, and none of a type that does not exist.
    ///
    /// If it fails: `ability` answers with an empty Optional for what it does not know, never with null.
    @Test
    @DisplayName("Y-01 claimed abilities are there")
    void y_01_claimed_abilities_are_there() {
        for (Class<?> type : fixture.abilities()) {
            assertTrue(file.ability(type).isPresent(), () -> "no " + type.getSimpleName());
        }
        for (Class<?> type : TYPES) {
            assertNotNull(file.ability(type), () -> type.getSimpleName());
        }
        assertTrue(file.ability(Unknown.class).isEmpty(), "an ability of a type that does not exist");
    }

    /// A type that no storage can know.
    private interface Unknown {
    }

    /// Of a range that the file has, the page cache holds none to all bytes; −1 stands for unknown.
    ///
    /// If it fails: the first and the last page of a range are cut to it.
    @Test
    @DisplayName("Y-02 cached bytes are bytes of the range")
    void y_02_cached_bytes_are_bytes_of_the_range() {
        CacheResidency cache = need(CacheResidency.class);
        RandomGenerator random = random();
        readAll(file);
        for (int round = 0; round < 40; round++) {
            int size = 1 + random.nextInt(round % 2 == 0 ? 5000 : LENGTH);
            int from = round < 4 ? LENGTH - size : random.nextInt(LENGTH - size + 1);
            long cached = cache.cachedBytes(from, size);
            assertTrue(cached >= -1 && cached <= size, () -> "of " + size + " bytes from " + from + " " + cached
                    + " are said to be in the page cache" + Seed.note());
        }
    }

    /// A read from the page cache brings the beginning of the range, or nothing, and writes nothing around it.
    ///
    /// If it fails: stop at the first byte that is not there; a later one that is does not count.
    @Test
    @DisplayName("Y-03 reads of the page cache bring the file's bytes")
    void y_03_reads_of_the_page_cache_bring_the_files_bytes() {
        CacheResidency cache = need(CacheResidency.class);
        RandomGenerator random = random();
        readAll(file);
        for (int round = 0; round < 40; round++) {
            int size = 1 + random.nextInt(round % 2 == 0 ? 5000 : 70_000);
            int from = random.nextInt(LENGTH);
            checkRead(cache::readCached, from, random.nextInt(5000), size, range(content, from, size), 0);
        }
        assertEquals(0, checkRead(cache::readCached, LENGTH, 10, 100, new byte[0], 0), "bytes at the end");
    }

    /// A direct read of whole sectors brings the file's bytes, up to the end and no further, and writes nothing around
    /// its target; or it is refused, and from then on `isDirect()` is false and plain reads go on.
    ///
    /// If it fails: the last part comes back short; cut its count at the file's length.
    @Test
    @DisplayName("Y-04 direct reads bring the file's bytes")
    void y_04_direct_reads_bring_the_files_bytes() {
        DirectReads direct = need(DirectReads.class);
        RandomGenerator random = random();
        for (int round = 0; round < 20; round++) {
            int sectors = 1 + random.nextInt(20);
            int from = SECTOR * random.nextInt(LENGTH / SECTOR + 1);
            if (!checkDirect(direct, from, sectors * SECTOR)) {
                return;
            }
        }
        checkDirect(direct, LENGTH / SECTOR * SECTOR, 2 * SECTOR);
        checkDirect(direct, (LENGTH / SECTOR + 1) * SECTOR, SECTOR);
    }

    /// @return false if the storage refuses
    private boolean checkDirect(DirectReads direct, int from, int size) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment target = arena.allocate(size + 2L * SECTOR, SECTOR);
            target.fill(FILLER);
            boolean wasDirect = direct.isDirect();
            long count = direct.readDirect(from, target, SECTOR, size);
            String what = size + " bytes read directly from " + from;
            if (count == DirectReads.REFUSED) {
                assertFalse(direct.isDirect(), "isDirect() after a direct read was refused");
                assertBytes(content, readAll(file), "a file that refused a direct read");
                return false;
            }
            assertTrue(wasDirect, "isDirect() before a direct read that worked");
            byte[] expected = range(content, from, size);
            assertTrue(count <= expected.length && count >= Math.min(1, expected.length), () -> what + ": " + count
                    + " returned, should be 1 to " + expected.length + Seed.note());
            byte[] actual = target.toArray(ValueLayout.JAVA_BYTE);
            assertBytes(range(expected, 0, (int) count), range(actual, SECTOR, (int) count), what);
            assertBytes(Workbench.filler(SECTOR), range(actual, 0, SECTOR), "memory before " + what);
            assertBytes(Workbench.filler(SECTOR), range(actual, SECTOR + size, SECTOR), "memory behind " + what);
            return true;
        }
    }

    /// A mapping of any range that begins at a page holds the file's bytes.
    ///
    /// If it fails: the mapping is as long as was asked for, not rounded up to pages.
    @Test
    @DisplayName("Y-05 a mapping holds the file's bytes")
    void y_05_a_mapping_holds_the_files_bytes() {
        Mapping mapping = need(Mapping.class);
        try (Arena arena = Arena.ofShared()) {
            for (int from = 0; from < LENGTH; from += PAGE) {
                for (int size : new int[] {1, SECTOR, LENGTH - from}) {
                    int bytes = Math.min(size, LENGTH - from);
                    MemorySegment mapped = mapping.map(from, bytes, arena);
                    assertEquals(bytes, mapped.byteSize(), "size of the mapping");
                    assertBytes(range(content, from, bytes), mapped.toArray(ValueLayout.JAVA_BYTE),
                            "a mapping of " + bytes + " bytes from " + from);
                }
            }
        }
    }

    /// A mapping lives as long as its arena: longer than its file, and not longer than the arena.
    ///
    /// If it fails: attach it to the arena; the descriptor is not needed once it is mapped.
    @Test
    @DisplayName("Y-06 a mapping lives as long as its arena")
    void y_06_a_mapping_lives_as_long_as_its_arena() {
        Mapping mapping = need(Mapping.class);
        MemorySegment mapped;
        OpenResources before = OpenResources.now(fixture::owns);
        try (Arena arena = Arena.ofShared()) {
            mapped = mapping.map(0, LENGTH, arena);
            file.close();
            assertBytes(content, mapped.toArray(ValueLayout.JAVA_BYTE), "a mapping whose file was closed");
        }
        assertThrows(IllegalStateException.class, () -> mapped.get(ValueLayout.JAVA_BYTE, 0),
                "a mapping whose arena was closed");
        assertEquals(List.of(), before.moreNow(), "left after the arena was closed");
    }

    /// The descriptor is the file's: what `/proc/self/fd` opens by its number has the same bytes. For Linux.
    ///
    /// If it fails: do not lend a descriptor of another version, or one that is closed already.
    @Test
    @DisplayName("Y-07 the descriptor opens the same file")
    void y_07_the_descriptor_opens_the_same_file() throws IOException {
        checkDescriptor(need(DescriptorAccess.class));
    }

    private void checkDescriptor(DescriptorAccess access) throws IOException {
        int descriptor = access.descriptor();
        Path link = Path.of("/proc/self/fd/" + descriptor);
        if (!Files.isDirectory(link.resolveSibling(""))) {
            Assumptions.abort("no /proc/self/fd here");
        }
        assertTrue(descriptor >= 0 && Files.exists(link), () -> "descriptor " + descriptor + " is not open");
        assertBytes(content, Files.readAllBytes(link), "what descriptor " + descriptor + " opens");
        assertEquals(descriptor, access.descriptor(), "the descriptor, asked again");
    }

    /// After the file was replaced, its abilities bring the bytes of the version that was opened, or `currentIdentity()`
    /// is another one, or they fail.
    ///
    /// If it fails: abilities use what was opened; none opens the location again.
    @Test
    @DisplayName("Y-08 abilities bring the version that was opened")
    void y_08_abilities_bring_the_version_that_was_opened() throws Exception {
        if (TYPES.stream().allMatch(type -> file.ability(type).isEmpty())) {
            Assumptions.abort(file.storageName() + " has no ability");
        }
        fixture.write(file.location(), bytes(2 * LENGTH));
        if (!file.currentIdentity().equals(file.identity())) {
            return;
        }
        file.ability(CacheResidency.class)
                .ifPresent(cache -> checkRead(cache::readCached, 0, 0, 5000, range(content, 0, 5000), 0));
        file.ability(DirectReads.class).ifPresent(direct -> checkDirect(direct, 0, SECTOR));
        file.ability(Mapping.class).ifPresent(mapping -> {
            try (Arena arena = Arena.ofShared()) {
                assertBytes(content, mapping.map(0, LENGTH, arena).toArray(ValueLayout.JAVA_BYTE),
                        "a mapping after the file was replaced");
            }
        });
        Optional<DescriptorAccess> access = file.ability(DescriptorAccess.class);
        if (access.isPresent()) {
            checkDescriptor(access.get());
        }
    }

    /// Abilities end with their file: afterwards each is an [IllegalStateException].
    ///
    /// If it fails: the descriptor's number may be another file's by now; check the file's flag first.
    @Test
    @DisplayName("Y-09 abilities end with their file")
    void y_09_abilities_end_with_their_file() {
        List<Object> abilities = TYPES.stream().<Object>flatMap(type -> file.ability(type).stream()).toList();
        if (abilities.isEmpty()) {
            Assumptions.abort(file.storageName() + " has no ability");
        }
        file.close();
        try (Arena arena = Arena.ofShared()) {
            MemorySegment target = arena.allocate(SECTOR, SECTOR);
            for (Object ability : abilities) {
                if (ability instanceof CacheResidency cache) {
                    assertThrows(IllegalStateException.class, () -> cache.cachedBytes(0, 100), "cachedBytes");
                    assertThrows(IllegalStateException.class, () -> cache.readCached(0, target, 0, 100), "readCached");
                }
                if (ability instanceof DirectReads direct) {
                    assertThrows(IllegalStateException.class, () -> direct.readDirect(0, target, 0, SECTOR),
                            "readDirect");
                }
                if (ability instanceof Mapping mapping) {
                    assertThrows(IllegalStateException.class, () -> mapping.map(0, 100, arena), "map");
                }
                if (ability instanceof DescriptorAccess access) {
                    assertThrows(IllegalStateException.class, access::descriptor, "descriptor");
                }
            }
        }
    }

    /// Many threads use the abilities and plain reads of one file at once.
    ///
    /// If it fails: as H-05.
    @Test
    @DisplayName("Y-10 many threads use abilities at once")
    void y_10_many_threads_use_abilities_at_once() throws Exception {
        if (file.ability(CacheResidency.class).isEmpty() && file.ability(DirectReads.class).isEmpty()) {
            Assumptions.abort(file.storageName() + " has neither CacheResidency nor DirectReads");
        }
        Threads.together(6, thread -> {
            RandomGenerator random = Seed.random("Y-10." + thread);
            for (int i = 0; i < (isQuick() ? 20 : 200); i++) {
                int from = SECTOR * random.nextInt(LENGTH / SECTOR);
                file.ability(CacheResidency.class).ifPresent(cache -> checkRead(cache::readCached, from, 100, SECTOR,
                        range(content, from, SECTOR), 0));
                file.ability(DirectReads.class).ifPresent(direct -> checkDirect(direct, from, 2 * SECTOR));
                checkRead(file::read, from, 100, SECTOR, range(content, from, SECTOR), 1);
            }
        });
    }
}
