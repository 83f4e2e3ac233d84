package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.testkit.mutant.Forwarding;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/// Backends that are right and unlike others break no rule.
@Tag("slow")
class UnusualBackendsTest {
    private static final long LITTLE = 1 << 20;

    private static BackendProvider changed(BackendProvider base, UnaryOperator<Backend> change) {
        return new Forwarding.OfProvider(base) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                return change.apply(super.open(device, options));
            }
        };
    }

    private static Map<String, BackendProvider> backends() {
        Map<String, BackendProvider> backends = new LinkedHashMap<>();
        backends.put("slow", new FaultyBackendProvider(HostProvider.copying(), FaultPlan.seeded(Seed.value())
                .delay(Operation.COPY_TO_HOST, Duration.ofMillis(1)).delay(Operation.ALLOCATE, Duration.ofMillis(1))
                .delay(Operation.DIRECT_READ, Duration.ofMillis(5)).delay(Operation.OPEN, Duration.ofMillis(20))));
        backends.put("late", new FaultyBackendProvider(HostProvider.copying(), FaultPlan.seeded(Seed.value()).deferred()
                .delay(Operation.COPY_TO_DEVICE, Duration.ofMillis(1))
                .delay(Operation.AWAIT, Duration.ofMillis(1))));
        backends.put("nothing but copies", HostProvider.minimal());
        backends.put("not addressable", HostProvider.remote());
        backends.put("three devices", HostProvider.copying().devices(3));
        backends.put("huge alignment", changed(HostProvider.copying(), HugeAlignment::new));
        backends.put("little staging memory", changed(HostProvider.copying(), LittleStaging::new));
        backends.put("free memory unknown", changed(HostProvider.copying(), real -> new Forwarding.OfBackend(real) {
            @Override
            public MemoryInfo memory() {
                return MemoryInfo.of(-1, -1);
            }
        }));
        return backends;
    }

    @TestFactory
    Stream<DynamicTest> right_backend_breaks_no_rule() {
        return backends().entrySet().stream().map(entry -> DynamicTest.dynamicTest(entry.getKey(), () -> {
            ConformanceRun run = ConformanceRun.of(entry.getValue(), Effort.QUICK);
            assertEquals(Set.of(), run.failedRules(), () -> String.join("\n", run.messages()));
        }));
    }

    /// Everything is at multiples of 2 MiB, and blocks are huge.
    private static final class HugeAlignment extends Forwarding.OfBackend {
        private static final long HUGE = 2 << 20;

        HugeAlignment(Backend real) {
            super(real);
        }

        @Override
        public TransferHints hints() {
            return new TransferHints(HUGE, 64 << 20, 1, 4);
        }

        @Override
        public DeviceBuffer allocate(long bytes, long alignment) {
            return super.allocate(bytes, alignment > 0 && Long.bitCount(alignment) == 1
                    ? Math.max(alignment, HUGE) : alignment);
        }

        @Override
        public Optional<DirectStorage> directStorage() {
            return super.directStorage().map(storage -> new Forwarding.OfStorage(storage) {
                @Override
                public DirectFile open(StorageFile file) {
                    return new Forwarding.OfFile(super.open(file)) {
                        @Override
                        public long alignment() {
                            return HUGE;
                        }
                    };
                }
            });
        }
    }

    /// The host refuses page-locked memory beyond 1 MiB, and blocks are as small as they may be.
    private static final class LittleStaging extends Forwarding.OfBackend {
        LittleStaging(Backend real) {
            super(real);
        }

        @Override
        public TransferHints hints() {
            return new TransferHints(1, 4096, 1, 1);
        }

        @Override
        public StagingBuffer allocateStaging(long bytes) {
            if (bytes > LITTLE) {
                throw new OutOfDeviceMemoryException(bytes, LITTLE, Where.backend("host"));
            }
            return super.allocateStaging(bytes);
        }
    }
}
