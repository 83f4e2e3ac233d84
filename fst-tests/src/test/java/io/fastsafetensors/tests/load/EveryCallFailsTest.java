package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Slice;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Every call of a backend fails once, closes included: that is one error, which somebody is told, and nothing is left.
@Timeout(600)
@Tag("slow")
class EveryCallFailsTest {
    private static final int TENSORS = 4;
    private static final int BYTES = 40_000;
    /// So many calls of a kind fail in turn; of more, the last ones do too.
    private static final long FIRST = 24;
    private static final long LAST = 6;
    private static final long PATIENCE_MILLIS = 60_000;

    @TempDir
    Path directory;

    private Path file;

    @BeforeEach
    void write() {
        file = directory.resolve("direct.safetensors");
        Samples.write(file, TENSORS, BYTES, 7);
    }

    /// A use of a device.
    private interface Use {
        void run(LoaderBuilder builder, Path file, Path directory);
    }

    private enum Scenario implements Use {
        LOAD {
            @Override
            public void run(LoaderBuilder builder, Path file, Path directory) {
                try (Loader loader = builder.build();
                        Weights weights = loader.load(file);
                        Weights again = loader.load(file)) {
                    weights.awaitAll();
                    for (String name : weights.names()) {
                        copy(weights.get(name));
                    }
                    try (Tensor kept = weights.get("t0").detach();
                            Tensor part = weights.get("t1").slice(Slice.every(2))) {
                        copy(kept);
                        copy(part);
                    }
                    again.awaitAll();
                    loader.trim();
                }
            }
        },
        STREAM {
            @Override
            public void run(LoaderBuilder builder, Path file, Path directory) {
                try (Loader loader = builder.deviceBudget(600_000).build();
                        TensorStream stream = loader.stream(file, new StreamOptions(0, false))) {
                    for (Tensor tensor : stream) {
                        copy(tensor);
                    }
                }
            }
        },
        REWRITE {
            @Override
            public void run(LoaderBuilder builder, Path file, Path directory) {
                try (Loader loader = builder.deviceBudget(600_000).build()) {
                    loader.rewrite(file, directory.resolve("copy.safetensors"), WriteOptions.defaults());
                }
            }
        };

        private static void copy(Tensor tensor) {
            try (Arena arena = Arena.ofShared()) {
                tensor.copyTo(arena.allocate(tensor.byteSize()));
            }
        }
    }

    /// A way to a device.
    ///
    private record Setting(Device device, TransferPath path, Optional<DType> dtype) {
        LoaderBuilder builder() {
            LoaderBuilder builder = Loader.builder().device(device).transferPath(path).blockBytes(16 << 10).readers(2);
            if (path == TransferPath.MAPPED && device.equals(NearProvider.DEVICE)) {
                // Tensors stay where their file has them.
                builder.alignment(1);
            }
            dtype.ifPresent(builder::dtype);
            return builder;
        }

        OpenObjects behave(FaultPlan plan) {
            return device.equals(NearProvider.DEVICE) ? NearProvider.behave(plan) : RemoteProvider.behave(plan);
        }
    }

    private static Stream<Arguments> everything() {
        List<Setting> settings = List.of(new Setting(NearProvider.DEVICE, TransferPath.AUTO, Optional.empty()),
                new Setting(NearProvider.DEVICE, TransferPath.AUTO, Optional.of(DType.BF16)),
                new Setting(NearProvider.DEVICE, TransferPath.MAPPED, Optional.empty()),
                new Setting(RemoteProvider.DEVICE, TransferPath.STAGED, Optional.empty()),
                new Setting(RemoteProvider.DEVICE, TransferPath.STAGED, Optional.of(DType.BF16)),
                new Setting(RemoteProvider.DEVICE, TransferPath.MAPPED, Optional.empty()),
                new Setting(RemoteProvider.DEVICE, TransferPath.DIRECT, Optional.empty()));
        return settings.stream().flatMap(s -> Stream.of(Scenario.values()).map(scenario -> Arguments.of(s, scenario)));
    }

