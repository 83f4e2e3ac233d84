package io.fastsafetensors.spi.ffm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.UnsupportedFeatureException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@EnabledOnOs(OS.LINUX)
class PrivateLibraryTest {
    private static final String RESOURCE = "io/fastsafetensors/spi/ffm/PrivateLibraryTest.class";
    private static final String TMPDIR = "java.io.tmpdir";

    private final String before = System.getProperty(TMPDIR);

    @Test
    void while_it_loads_the_binding_finds_the_file_in_a_directory_of_its_own() throws IOException {
        AtomicReference<Path> place = new AtomicReference<>();
        PrivateLibrary.load(PrivateLibraryTest.class, RESOURCE, () -> {
            Path directory = Path.of(System.getProperty(TMPDIR));
            place.set(directory);
            assertNotEquals(before, directory.toString());
            try (InputStream original = PrivateLibraryTest.class.getClassLoader().getResourceAsStream(RESOURCE)) {
                assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(directory)));
                assertArrayEquals(original.readAllBytes(),
                        Files.readAllBytes(directory.resolve("PrivateLibraryTest.class")));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        assertEquals(before, System.getProperty(TMPDIR));
        assertFalse(Files.exists(place.get()), place + " was left behind");
    }

    @Test
    void a_binding_that_fails_leaves_nothing_behind() {
        AtomicReference<Path> place = new AtomicReference<>();
        UnsatisfiedLinkError error = assertThrows(UnsatisfiedLinkError.class,
                () -> PrivateLibrary.load(PrivateLibraryTest.class, RESOURCE, () -> {
                    place.set(Path.of(System.getProperty(TMPDIR)));
                    throw new UnsatisfiedLinkError("libdriver.so.1");
                }));
        assertEquals("libdriver.so.1", error.getMessage());
        assertEquals(before, System.getProperty(TMPDIR));
        assertFalse(Files.exists(place.get()), place + " was left behind");
    }

    @Test
    void without_the_library_the_binding_is_not_asked() {
        UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                () -> PrivateLibrary.load(PrivateLibraryTest.class, "lib/libnobody.so", () -> {
                    throw new AssertionError("asked");
                }));
        assertTrue(e.getMessage().contains("lib/libnobody.so"), e.getMessage());
        assertEquals(before, System.getProperty(TMPDIR));
    }

    @Test
    void a_property_that_was_not_set_is_not_set_afterwards() {
        System.clearProperty(TMPDIR);
        try {
            PrivateLibrary.load(PrivateLibraryTest.class, RESOURCE, () -> assertTrue(
                    Files.exists(Path.of(System.getProperty(TMPDIR)))));
            assertNull(System.getProperty(TMPDIR));
        } finally {
            System.setProperty(TMPDIR, before);
        }
    }
}
