package io.fastsafetensors.core.header;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.types.TensorInfo;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Whatever the file, it is refused in the ordinary way or it is what it claims to be.
class MutationTest {
    private static final int FILES = 4000;

    @TempDir
    Path directory;

    @Test
    void nearly_right_files_are_refused_or_sound() {
        long seed = Long.getLong("fst.seed", new SplittableRandom().nextLong());
        Mutations mutations = new Mutations(new SplittableRandom(seed));
        Path file = directory.resolve("mutated.safetensors");
        int accepted = 0;
        for (int i = 0; i < FILES; i++) {
            byte[] bytes = mutations.next();
            TestFile.write(file, bytes);
            String message = "-Dfst.seed=" + seed + ", file " + i;
            try {
                assertSound(Opened.header(file, OpenOptions.defaults()), bytes.length, message);
                accepted++;
            } catch (FormatException e) {
                assertTrue(e.getMessage().contains(file.toString()), message);
            } catch (RuntimeException | StackOverflowError e) {
                throw new AssertionError(message, e);
            }
        }
        // Both outcomes must have been seen, or nothing was tested.
        assertTrue(accepted > FILES / 100 && accepted < FILES, accepted + " accepted, -Dfst.seed=" + seed);
    }

    private static void assertSound(FileHeader header, int length, String message) {
        assertEquals(length, header.fileLength(), message);
        long end = header.dataStart();
        Set<String> names = new HashSet<>();
        for (TensorInfo tensor : header.tensors()) {
            assertEquals(end, tensor.fileOffset(), message);
            assertEquals(tensor.dtype().byteSize(tensor.shape().elements()), tensor.byteSize(), message);
            assertTrue(names.add(tensor.name()), message);
            end = tensor.fileEnd();
        }
        assertEquals(length, end, message);
    }
}