    @ParameterizedTest
    @MethodSource("everything")
    @Tag("slow")
    void a_call_that_fails_once_is_one_error_and_nothing_is_left(Setting setting, Scenario scenario) throws Exception {
        int failed = 0;
        for (Map.Entry<Operation, Long> calls : calls(setting, scenario).entrySet()) {
            for (long nth : turns(calls.getValue())) {
                failed += run(setting, scenario, calls.getKey(), nth) ? 1 : 0;
            }
        }
        assertTrue(failed > 4, "only " + failed + " calls failed");
    }

    @Test
    void a_close_that_fails_keeps_nothing_else() throws Exception {
        for (Arguments each : everything().toList()) {
            Setting setting = (Setting) each.get()[0];
            for (Operation close : List.of(Operation.CLOSE_BUFFER, Operation.CLOSE_STREAM, Operation.CLOSE_FENCE,
                    Operation.CLOSE_STAGING)) {
                run(setting, (Scenario) each.get()[1], close, 1);
            }
        }
    }

    private static List<Long> turns(long calls) {
        List<Long> turns = new ArrayList<>();
        for (long nth = 1; nth <= calls; nth++) {
            if (nth <= FIRST || nth > calls - LAST) {
                turns.add(nth);
            }
        }
        return turns;
    }

    private Map<Operation, Long> calls(Setting setting, Scenario scenario) throws Exception {
        FaultPlan plan = FaultPlan.seeded(1);
        OpenObjects objects = setting.behave(plan);
        Throwable failure = inTime(setting, scenario, "nothing");
        if (failure != null) {
            throw new AssertionError("it fails without a fault", failure);
        }
        Remains.assertNone(objects, directory, () -> setting + " " + scenario);
        Map<Operation, Long> calls = new EnumMap<>(Operation.class);
        for (Operation operation : Operation.values()) {
            calls.put(operation, plan.calls(operation));
        }
        return calls;
    }

    /// @return whether the call was made
    private boolean run(Setting setting, Scenario scenario, Operation operation, long nth) throws Exception {
        String what = setting + " " + scenario + ", " + operation + " number " + nth;
        FaultPlan plan = FaultPlan.seeded(nth).fail(operation, nth);
        OpenObjects objects = setting.behave(plan);
        try (Warnings warnings = new Warnings()) {
            Throwable failure = inTime(setting, scenario, what);
            Remains.assertNone(objects, directory, () -> what + " (" + failure + ")");
            if (plan.failures() > 0 && failure == null) {
                String words = operation == Operation.ALLOCATE_STAGING ? "out of memory" : "injected fault";
                assertTrue(warnings.contains(words), what + ": nobody was told; warnings: " + warnings);
            }
            if (failure != null && !(failure instanceof FstException)) {
                throw new AssertionError(what + ": another failure than the injected one", failure);
            }
        }
        try (Stream<Path> all = Files.list(directory)) {
            assertEquals(List.of(), all.map(p -> p.getFileName().toString())
                    .filter(name -> !name.endsWith(".safetensors")).toList(), what);
        }
        return plan.failures() > 0;
    }

    /// Runs a scenario and returns what it throws.
    private Throwable inTime(Setting setting, Scenario scenario, String what) throws InterruptedException {
        Throwable[] failure = new Throwable[1];
        Thread thread = Thread.ofPlatform().daemon().start(() -> {
            try {
                scenario.run(setting.builder(), file, directory);
            } catch (RuntimeException | Error e) {
                failure[0] = e;
            }
        });
        thread.join(PATIENCE_MILLIS);
        if (thread.isAlive()) {
            StringBuilder stacks = new StringBuilder(what + " hangs");
            Thread.getAllStackTraces().forEach((each, frames) -> stacks.append('\n').append(each).append("\n  ")
                    .append(String.join("\n  ", Stream.of(frames).map(String::valueOf).toList())));
            fail(stacks.toString());
        }
        return failure[0];
    }
}
