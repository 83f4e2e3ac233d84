package io.fastsafetensors.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.gpu.kernel.KernelPlan;
import io.fastsafetensors.gpu.kernel.KernelSource;
import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.Prerequisite;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The PTX in the jar is that of the kernels' source.
class PtxTest {
    private static final Path SCRIPT = Path.of("src/main/kernels/build-ptx.sh");
    private static final Pattern ENTRY = Pattern.compile("\\.visible \\.entry (\\w+)\\(");
    private static final Pattern COMPILER = Pattern.compile("(?m)^// compiler: nvcc (\\S+)$");

    @TempDir
    static Path directory;
    private static final String COMMON = "fst_kernels.ptx";
    private static final String PAIRS = "fst_pairs.ptx";

    private static String shipped(String file) throws IOException {
        try (InputStream in = PtxTest.class.getResourceAsStream(file)) {
            return new String(in.readAllBytes(), StandardCharsets.US_ASCII);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {COMMON, PAIRS})
    void it_was_made_from_the_present_source(String file) throws IOException {
        assertTrue(shipped(file).contains("\n// source sha256: " + KernelSource.digest() + "\n"),
                "fst_kernels.c was changed after the PTX was made: run " + SCRIPT);
    }

    @Test
    void the_ptx_has_every_function_of_the_source() throws IOException {
        Set<String> common = new HashSet<>(KernelPlan.functions());
        common.removeAll(KernelPlan.pairFunctions());
        assertEquals(common, entries(shipped(COMMON)));
        assertEquals(Set.copyOf(KernelPlan.pairFunctions()), entries(shipped(PAIRS)));
    }

    @ParameterizedTest
    @ValueSource(strings = {COMMON, PAIRS})
    void drivers_from_cuda_12_0_on_can_load_it(String file) throws IOException {
        assertTrue(shipped(file).contains("\n.version 8.0\n.target sm_75\n"));
        assertFalse(shipped(file).contains("\n.file"), "no paths of the build machine");
    }

    /// The same compiler writes the same PTX; another one at least compiles the source to the same functions.
    @Test
    @Tag("slow")
    void compiling_again_gives_the_same() throws IOException {
        Prerequisite.NVCC.require();
        String nvcc = ChildProcess.of("nvcc", "--version").run().succeeded().out().strip().lines()
                .reduce((first, last) -> last).orElseThrow();
        Assumptions.assumeTrue(Files.exists(SCRIPT), "the PTX was not compared: no source tree here");
        ChildProcess.of("sh", SCRIPT, directory).run().succeeded();
        for (String file : List.of(COMMON, PAIRS)) {
            String shipped = shipped(file);
            String made = Files.readString(directory.resolve(file), StandardCharsets.US_ASCII);
            assertEquals(entries(shipped), entries(made));
            String before = COMPILER.matcher(shipped).results().findFirst().orElseThrow().group(1);
            String now = COMPILER.matcher(made).results().findFirst().orElseThrow().group(1);
            Assumptions.assumeTrue(before.equals(now),
                    "the PTX was compared by its functions only: it was made by nvcc "
                            + before + ", this is " + nvcc);
            assertEquals(code(shipped), code(made));
        }
    }

    private static Set<String> entries(String ptx) {
        return ENTRY.matcher(ptx).results().map((MatchResult entry) -> entry.group(1)).collect(Collectors.toSet());
    }

    /// Without the comments.
    private static String code(String ptx) {
        return ptx.lines().filter(line -> !line.startsWith("//")).collect(Collectors.joining("\n"));
    }
}
