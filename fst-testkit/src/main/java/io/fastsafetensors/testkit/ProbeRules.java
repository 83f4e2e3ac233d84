package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.ThrowingSupplier;

/// What the provider says of itself, and what opening it gives.
abstract class ProbeRules {
    private static final int PAGE = 4096;

    private final BackendConformance suite;

    ProbeRules(BackendConformance suite) {
        this.suite = suite;
    }

    /// `probe()` returns normally and prints nothing, whatever is missing; what is missing is the reason, a sentence.
    ///
    /// If it fails: catch [LinkageError] too, not only exceptions, around everything that loads native code; look for
    /// libraries that print when they are loaded.
    @Test
    @DisplayName("P-01 the probe never throws and never prints")
    void p_01_the_probe_never_throws_and_never_prints() {
        BackendProvider provider = suite.provider();
        StandardStreams.Captured<Probe> captured = StandardStreams.capture(provider::probe);
        assertEquals("", captured.text(), "probe() printed");
        if (captured.result() instanceof Probe.Unavailable unavailable) {
            assertFalse(unavailable.reason().isBlank(), "the reason is blank: users see it in place of their device");
            throw Requirement.unavailable(provider.name(), unavailable.reason());
        }
    }

    /// An available probe lists at least one device, each once, all of the provider's device type.
    ///
    /// If it fails: answer `Unavailable` with a reason when there is a driver but no device; number devices from 0.
    @Test
    @DisplayName("P-02 the probe lists devices of the provider's type, each once")
    void p_02_the_probe_lists_devices_of_the_providers_type_each_once() {
        BackendProvider provider = suite.provider();
        List<Device> devices = available(provider).devices().stream().map(DeviceInfo::device).toList();
        assertFalse(devices.isEmpty(), "available without a device");
        assertEquals(devices.size(), devices.stream().distinct().count(), () -> "a device twice: " + devices);
        for (Device device : devices) {
            assertEquals(provider.deviceType(), device.type(), () -> device + " is not of the provider's type");
        }
    }

    /// Probing again, from other threads too, gives the same devices and capabilities.
    ///
    /// If it fails: compute the answer once, in a holder class or behind a lock, and give that one out.
    @Test
    @DisplayName("P-03 every probe says the same, from every thread")
    void p_03_every_probe_says_the_same_from_every_thread() {
        BackendProvider provider = suite.provider();
        Probe.Available first = available(provider);
        List<CompletableFuture<Probe>> others = IntStream.range(0, 8)
                .mapToObj(_ -> CompletableFuture.supplyAsync(provider::probe)).toList();
        for (CompletableFuture<Probe> other : others) {
            Probe.Available again = (Probe.Available) other.join();
            assertEquals(first.capabilities(), again.capabilities(), "capabilities change");
            assertEquals(devices(first), devices(again), "devices change");
        }
    }

    /// Name and device type are stable words that users can type: lower-case letters, digits and (in names) dashes.
    ///
    /// If it fails: users pass the name to `backend(…)` and the type to `device(…)`; keep versions out of both.
    @Test
    @DisplayName("P-04 the name and the device type are words")
    void p_04_the_name_and_the_device_type_are_words() {
        BackendProvider provider = suite.provider();
        available(provider);
        assertTrue(provider.name().matches("[a-z0-9]+(-[a-z0-9]+)*"), () -> "name \"" + provider.name() + "\"");
        assertTrue(provider.deviceType().matches("[a-z][a-z0-9]*"), () -> "type \"" + provider.deviceType() + "\"");
        assertFalse(List.of("auto", "gpu").contains(provider.deviceType()), "the type is a word for many backends");
    }

    /// Every listed device opens, and the backend says that it is this device.
    ///
    /// If it fails: a device that cannot be opened does not belong in the probe's list.
    @Test
    @DisplayName("P-05 every listed device opens and knows which one it is")
    void p_05_every_listed_device_opens_and_knows_which_one_it_is() {
        BackendProvider provider = suite.provider();
        for (DeviceInfo listed : available(provider).devices()) {
            try (Backend backend = provider.open(listed.device(), BackendOptions.defaults())) {
                assertEquals(listed.device(), backend.info().device(), "the device of the opened backend");
            }
        }
    }

    /// The backend's name is its provider's.
    ///
    /// If it fails: a decorating backend (direct storage around a copying one) answers with its own name.
    @Test
    @DisplayName("P-06 the backend carries its provider's name")
    void p_06_the_backend_carries_its_providers_name() {
        BackendProvider provider = suite.provider();
        try (Backend backend = open(provider)) {
            assertEquals(provider.name(), backend.name());
        }
    }

    /// Hints can be followed: blocks are whole pages, and asynchronous copies have at least two slots for each reader.
    ///
    /// If it fails: with one slot a reader waits for its own copy; a block that is no multiple of 4096 bytes ends direct
    /// reads from disk.
    @Test
    @DisplayName("P-07 the transfer hints can be followed")
    void p_07_the_transfer_hints_can_be_followed() {
        BackendProvider provider = suite.provider();
        boolean asynchronous = available(provider).capabilities().contains(Capability.ASYNCHRONOUS_COPIES);
        try (Backend backend = open(provider)) {
            assertEquals(0, backend.hints().blockBytes() % PAGE, () -> "block size " + backend.hints().blockBytes());
            assertTrue(!asynchronous || backend.hints().slotsPerReader() >= 2, "one slot for asynchronous copies");
        }
    }

