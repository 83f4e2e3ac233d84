package io.fastsafetensors.storage.http;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.StorageFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.function.Executable;

/// The common parts of tests of remote storage.
final class Remote {
    private Remote() {
    }

    /// Settings under which failures come soon.
    static Map<String, String> quick(String... more) {
        Map<String, String> all = new HashMap<>(Map.of("http.retryDelay", "0.001", "http.retries", "3"));
        for (int i = 0; i < more.length; i += 2) {
            all.put(more[i], more[i + 1]);
        }
        return all;
    }

    static byte[] bytes(int size) {
        byte[] bytes = new byte[size];
        new Random(size).nextBytes(bytes);
        return bytes;
    }

    static byte[] read(StorageFile file, long offset, int size) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment target = arena.allocate(size);
            for (int done = 0; done < size;) {
                long count = file.read(offset + done, target, done, size - done);
                assertTrue(count > 0, () -> "nothing at " + offset);
                done += (int) count;
            }
            return target.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    static void assertContent(byte[] content, StorageFile file) {
        assertArrayEquals(content, read(file, 0, content.length));
    }

    /// The message of what must fail as a storage does.
    static String failure(Executable action) {
        String message = String.valueOf(assertThrows(StorageException.class, action).getMessage());
        assertTrue(!message.contains("null"), message);
        return message;
    }

    static void assertSays(String message, String... parts) {
        for (String part : parts) {
            assertTrue(message.contains(part), () -> "should contain \"" + part + "\": " + message);
        }
    }
}
