package io.fastsafetensors.core.header;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.CheckpointNote;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.error.FormatException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every line of the table.
class VerdictTest {
    @TempDir
    Path directory;

    static List<VerdictFiles.Case> cases() {
        return VerdictFiles.all();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void each_verdict_is_the_tables(VerdictFiles.Case one) {
        Path path = directory.resolve(one.name());
        one.writer().accept(path);
        assertEquals(one.verdict(), verdict(path, OpenOptions.defaults()));
        assertEquals(one.strictVerdict(), verdict(path, OpenOptions.defaults().withStrict(true)));
        if (one.verdict().equals(VerdictFiles.OK)) {
            List<CheckpointNote> notes = Opened.checkpoint(path, OpenOptions.defaults()).notes();
            assertEquals(one.strictVerdict(), notes.isEmpty() ? VerdictFiles.OK : notes.getFirst().errorName());
            for (CheckpointNote note : notes) {
                assertTrue(note.toString().startsWith("[" + note.errorName() + "] ")
                        && note.toString().contains(directory.toString()), note.toString());
                assertTrue(note.toString().chars().noneMatch(Character::isISOControl), note.toString());
            }
        }
    }

    private String verdict(Path path, OpenOptions options) {
        try {
            Opened.checkpoint(path, options);
            return VerdictFiles.OK;
        } catch (FormatException e) {
            assertTrue(e.getMessage().startsWith(e.errorName() + ": ")
                    && e.getMessage().contains(directory.toString()), e.getMessage());
            assertTrue(e.getMessage().chars().noneMatch(Character::isISOControl), e.getMessage());
            return e.errorName();
        }
    }
}
