package io.fastsafetensors.test;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.opentest4j.AssertionFailedError;
import org.opentest4j.TestAbortedException;

/// Tests whose prerequisite is missing.
class PrerequisiteTest {
    private static final String PROPERTY = "fst.require";

    private String required = "";

    @BeforeEach
    void remember() {
        required = System.getProperty(PROPERTY, "");
        System.clearProperty(PROPERTY);
    }

    @AfterEach
    void restore() {
        System.setProperty(PROPERTY, required);
    }

    @Test
    void a_missing_one_aborts_the_test_with_its_name_and_how_to_get_it() {
        TestAbortedException aborted =
                assertThrows(TestAbortedException.class, () -> Prerequisite.C_COMPILER.missing(""));
        assertTrue(String.valueOf(aborted.getMessage())
                .endsWith("missing prerequisite: gcc (apt install gcc libc6-dev)"), aborted.getMessage());
    }

    @Test
    void what_the_check_saw_follows_on_the_same_line() {
        TestAbortedException aborted =
                assertThrows(TestAbortedException.class, () -> Prerequisite.NUMPY.missing("one\n  two\n"));
        assertTrue(String.valueOf(aborted.getMessage())
                .endsWith("missing prerequisite: NumPy (apt install python3-numpy): one; two"), aborted.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"all", "c-compiler", "numpy, c-compiler"})
    void a_required_one_fails_the_test_with_the_same_message(String names) {
        System.setProperty(PROPERTY, names);
        AssertionFailedError failed =
                assertThrows(AssertionFailedError.class, () -> Prerequisite.C_COMPILER.missing("no cc"));
        assertEquals("missing prerequisite: gcc (apt install gcc libc6-dev): no cc; -Dfst.require asks for it",
                failed.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "numpy", "numpy, ,bash"})
    void other_requirements_do_not_matter(String names) {
        System.setProperty(PROPERTY, names);
        assertThrows(TestAbortedException.class, () -> Prerequisite.C_COMPILER.missing(""));
    }

    @ParameterizedTest
    @ValueSource(strings = {"c-compilers", "all,gcc", "ALL", "numpy c-compiler"})
    void an_unknown_name_is_refused_whether_something_is_missing_or_not(String names) {
        System.setProperty(PROPERTY, names);
        for (Executable use : List.<Executable>of(() -> Prerequisite.BASH.require(),
                () -> Prerequisite.C_COMPILER.missing(""))) {
            IllegalArgumentException e = assertThrows(IllegalArgumentException.class, use);
            assertTrue(e.getMessage().contains("no such prerequisite; known: all, c-compiler, "), e.getMessage());
        }
    }

    @Test
    void what_no_package_brings_is_required_by_its_name_only() {
        System.setProperty(PROPERTY, "all");
        assertThrows(TestAbortedException.class, () -> Prerequisite.CORPUS.missing(""));
        System.setProperty(PROPERTY, "all,corpus");
        assertThrows(AssertionFailedError.class, () -> Prerequisite.CORPUS.missing(""));
    }

    @ParameterizedTest
    @EnumSource(Prerequisite.class)
    void names_fit_the_message(Prerequisite each) {
        assertTrue(Pattern.matches("[^()]+", each.title()) && Pattern.matches("[^()]+", each.how()), each.toString());
    }

    @ParameterizedTest
    @EnumSource(Prerequisite.class)
    void require_agrees_with_the_check(Prerequisite each) {
        if (each.problem().isEmpty()) {
            assertDoesNotThrow(each::require);
        } else {
            TestAbortedException aborted = assertThrows(TestAbortedException.class, each::require);
            assertTrue(String.valueOf(aborted.getMessage()).lines().count() == 1, aborted.getMessage());
        }
    }
}
