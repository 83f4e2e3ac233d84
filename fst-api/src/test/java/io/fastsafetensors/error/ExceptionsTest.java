package io.fastsafetensors.error;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExceptionsTest {
    private static final Where WHERE = Where.file(Path.of("/m/x.safetensors")).withTensor("a\u0000b\u001b[31m")
            .withOffset(17).withBackend("cpu");

    private static List<FstException> family() {
        return List.of(new FormatException(FormatError.INVALID_OFFSET, "d", WHERE), new StorageException("d", WHERE),
                new TensorNotFoundException("n", "hint"), new SliceException(SliceException.Reason.TOO_MANY_SLICES, "d",
                        WHERE),
                new BackendException("d", WHERE), new OutOfDeviceMemoryException(10, 5, WHERE),
                new BackendUnavailableException("cuda:0", List.of("cpu: no")), new BudgetException("t", 10, 4),
                new GroupException("d", WHERE), new ConfigException("d", WHERE),
                new UnsupportedFeatureException("d", WHERE), new LoadInterruptedException("tensor \"t\"", WHERE));
    }

    @Test
    void every_class_of_the_family_survives_serialisation() throws IOException, ClassNotFoundException {
        for (FstException e : family()) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
                out.writeObject(e);
            }
            try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
                FstException copy = (FstException) in.readObject();
                assertEquals(e.getClass(), copy.getClass());
                assertEquals(e.getMessage(), copy.getMessage());
                assertEquals(e.where(), copy.where());
            }
        }
    }

    @Test
    void a_copy_has_the_type_the_words_and_the_facts_and_names_the_original_as_its_cause() {
        for (FstException e : family()) {
            FstException copy = e.copy();
            assertEquals(e.getClass(), copy.getClass());
            assertEquals(e.getMessage(), copy.getMessage());
            assertEquals(e.where(), copy.where());
            assertEquals(e.errorName(), copy.errorName());
            assertSame(e, copy.getCause());
        }
        OutOfDeviceMemoryException memory = new OutOfDeviceMemoryException(10, 5, WHERE).copy();
        assertEquals(List.of(10L, 5L), List.of(memory.requested(), memory.free()));
        assertEquals(6, new BudgetException("t", 10, 4).copy().shortfall());
        assertEquals(FormatError.INVALID_OFFSET,
                new FormatException(FormatError.INVALID_OFFSET, "d", WHERE).copy().error());
        assertEquals(SliceException.Reason.TOO_MANY_SLICES,
                new SliceException(SliceException.Reason.TOO_MANY_SLICES, "d", WHERE).copy().reason());
    }

    @Test
    void messages_name_the_place_and_show_no_control_characters() {
        String message = new StorageException("read failed", WHERE).getMessage();
        assertEquals("read failed [file /m/x.safetensors, tensor a\\u0000b\\u001b[31m, offset 17, backend cpu]",
                message);
    }

    @Test
    void error_names_are_the_references() {
        assertEquals("InvalidOffset", new FormatException(FormatError.INVALID_OFFSET, "d", WHERE).errorName());
        assertEquals("TooManySlices",
                new SliceException(SliceException.Reason.TOO_MANY_SLICES, "d", WHERE).errorName());
        assertEquals("Storage", new StorageException("d", WHERE).errorName());
    }

    @Test
    void long_and_broken_names_are_cut_and_escaped() {
        String shown = Printable.escape("x".repeat(2000));
        assertTrue(shown.length() < 600 && shown.contains("2000 characters"), shown);
        assertEquals("\\ud800x", Printable.escape("\ud800x"));
        assertEquals("\ud83d\ude00", Printable.escape("\ud83d\ude00"));
        assertEquals("a\\u202eb", Printable.escape("a\u202eb"));
        assertFalse(Printable.escape("\u009b").contains("\u009b"));
    }
}
