package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.SampleFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Other people's files: the same tensors and bytes as an independent reader found in them.
class CorpusTest {
    @Test
    void every_tensor_and_every_byte_is_as_in_the_golden_list() throws Exception {
        Path corpus = SampleFiles.folder();
        Map<String, List<String>> golden = new LinkedHashMap<>();
        for (String line : Files.readAllLines(corpus.resolve("GOLDEN.tsv")).stream().skip(1).toList()) {
            String file = line.substring(0, line.indexOf('\t'));
            golden.computeIfAbsent(file, key -> new ArrayList<>()).add(corpus + "/" + line);
        }
        assertTrue(golden.size() > 20, golden.size() + " files");
        for (Map.Entry<String, List<String>> file : golden.entrySet()) {
            Cli.Result result = Cli.run("ls", "--sha256", "--format", "tsv", corpus + "/" + file.getKey());
            assertEquals(0, result.status(), result.err());
            assertEquals(file.getValue().stream().sorted().toList(),
                    result.lines().stream().skip(1).sorted().toList());
        }
    }
}