    /// Free memory is at most total memory; −1 stands for unknown.
    ///
    /// If it fails: 0 and huge numbers are answers, not "unknown"; check the order of the two in the driver's call.
    @Test
    @DisplayName("P-08 memory sizes make sense")
    void p_08_memory_sizes_make_sense() {
        try (Backend backend = open(suite.provider())) {
            MemoryInfo memory = backend.memory();
            assertTrue(memory.free() >= -1 && memory.total() >= -1 && memory.total() != 0, memory::toString);
            assertTrue(memory.total() < 0 || memory.free() <= memory.total(), memory::toString);
        }
    }

    /// Switches that the backend does not know are ignored.
    ///
    /// If it fails: options are shared by all backends of a program; only reject bad values of your own switches.
    @Test
    @DisplayName("P-09 unknown options are ignored")
    void p_09_unknown_options_are_ignored() {
        BackendProvider provider = suite.provider();
        Device device = device(provider);
        BackendOptions options = BackendOptions.defaults().withProperties(Map.of("fst.testkit.no-such-option", "on"));
        provider.open(device, options).close();
    }

    /// A device that is not there cannot be opened: [BackendException], naming the backend.
    ///
    /// If it fails: check the index against the probe's list before the driver sees it.
    @Test
    @DisplayName("P-10 a device that is not there is refused")
    void p_10_a_device_that_is_not_there_is_refused() {
        BackendProvider provider = suite.provider();
        available(provider);
        Device missing = new Device(provider.deviceType(), 4_095);
        BackendException refused = assertThrows(BackendException.class,
                () -> provider.open(missing, BackendOptions.defaults()).close());
        assertEquals(provider.name(), refused.where().backend(), "the backend that the exception names");
    }

    /// What the probe claims is there: segments, kernels, pointers, direct storage, host registration.
    ///
    /// If it fails: claim a capability only where the driver has it on these devices.
    @Test
    @DisplayName("P-11 claimed capabilities are there")
    void p_11_claimed_capabilities_are_there() {
        compareClaims(true);
    }

    /// What the probe does not claim is absent, in the documented way: empty, or [UnsupportedFeatureException].
    ///
    /// If it fails: core picks its way by the claims; claim what works, or hide what does not.
    @Test
    @DisplayName("P-12 capabilities that are not claimed are absent")
    void p_12_capabilities_that_are_not_claimed_are_absent() {
        compareClaims(false);
    }

    private void compareClaims(boolean claimed) {
        BackendProvider provider = suite.provider();
        Probe.Available available = available(provider);
        try (Backend backend = open(provider); DeviceBuffer buffer = backend.allocate(64, 64)) {
            Map<Capability, ThrowingSupplier<Boolean>> found = new EnumMap<>(Map.of(
                    Capability.HOST_ADDRESSABLE, () -> buffer.segment().isPresent(),
                    Capability.POINTERS, () -> buffer.handle().isPointer(),
                    Capability.DIRECT_STORAGE, () -> backend.directStorage().isPresent(),
                    Capability.HOST_REGISTRATION, () -> registers(backend),
                    Capability.KERNELS, () -> hasKernels(backend)));
            found.keySet().removeIf(c -> available.capabilities().contains(c) != claimed);
            assertAll(found.entrySet().stream()
                    .map(e -> () -> assertEquals(claimed, e.getValue().get(), () -> e.getKey() + " is there")));
        }
    }

    private static boolean registers(Backend backend) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = arena.allocate(PAGE, PAGE);
            Optional<HostRegistration> registration = backend.registerHost(memory, false);
            registration.ifPresent(HostRegistration::close);
            return registration.isPresent();
        }
    }

    private static boolean hasKernels(Backend backend) {
        try {
            backend.kernels();
            return true;
        } catch (UnsupportedFeatureException _) {
            return false;
        }
    }

    private static List<Device> devices(Probe.Available available) {
        return available.devices().stream().map(DeviceInfo::device).toList();
    }

    private Backend open(BackendProvider provider) {
        return provider.open(device(provider), BackendOptions.defaults());
    }

    private Device device(BackendProvider provider) {
        Probe.Available available = available(provider);
        if (available.devices().isEmpty()) {
            Assumptions.abort("probe() lists no device; see rule P-02");
        }
        return suite.device(available);
    }

    /// The probe's answer; ends the test where the hardware is missing.
    private static Probe.Available available(BackendProvider provider) {
        Probe probe;
        try {
            probe = provider.probe();
        } catch (RuntimeException | LinkageError e) {
            return Assumptions.abort("probe() threw " + e + "; see rule P-01");
        }
        if (probe instanceof Probe.Unavailable unavailable) {
            throw Requirement.unavailable(provider.name(), unavailable.reason());
        }
        return (Probe.Available) probe;
    }
}
