package io.fastsafetensors.core.distribute;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class FileOwnersTest {
    private static FileHeader file(int number, long bytes) {
        Location path = Location.of("f" + number);
        TensorInfo tensor = new TensorInfo("t" + number, DType.U8, Shape.of(bytes), path, 100, bytes);
        return new FileHeader(path, 100 + bytes, 100, List.of(tensor), Map.of());
    }

    @Test
    void files_are_dealt_so_that_no_rank_has_a_file_too_many() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        Random random = new Random(seed);
        for (int round = 0; round < 500; round++) {
            int ranks = random.nextInt(1, 9);
            List<FileHeader> headers = new ArrayList<>();
            long[] bytes = new long[random.nextInt(0, 30)];
            for (int f = 0; f < bytes.length; f++) {
                bytes[f] = random.nextInt(1000);
                headers.add(file(f, bytes[f]));
            }
            FileOwners owners = FileOwners.dealt(headers, Selection.all(), ranks);
            long[] loads = new long[ranks];
            for (FileHeader header : headers) {
                TensorInfo tensor = header.tensors().getFirst();
                assertEquals(header, headers.get(owners.file(tensor)));
                loads[owners.owner(tensor)] += tensor.byteSize();
            }
            long most = Arrays.stream(bytes).max().orElse(0);
            long spread = Arrays.stream(loads).max().orElse(0) - Arrays.stream(loads).min().orElse(0);
            assertTrue(spread <= most, "seed " + seed + ": " + Arrays.toString(loads));
        }
    }

    @Test
    void what_is_not_selected_counts_nothing() {
        List<FileHeader> headers = List.of(file(0, 900), file(1, 500), file(2, 400));
        FileOwners owners = FileOwners.dealt(headers, tensor -> !tensor.name().equals("t0"), 2);
        List<Integer> ranks = headers.stream().map(h -> owners.owner(h.tensors().getFirst())).toList();
        assertEquals(List.of(1, 0, 1), ranks);
    }

    @Test
    void given_files_stay_with_their_ranks() {
        List<FileHeader> headers = List.of(file(0, 1), file(1, 1), file(2, 1));
        Map<Integer, List<Location>> given = new TreeMap<>(Map.of(3, List.of(Location.of("f2")), 1,
                List.of(Location.of("f0"), Location.of("f1"))));
        FileOwners owners = FileOwners.given(headers, given);
        assertEquals(List.of(1, 1, 3), headers.stream().map(h -> owners.owner(h.tensors().getFirst())).toList());
        assertEquals(3, owners.files());
    }
}
