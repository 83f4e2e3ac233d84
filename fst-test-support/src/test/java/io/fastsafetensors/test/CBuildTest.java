package io.fastsafetensors.test;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(600)
class CBuildTest {
    @TempDir
    Path folder;

    @BeforeEach
    void requireCompiler() {
        Prerequisite.C_COMPILER.require();
    }

    private static CBuild answer(int value) {
        return CBuild.sharedLibrary("libanswer.so").source("answer.h", "int answer(void);\n").source("answer.c",
                "#include \"answer.h\"\nint answer(void) { return " + value + "; }\n");
    }

    @Test
    void a_library_is_opened_and_a_program_that_is_linked_with_it_runs() {
        Path library = answer(42).into(folder);
        assertEquals(42L, NativeLibrary.open(library.toString()).words("answer").call());
        Path program = CBuild.program("ask").source("ask.c", "int answer(void);\nint main(void) { return answer(); }\n")
                .linkedWith(library).into(folder);
        ChildProcess.of(program).environment("LD_LIBRARY_PATH", folder).run().withStatus(42);
    }

    @Test
    void the_same_is_built_once_and_anything_else_again() throws IOException {
        Path first = answer(1).into(folder);
        byte[] bytes = Files.readAllBytes(first);
        Files.delete(first);
        assertArrayEquals(bytes, Files.readAllBytes(answer(1).into(folder)));
        Path other = answer(2).into(Files.createDirectory(folder.resolve("other")));
        ChildProcess
                .of(CBuild.program("ask").source("ask.c", "int answer(void);\nint main(void) { return answer(); }\n")
                        .linkedWith(other).into(folder))
                .environment("LD_LIBRARY_PATH", other.getParent()).run()
                .withStatus(2);
        ChildProcess.of(CBuild.program("ask").source("ask.c", "int main(void) { return VALUE; }\n")
                .options("-DVALUE=7").into(folder)).run().withStatus(7);
        ChildProcess.of(CBuild.program("ask").source("ask.c", "int main(void) { return VALUE; }\n")
                .options("-DVALUE=8").into(folder)).run().withStatus(8);
    }

    @Test
    void what_does_not_compile_fails_with_the_compilers_words() throws IOException {
        Prerequisite.C_COMPILER.require();
        AssertionError failure = assertThrows(AssertionError.class,
                () -> CBuild.program("p").source("p.c", "int main(void) { int unused; return 0; }\n").into(folder));
        assertTrue(String.valueOf(failure.getMessage()).contains("unused"), failure.getMessage());
        assertFalse(Files.exists(folder.resolve("p")));
    }
}
