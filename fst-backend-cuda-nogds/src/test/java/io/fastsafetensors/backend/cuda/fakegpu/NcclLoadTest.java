package io.fastsafetensors.backend.cuda.fakegpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroups;
import io.fastsafetensors.test.gpu.FakeGpu;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Loads by ranks over NCCL: how many operations they need.
@OnFakeGpu
@Timeout(120)
class NcclLoadTest {
    private static final long SEED = Long.getLong("fst.seed", 20261130);
    private static final List<Device> DEVICES = List.of(new Device("cuda", 0), new Device("cuda", 1));
    private static FakeGpu gpu;

    @TempDir
    private Path directory;
    private final Map<String, byte[]> expected = new LinkedHashMap<>();
    private Path checkpoint;

    @BeforeAll
    static void load() {
        gpu = TheGpu.load();
    }

    @BeforeEach
    void write() {
        gpu.reset();
        SafetensorsFixture file = SafetensorsFixture.create();
        for (int t = 0; t < 12; t++) {
            file.tensor("t" + t, DType.U8, Shape.of(256 * (300 + 7 * t)), SEED + t);
            expected.put("t" + t, new byte[0]);
        }
        checkpoint = file.write(directory.resolve("m.safetensors")).path();
    }

    private interface Work {
        void run(Weights weights);
    }

    private List<Throwable> ranks(Distribution way, int blockBytes, Work work) {
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = ProcessGroups.local("nccl", DEVICES, Duration.ofSeconds(60)).stream()
                .map(group -> Thread.ofPlatform().start(() -> rank(group, way, blockBytes, work, failures))).toList();
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
        return failures;
    }

    private void rank(ProcessGroup group, Distribution way, int blockBytes, Work work, List<Throwable> failures) {
        try (group; Loader loader = Loader.builder().device(DEVICES.get(group.rank())).group(group).distribution(way)
                .blockBytes(blockBytes).build(); Weights weights = loader.load(checkpoint)) {
            work.run(weights);
        } catch (RuntimeException | Error e) {
            failures.add(e);
        }
    }

    private static byte[] bytes(Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(tensor.byteSize());
            tensor.copyTo(copy);
            return copy.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    private byte[] inFile(Weights weights, String name) {
        try {
            byte[] all = Files.readAllBytes(checkpoint);
            int start = (int) weights.info(name).fileOffset();
            return Arrays.copyOfRange(all, start, start + (int) weights.info(name).byteSize());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /// Calls that move data, over both ranks.
    private long moves() {
        return gpu.calls("ncclAllGather") + gpu.calls("ncclBroadcast") + gpu.calls("ncclSend");
    }

    @Test
    void a_striped_load_needs_as_many_operations_whatever_its_blocks_are() {
        List<Long> moves = new ArrayList<>();
        List<Long> groups = new ArrayList<>();
        for (int blockBytes : new int[] {4096, 16_384, 65_536, 262_144}) {
            gpu.reset();
            assertEquals(List.of(), ranks(Distribution.STRIPED, blockBytes, weights -> {
                weights.awaitAll();
                expected.keySet()
                        .forEach(name -> assertArrayEquals(inFile(weights, name), bytes(weights.get(name)), name));
            }));
            moves.add(moves());
            groups.add(gpu.calls("ncclGroupEnd"));
        }
        // One window: a group of one all-gather or of two broadcasts on each rank.
        assertEquals(List.of(2L, 2L, 2L, 2L), groups);
        assertTrue(moves.stream().allMatch(n -> n == 2 || n == 4), moves.toString());
    }

    @Test
    void owners_give_all_tensors_of_a_file_in_one_group_of_calls() {
        assertEquals(List.of(), ranks(Distribution.OWNER, 65_536, weights -> {
            Map<String, Integer> whole = new LinkedHashMap<>();
            expected.keySet().forEach(name -> whole.put(name, -1));
            weights.getAll(whole)
                    .forEach((name, tensor) -> assertArrayEquals(inFile(weights, name), bytes(tensor), name));
        }));
        assertEquals(2, gpu.calls("ncclGroupEnd"));
        assertEquals(2 * expected.size(), moves());
    }
}
