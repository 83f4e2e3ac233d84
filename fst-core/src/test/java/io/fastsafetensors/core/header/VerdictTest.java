package io.fastsafetensors.core.header;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
        String verdict = VerdictFiles.OK;
        try {
            Opened.checkpoint(path, OpenOptions.strict());
        } catch (FormatException e) {
            verdict = e.errorName();
            assertTrue(e.getMessage().startsWith(verdict + ": ") && e.getMessage().contains(directory.toString()),
                    e.getMessage());
            assertTrue(e.getMessage().chars().noneMatch(Character::isISOControl), e.getMessage());
        }
        assertEquals(one.verdict(), verdict);
    }
}
