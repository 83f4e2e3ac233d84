package io.fastsafetensors.test;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// The directory of real safetensors files that other people's tools wrote, with a table of verdicts (`MANIFEST.tsv`) and
/// one of tensors (`GOLDEN.tsv`).
public final class SampleFiles {
    private static final Path FOLDER = Path.of(System.getProperty("fst.corpus", ""));

    private SampleFiles() {
    }

    /// The directory; without one the test ends by [Prerequisite#CORPUS].
    public static Path folder() {
        Prerequisite.CORPUS.require();
        return FOLDER;
    }

    static Optional<String> problem() {
        for (String table : new String[] {"MANIFEST.tsv", "GOLDEN.tsv"}) {
            if (!Files.isRegularFile(FOLDER.resolve(table))) {
                return Optional.of("no " + FOLDER.resolve(table).toAbsolutePath().normalize());
            }
        }
        return Optional.empty();
    }
}
