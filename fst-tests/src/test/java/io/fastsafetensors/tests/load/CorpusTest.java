package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.test.SampleFiles;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Real files, loaded whole, against digests that were computed without fst.
@Timeout(600)
class CorpusTest {
    /// A line of GOLDEN.tsv; its names are JSON strings without escapes but quotes.
    private record Golden(String name, String dtype, String shape, long offset, long bytes, String sha256) {
    }

    private static Map<String, List<Golden>> golden() throws IOException {
        Path table = SampleFiles.folder().resolve("GOLDEN.tsv");
        Map<String, List<Golden>> golden = new LinkedHashMap<>();
        List<String> lines = Files.readAllLines(table);
        for (String line : lines.subList(1, lines.size())) {
            String[] f = line.split("\t");
            golden.computeIfAbsent(f[0], n -> new ArrayList<>()).add(new Golden(f[1].substring(1, f[1].length() - 1),
                    f[2], f[3], Long.parseLong(f[4]), Long.parseLong(f[5]), f[6]));
        }
        return golden;
    }

    @Test
    void every_tensor_of_every_valid_file_has_its_bytes() throws IOException {
        List<LoaderBuilder> ways = new ArrayList<>(List.of(Loader.builder().transferPath(TransferPath.MAPPED)));
        for (DirectIo mode : DirectIo.values()) {
            ways.add(Loader.builder().directIo(mode));
        }
        int tensors = 0;
        for (Map.Entry<String, List<Golden>> file : golden().entrySet()) {
            for (LoaderBuilder way : ways) {
                try (Loader loader = way.blockBytes(4096).build();
                        Weights weights = loader.load(SampleFiles.folder().resolve(file.getKey()))) {
                    assertEquals(file.getValue().size(), weights.names().size(), file.getKey());
                    for (Golden golden : file.getValue()) {
                        check(weights, golden, file.getKey());
                        tensors++;
                    }
                }
            }
        }
        assertTrue(tensors > 4000, "only " + tensors + " tensors");
    }

    @ParameterizedTest
    @EnumSource(Distribution.class)
    void three_ranks_get_them_in_every_way(Distribution way) throws IOException {
        Map<String, List<Golden>> golden = golden();
        List<Integer> tensors = Ranks.all(3, group -> {
            int checked = 0;
            try (Loader loader = Loader.builder().group(group).distribution(way).blockBytes(4096).build()) {
                for (Map.Entry<String, List<Golden>> file : golden.entrySet()) {
                    try (Weights weights = loader.load(SampleFiles.folder().resolve(file.getKey()))) {
                        for (Golden each : file.getValue()) {
                            check(weights, each, way + " " + file.getKey());
                            checked++;
                        }
                    }
                }
            }
            return checked;
        });
        assertTrue(tensors.getFirst() > 1000, tensors + " tensors");
    }

    private static void check(Weights weights, Golden golden, String file) {
        String what = file + " " + golden.name();
        TensorInfo info = weights.info(golden.name());
        assertEquals(golden.dtype(), info.dtype().name(), what);
        assertEquals(golden.shape(), info.shape().toString(), what);
        assertEquals(golden.offset(), info.fileOffset(), what);
        assertEquals(golden.bytes(), info.byteSize(), what);
        Tensor tensor = weights.get(golden.name());
        assertEquals(0, tensor.address() % tensor.dtype().alignment(), what);
        assertEquals(golden.sha256(), Samples.digest(tensor), what);
    }

    @Test
    void a_sharded_checkpoint_is_loaded_by_its_index() {
        try (Loader loader = Loader.builder().build();
                Weights weights = loader.load(SampleFiles.folder().resolve("julia_sharded"))) {
            weights.awaitAll();
            assertEquals(6, weights.checkpoint().files().size());
            assertEquals(weights.checkpoint().byteSize(), weights.stats().bytes());
        }
    }
}
