package io.fastsafetensors.core.write;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.core.storage.ScriptedLibC;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DiskSpaceTest {
    private static final int EINTR = 4;
    private static final Path FILE = Path.of("model.safetensors");

    @TempDir
    private Path directory;
    private final Scripted libc = new Scripted();

    /// Fails as its lists say, one call after the other, and works after that.
    private static final class Scripted extends ScriptedLibC {
        private final List<Integer> openErrnos = new ArrayList<>();
        private final List<Integer> fallocateErrnos = new ArrayList<>();
        private int openFiles;
        private int allocations;
        private int errno;

        Scripted() {
            super(new byte[0]);
        }

        private boolean fails(List<Integer> errnos) {
            errno = errnos.isEmpty() ? 0 : errnos.removeFirst();
            return errno != 0;
        }

        @Override
        public int open(byte[] path, int flags) {
            if (fails(openErrnos)) {
                return -1;
            }
            openFiles++;
            return 5;
        }

        @Override
        public int close(int fd) {
            openFiles--;
            errno = 0;
            return 0;
        }

        @Override
        public int fallocate(int fd, int mode, long offset, long length) {
            if (fails(fallocateErrnos)) {
                return -1;
            }
            allocations++;
            return 0;
        }

        @Override
        public int errno() {
            return errno;
        }
    }

    @AfterEach
    void nothing_stays_open() {
        assertEquals(0, libc.openFiles);
    }

    @ParameterizedTest
    @CsvSource({"28, No space left on device", "122, Disk quota exceeded", "27, File too large"})
    void a_lack_of_room_is_said_with_its_size(int errno, String words) {
        libc.fallocateErrnos.add(errno);
        IOException e = assertThrows(IOException.class, () -> new DiskSpace(libc).reserve(FILE, 4096));
        assertTrue(e.getMessage().startsWith(words + ": it takes 4096 bytes"), e.getMessage());
    }

    @Test
    void what_cannot_fit_takes_nothing_from_others() {
        Path file = directory.resolve("large.safetensors");
        IOException e = assertThrows(IOException.class, () -> new DiskSpace(libc).reserve(file, Long.MAX_VALUE));
        assertTrue(e.getMessage().startsWith("No space left on device: it takes " + Long.MAX_VALUE + " bytes, and "),
                e.getMessage());
        assertEquals(0, libc.allocations);
    }

    /// EOPNOTSUPP, ENOSYS, EINVAL, EIO: what writes meet later, they say themselves.
    @ParameterizedTest
    @ValueSource(ints = {95, 38, 22, 5})
    void a_file_system_that_cannot_is_no_error(int errno) throws IOException {
        libc.fallocateErrnos.add(errno);
        new DiskSpace(libc).reserve(FILE, 4096);
        assertEquals(0, libc.allocations);
    }

    @Test
    void an_interrupted_call_is_repeated() throws IOException {
        libc.fallocateErrnos.addAll(List.of(EINTR, EINTR, EINTR));
        new DiskSpace(libc).reserve(FILE, 4096);
        assertEquals(1, libc.allocations);
    }

    @Test
    void a_file_that_does_not_open_is_left_to_the_writer() throws IOException {
        libc.openErrnos.add(13);
        new DiskSpace(libc).reserve(FILE, 4096);
        assertEquals(0, libc.allocations);
    }

    @Test
    void nothing_is_asked_for_an_empty_file_or_without_the_calls() throws IOException {
        new DiskSpace(libc).reserve(FILE, 0);
        new DiskSpace(null).reserve(FILE, 4096);
        assertEquals(0, libc.allocations);
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void a_real_file_gets_its_length_and_zeros() throws IOException {
        Path file = Files.createFile(directory.resolve("real"));
        DiskSpace.platform().reserve(file, 10_000);
        assertEquals(-1, Arrays.mismatch(new byte[10_000], Files.readAllBytes(file)));
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void more_than_the_disk_has_is_refused_before_anything_is_written() throws IOException {
        Path target = directory.resolve("large.safetensors");
        long bytes = Files.getFileStore(directory).getTotalSpace() * 2;
        IOException e = assertThrows(IOException.class, () -> AtomicFile.create(target, bytes).close());
        assertTrue(e.getMessage().contains(bytes + " bytes"), e.getMessage());
        try (Stream<Path> left = Files.list(directory)) {
            assertEquals(List.of(), left.toList());
        }
    }
}
