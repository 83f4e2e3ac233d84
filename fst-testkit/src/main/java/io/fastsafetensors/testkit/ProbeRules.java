package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.Services;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.Device;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.ThrowingSupplier;

/// Rules on a provider's answers about itself, and on opening it.
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

    /// An available probe lists at least one device, each once, all of the provider's device type, with a name and a size; −1
    /// stands for an unknown size.
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
        for (DeviceInfo info : available(provider).devices()) {
            assertFalse(info.name().isBlank(), () -> info.device() + " has no name");
            assertTrue(info.totalBytes() == -1 || info.totalBytes() > 0, () -> info + ": −1 stands for unknown");
        }
    }

    /// Probing again and again, from other threads too, while devices are open and after they were closed, gives the same
    /// devices and capabilities.
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
            assertSameProbe(first, other.join());
        }
        try (Backend backend = open(provider)) {
            backend.allocate(1 << 20, 64).close();
            assertSameProbe(first, provider.probe());
        }
        for (int i = 0; i < 200; i++) {
            assertSameProbe(first, provider.probe());
        }
    }

    private static void assertSameProbe(Probe.Available first, Probe probe) {
        if (!(probe instanceof Probe.Available again)) {
            fail("available at first, and then not: " + probe);
            return;
        }
        assertEquals(first.capabilities(), again.capabilities(), "capabilities change");
        assertEquals(facts(first), facts(again), "devices change");
    }

    /// What does not change while a machine runs.
    private static List<DeviceInfo> facts(Probe.Available found) {
        return found.devices().stream().map(info -> info.withAttributes(Map.of())).toList();
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
        assertEquals(provider.name(), provider.name(), "the name when asked again");
        assertFalse(List.of("auto", "gpu").contains(provider.deviceType()), "the type is a word for many backends");
    }

    /// Every listed device opens, and the backend says that it is this device, the same each time.
    ///
    /// If it fails: a device that cannot be opened does not belong in the probe's list.
    @Test
    @DisplayName("P-05 every listed device opens and knows which one it is")
    void p_05_every_listed_device_opens_and_knows_which_one_it_is() {
        BackendProvider provider = suite.provider();
        for (DeviceInfo listed : available(provider).devices()) {
            try (Backend backend = provider.open(listed.device(), BackendOptions.defaults())) {
                assertEquals(listed.device(), backend.info().device(), "the device of the opened backend");
                assertEquals(listed.kind(), backend.info().kind(), "the kind of the device");
                assertEquals(backend.info(), backend.info(), "the device's facts when asked again");
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

    /// Hints can be followed: blocks are whole pages, and asynchronous copies have at least two slots for each reader. They
    /// are the same at each call.
    ///
    /// If it fails: with one slot a reader waits for its own copy; a block that is no multiple of 4096 bytes ends direct
    /// reads from disk.
    @Test
    @DisplayName("P-07 the transfer hints can be followed")
    void p_07_the_transfer_hints_can_be_followed() {
        BackendProvider provider = suite.provider();
        boolean asynchronous = available(provider).capabilities().contains(Capability.ASYNCHRONOUS_COPIES);
        for (Device device : suite.devices(available(provider))) {
            try (Backend backend = provider.open(device, BackendOptions.defaults())) {
                TransferHints hints = backend.hints();
                assertEquals(0, hints.blockBytes() % PAGE, () -> "block size " + hints.blockBytes());
                assertTrue(!asynchronous || hints.slotsPerReader() >= 2, "one slot for asynchronous copies");
                assertEquals(hints, backend.hints(), "the hints when asked again");
            }
        }
    }

    /// Free memory is at most total memory, and total memory is about what the device's facts say; −1 stands for unknown.
    ///
    /// If it fails: 0 and huge numbers are answers, not "unknown"; check the order of the two in the driver's call, and
    /// whether it answers in bytes.
    @Test
    @DisplayName("P-08 memory sizes make sense")
    void p_08_memory_sizes_make_sense() {
        for (Device device : suite.devices(available(suite.provider()))) {
            memorySizesMakeSense(device);
        }
    }

    private void memorySizesMakeSense(Device device) {
        try (Backend backend = suite.provider().open(device, BackendOptions.defaults())) {
            MemoryInfo memory = backend.memory();
            assertTrue(memory.free() >= -1 && memory.total() >= -1 && memory.total() != 0, memory::toString);
            assertTrue(memory.total() < 0 || memory.free() <= memory.total(), memory::toString);
            long facts = backend.info().totalBytes();
            assertTrue(memory.total() < 0 || facts <= 0 || (memory.total() / 4 <= facts && facts / 4 <= memory.total()),
                    () -> "memory() says " + memory + ", info() says " + facts + " bytes");
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

    /// The provider is found by [java.util.ServiceLoader], by its name.
    ///
    /// If it fails: the class is named in `META-INF/services/io.fastsafetensors.spi.BackendProvider` and, in a module, by
    /// `provides … with …`; without that no program finds the backend.
    @Test
    @DisplayName("P-13 the provider is registered")
    void p_13_the_provider_is_registered() {
        BackendProvider provider = suite.provider();
        List<Services.Found<BackendProvider>> found = Services.all(BackendProvider.class, suite.getClass());
        List<BackendProvider> named = found.stream().flatMap(f -> f.service().stream())
                .filter(p -> nameOf(p).equals(provider.name())).toList();
        assertFalse(named.isEmpty(), () -> "no provider \"" + provider.name() + "\" is registered; these are: "
                + found.stream().map(f -> f.className() + f.error().map(e -> " (" + e + ")").orElse("")).toList());
        assertEquals(Optional.empty(), SpiVersion.refusal(provider.spiVersion()), "programs do not use it");
        assertEquals(1, named.size(), () -> "several are named \"" + provider.name() + "\": " + named);
        assertEquals(provider.deviceType(), named.getFirst().deviceType(), "the registered one's device type");
    }

    /// What others on the path throw is theirs.
    private static String nameOf(BackendProvider provider) {
        try {
            return provider.name();
        } catch (RuntimeException | LinkageError _) {
            return "";
        }
    }

    /// In a fresh process, finding the provider and probing print nothing, from native code neither, and do not throw.
    ///
    /// If it fails: look for messages of libraries that are loaded; there is often a variable that silences them, or a
    /// call to ask first whether there is a device. Warnings of the virtual machine count: users see them.
    @Test
    @DisplayName("P-14 the probe prints nothing in a process of its own")
    void p_14_the_probe_prints_nothing_in_a_process_of_its_own() throws Exception {
        ProbeProcess.Result result = ProbeProcess.run(suite.provider().name());
        assertEquals("", result.output(), "what was printed");
        assertEquals(0, result.status(), "exit status");
    }

    /// Every listed device carries bytes and, where the devices say how much memory is free, has memory of its own: what
    /// is allocated on one is not missing on another, and closing one leaves the others open. Not applicable to a single device.
    ///
    /// If it fails: the device's index is lost on its way to the driver; each call needs the device's own context.
    @Test
    @DisplayName("P-15 every listed device has memory of its own")
    void p_15_every_listed_device_has_memory_of_its_own() {
        BackendProvider provider = suite.provider();
        List<DeviceInfo> devices = available(provider).devices();
        if (devices.size() < 2) {
            throw new NotApplicable("there is one device");
        }
        List<Backend> open = new ArrayList<>();
        try {
            devices.forEach(info -> open.add(provider.open(info.device(), BackendOptions.defaults())));
            for (Backend backend : open) {
                carriesBytes(backend);
            }
            for (Backend one : open) {
                assertOwnMemory(one, open.stream().filter(other -> !other.equals(one)).toList());
            }
            for (int last = open.size() - 1; last > 0; last--) {
                open.get(last).close();
                carriesBytes(open.get(last - 1));
            }
        } finally {
            open.forEach(Backend::close);
        }
    }

    /// Opening a device, using it and closing it prints nothing: programs have their own output.
    ///
    /// If it fails: look for messages of libraries that are initialised; log by [System.Logger] what people should know.
    @Test
    @DisplayName("P-16 an opened device prints nothing")
    void p_16_an_opened_device_prints_nothing() {
        BackendProvider provider = suite.provider();
        Device device = device(provider);
        StandardStreams.Captured<Device> captured = StandardStreams.capture(() -> {
            try (Backend backend = provider.open(device, BackendOptions.defaults())) {
                carriesBytes(backend);
                return backend.info().device();
            }
        });
        assertEquals("", captured.text(), "what was printed");
    }

    private static void carriesBytes(Backend backend) {
        byte[] bytes = Workbench.bytes(Seed.random("P-15." + backend.info().device()), 100_003);
        try (DeviceBuffer buffer = backend.allocate(bytes.length, 256);
                StagingBuffer out = backend.allocateStaging(bytes.length);
                StagingBuffer back = backend.allocateStaging(bytes.length);
                CopyStream stream = backend.openCopyStream()) {
            out.segment().copyFrom(MemorySegment.ofArray(bytes));
            stream.copyToDevice(out.segment(), buffer, 0);
            stream.copyToHost(buffer, 0, back.segment());
            Workbench.settle(stream);
            Workbench.assertSame(bytes, back.segment().toArray(ValueLayout.JAVA_BYTE),
                    "bytes through " + backend.info().device());
        }
    }

    private static void assertOwnMemory(Backend one, List<Backend> others) {
        if (one.memory().free() < 0) {
            return;
        }
        long bytes = MemoryMeter.chunk(one);
        Set<Device> suspects = new HashSet<>(others.stream().map(other -> other.info().device()).toList());
        // Others use the devices too: it counts when it is seen each time.
        for (int attempt = 0; attempt < MemoryMeter.ATTEMPTS && !suspects.isEmpty(); attempt++) {
            long[] before = others.stream().mapToLong(other -> other.memory().free()).toArray();
            try (DeviceBuffer buffer = one.allocate(bytes, 256)) {
                MemoryMeter.touch(one, buffer);
                for (int i = 0; i < before.length; i++) {
                    if (before[i] < 0 || before[i] - others.get(i).memory().free() < bytes / 2) {
                        suspects.remove(others.get(i).info().device());
                    }
                }
            }
        }
        assertEquals(Set.of(), suspects, () -> bytes + " bytes on " + one.info().device() + " are missing there");
    }

    private void compareClaims(boolean claimed) {
        BackendProvider provider = suite.provider();
        Probe.Available available = available(provider);
        for (Device device : suite.devices(available)) {
            compareClaims(claimed, available, provider.open(device, BackendOptions.defaults()));
        }
    }

    private static void compareClaims(boolean claimed, Probe.Available available, Backend opened) {
        try (Backend backend = opened; DeviceBuffer buffer = backend.allocate(64, 64)) {
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
