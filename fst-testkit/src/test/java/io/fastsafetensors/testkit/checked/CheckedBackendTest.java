package io.fastsafetensors.testkit.checked;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.testkit.checked.Check.Side;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.host.HostProvider;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// Each check has a caller or a backend that it catches, and right ones it lets pass.
class CheckedBackendTest {
    @Test
    void right_use_of_a_right_backend_violates_nothing() {
        assertEquals(List.of(), Use.violations(new CheckedBackendProvider(HostProvider.full())));
    }

    @Test
    void right_use_of_an_asynchronous_backend_violates_nothing() {
        CheckedBackendProvider provider = new CheckedBackendProvider(
                new FaultyBackendProvider(HostProvider.full(), FaultPlan.seeded(1).deferred()));
        assertEquals(List.of(), Use.violations(provider));
    }

    @Test
    void every_check_has_a_mutant() {
        assertEquals(of(Side.CALLER), Misuse.all().keySet());
        assertEquals(of(Side.BACKEND), BackendMisdeed.all().keySet());
    }

    private static Set<Check> of(Side side) {
        return Arrays.stream(Check.values()).filter(check -> check.side() == side)
                .collect(Collectors.toCollection(() -> EnumSet.noneOf(Check.class)));
    }

    @TestFactory
    Stream<DynamicTest> callers_error_is_found_and_named() {
        return Misuse.all().entrySet().stream()
                .map(entry -> DynamicTest.dynamicTest(entry.getKey().toString(), () -> {
                    CheckedBackendProvider provider = new CheckedBackendProvider(HostProvider.full());
                    ContractViolation found = assertThrows(ContractViolation.class,
                            () -> misuse(provider, entry.getValue()));
                    assertEquals(entry.getKey(), found.check());
                }));
    }

    private static void misuse(CheckedBackendProvider provider, Misuse.Error error) throws Exception {
        Backend backend = provider.open(HostProvider.DEVICE, BackendOptions.defaults());
        CopyStream stream = backend.openCopyStream();
        DeviceBuffer buffer = backend.allocate(Use.SIZE, 256);
        StagingBuffer slot = backend.allocateStaging(Use.SIZE);
        error.make(backend, stream, buffer, slot);
    }

    @TestFactory
    Stream<DynamicTest> backends_error_is_found_and_named() {
        return BackendMisdeed.all().entrySet().stream()
                .map(entry -> DynamicTest.dynamicTest(entry.getKey().toString(), () -> {
                    CheckedBackendProvider provider = new CheckedBackendProvider(entry.getValue());
                    boolean needsMisuse = entry.getKey() == Check.MISUSE_ACCEPTED
                            || entry.getKey() == Check.WRONG_REFUSAL;
                    List<ContractViolation> found = needsMisuse ? refusals(provider.forwardingMisuse())
                            : Use.violations(provider);
                    // What follows from it comes after it.
                    assertEquals(entry.getKey(), found.getFirst().check(), found::toString);
                }));
    }

    private static List<ContractViolation> refusals(CheckedBackendProvider provider) {
        try (Backend backend = provider.open(HostProvider.DEVICE, BackendOptions.defaults());
                CopyStream stream = backend.openCopyStream();
                DeviceBuffer buffer = backend.allocate(Use.SIZE, 256);
                StagingBuffer slot = backend.allocateStaging(Use.SIZE)) {
            stream.copyToDevice(slot.segment(), buffer, 1);
        } catch (ContractViolation | RuntimeException _) {
            // It is in the list.
        }
        return provider.violations().all();
    }

    @Test
    void violations_fail_a_test_at_its_end() {
        CheckedBackendProvider provider = new CheckedBackendProvider(HostProvider.full());
        provider.violations().assertNone();
        assertThrows(ContractViolation.class, () -> misuse(provider, (backend, _, _, _) -> backend.allocate(-1, 1)));
        AssertionError failed = assertThrows(AssertionError.class, provider.violations()::assertNone);
        assertEquals(ContractViolation.class, failed.getCause().getClass());
    }
}
