package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.function.Executable;

/// A group of rules for storages. Each test gets a provider, a fixture and an open storage of its own.
abstract class StorageRuleGroup {
    /// What native memory holds before a read.
    static final byte FILLER = (byte) 0xA5;
    private static final int MARGIN = 64;

    final StorageConformance suite;
    StorageProvider provider;
    StorageFixture fixture;
    Storage storage;

    @SuppressWarnings("NullAway.Init")
    StorageRuleGroup(StorageConformance suite) {
        this.suite = suite;
    }

    @BeforeEach
    void openStorage() throws Exception {
        provider = suite.provider();
        suite.obstacle().ifPresent(reason -> {
            String name = provider.schemes().stream().filter(Requirement::isRequired).findFirst()
                    .orElseGet(() -> String.join(",", provider.schemes()));
            throw Requirement.unavailable("storage", name, reason);
        });
        fixture = suite.fixture();
        storage = provider.open(suite.options());
    }

    @AfterEach
    @SuppressWarnings("ConstantValue")
    void closeStorage() throws Exception {
        try {
            if (storage != null) {
                storage.close();
            }
        } finally {
            if (fixture != null) {
                fixture.close();
            }
        }
    }

    boolean isQuick() {
        return suite.effort() == Effort.QUICK;
    }

    /// This run's generator for the group.
    RandomGenerator random() {
        return Seed.random(getClass().getSimpleName());
    }

    /// Random bytes.
    byte[] bytes(int count) {
        return Workbench.bytes(random(), count);
    }

    /// A new file that holds these bytes.
    Location write(String name, byte[] bytes) throws Exception {
        Location file = fixture.location(name);
        fixture.write(file, bytes);
        return file;
    }

    /// Opens a new file that holds these bytes.
    StorageFile open(String name, byte[] bytes) throws Exception {
        return storage.open(write(name, bytes));
    }

    /// Every byte of a location's file now.
    byte[] readAll(Location location) {
        try (StorageFile file = storage.open(location)) {
            return readAll(file);
        }
    }

    static byte[] readAll(StorageFile file) {
        return read(file, 0, Math.toIntExact(file.length()));
    }

    /// Reads a range that the file has, in as many reads as it takes, into the middle of native memory.
    static byte[] read(StorageFile file, long offset, int size) {
        return read(file::read, offset, size);
    }

    /// One read of a file, whatever the method.
    interface Read {
        long run(long offset, MemorySegment target, long targetOffset, long bytes);
    }

    static byte[] read(Read read, long offset, int size) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment target = arena.allocate(Math.max(1, size));
            int done = 0;
            while (done < size) {
                long count = read.run(offset + done, target, done, size - done);
                if (count < 1 || count > size - done) {
                    fail("a read of " + (size - done) + " bytes at offset " + (offset + done) + " returned " + count
                            + Seed.note());
                }
                done += (int) count;
            }
            return target.asSlice(0, size).toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /// Reads once into the middle of filled memory, and checks the count, the bytes and that nothing else was written.
    ///
    /// @param content what the file holds from `offset` on, at least as many bytes as may come
    /// @param least the smallest count that is right
    /// @return how many bytes came
    static long checkRead(Read read, long offset, int before, int size, byte[] content, long least) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment target = arena.allocate(before + size + MARGIN);
            target.fill(FILLER);
            long count = read.run(offset, target, before, size);
            String what = size + " bytes at offset " + offset + " into memory at " + before;
            assertTrue(count >= least && count <= Math.min(size, content.length),
                    () -> what + ": " + count + " returned, should be " + least + " to "
                            + Math.min(size, content.length) + Seed.note());
            byte[] expected = Workbench.filler(before + size + MARGIN);
            System.arraycopy(content, 0, expected, before, (int) count);
            byte[] actual = target.toArray(ValueLayout.JAVA_BYTE);
            // Memory behind a short read, up to the size asked for, may hold anything.
            System.arraycopy(expected, before + (int) count, actual, before + (int) count, size - (int) count);
            Workbench.assertSame(expected, actual, what);
            return count;
        }
    }

    /// The bytes of a range, cut at the content's end.
    static byte[] range(byte[] content, long from, int size) {
        int begin = (int) Math.min(from, content.length);
        return Arrays.copyOfRange(content, begin, Math.min(content.length, begin + size));
    }

    /// Runs what must fail as a storage does, and returns the exception.
    static StorageException assertStorageFails(Executable action, String what) {
        try {
            action.execute();
        } catch (StorageException e) {
            return e;
        } catch (Throwable e) {
            throw new AssertionError(what + " threw " + e + ", should be a StorageException", e);
        }
        return fail(what + " worked, should be a StorageException");
    }

    /// An exception's messages and those of its causes, as a stack trace shows them.
    static String allMessages(Throwable thrown) {
        StringBuilder text = new StringBuilder();
        for (Throwable t = thrown; t != null; t = t.getCause()) {
            text.append(t).append('\n');
            for (Throwable suppressed : t.getSuppressed()) {
                text.append(suppressed).append('\n');
            }
        }
        return text.toString();
    }

    static void assertNames(Location location, Throwable thrown) {
        String message = String.valueOf(thrown.getMessage());
        assertTrue(message.contains(location.name()), () -> "the message does not name " + location + ": " + message);
        assertTrue(!message.contains("null"), () -> "the message says null: " + message);
        boolean says = !(thrown instanceof FstException failure) || !message.equals(failure.where().toString());
        assertTrue(says, () -> "the message names the place and not what is wrong: " + message);
    }

    static void assertBytes(byte[] expected, byte[] actual, String what) {
        assertEquals(expected.length, actual.length, () -> what + ": size" + Seed.note());
        Workbench.assertSame(expected, actual, what);
    }
}
