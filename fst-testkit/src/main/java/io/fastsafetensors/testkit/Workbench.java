package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.Device;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Set;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Assumptions;

/// One open backend for one test, and the plain ways to get bytes there and back. Closes what was opened through it,
/// last first. Used by one thread, but for [#track] and what the SPI allows to many.
final class Workbench implements AutoCloseable {
    /// How long a test waits for a device before it calls it hung.
    static Duration patience() {
        return Duration.ofSeconds(Long.getLong("fst.testkit.patienceSeconds", 60));
    }

    private static final long OVER_4_GIB = (1L << 32) + (1L << 21) + 1;
    private static final long OVER_2_GIB = (1L << 31) + (1L << 21) + 1;
    private static final long ENOUGH = 6L << 30;
    private static final long LEAST_STAGING = 64 << 10;

    final BackendProvider provider;
    final Device device;
    final Backend backend;
    final Effort effort;
    private final Set<Capability> capabilities;
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    private Workbench(BackendProvider provider, Device device, Backend backend, Set<Capability> capabilities,
            Effort effort) {
        this.provider = provider;
        this.device = device;
        this.backend = backend;
        this.capabilities = capabilities;
        this.effort = effort;
    }

    /// Opens the suite's backend; aborts the test where that is not possible, since the probe's rules report it.
    static Workbench open(BackendConformance suite) {
        return open(suite, suite::device, suite.effort());
    }

    /// As above, a device that is not the first, of which samples are enough.
    static Workbench open(BackendConformance suite, Device device) {
        return open(suite, _ -> device, Effort.QUICK);
    }

    private static Workbench open(BackendConformance suite, Function<Probe.Available, Device> chosen, Effort effort) {
        BackendProvider provider = suite.provider();
        Probe probe;
        try {
            probe = provider.probe();
        } catch (RuntimeException | LinkageError e) {
            return Assumptions.abort("probe() threw " + e + "; see rule P-01");
        }
        if (probe instanceof Probe.Unavailable unavailable) {
            throw Requirement.unavailable(provider.name(), unavailable.reason());
        }
        Probe.Available available = (Probe.Available) probe;
        if (available.devices().isEmpty()) {
            return Assumptions.abort("probe() lists no device; see rule P-02");
        }
        Device device = chosen.apply(available);
        Backend backend;
        try {
            backend = provider.open(device, BackendOptions.defaults());
        } catch (RuntimeException | LinkageError e) {
            return Assumptions.abort("opening " + device + " threw " + e + "; see rule P-05");
        }
        return new Workbench(provider, device, backend, available.capabilities(), effort);
    }

    /// Aborts the test unless the probe claimed the capability.
    void need(Capability capability) {
        if (!claims(capability)) {
            throw new NotApplicable("capability " + capability + " not claimed by " + provider.name());
        }
    }

    boolean claims(Capability capability) {
        return capabilities.contains(capability);
    }

    /// Closes the object when the test ends, unless it was closed before.
    <T extends AutoCloseable> T track(T object) {
        synchronized (opened) {
            opened.push(object);
        }
        return object;
    }

    DeviceBuffer allocate(long bytes) {
        return track(backend.allocate(bytes, backend.hints().tensorAlignment()));
    }

    /// A buffer of more than 4 GiB; of more than 2 GiB where there is not that much. Aborts the test in a quick run, and
    /// where there is no room.
    DeviceBuffer large() {
        if (effort == Effort.QUICK) {
            Assumptions.abort("quick run: no allocation over 2 GiB");
        }
        for (long bytes : new long[] {OVER_4_GIB, OVER_2_GIB}) {
            try {
                DeviceBuffer large = allocate(bytes);
                assertEquals(bytes, large.byteSize());
                return large;
            } catch (OutOfDeviceMemoryException e) {
                assertTrue(e.free() < ENOUGH || !e.limit().isEmpty(), () -> "it names no limit: " + e.getMessage());
                assertTrue(bytes > OVER_2_GIB || backend.memory().free() < ENOUGH,
                        () -> backend.memory() + ", and yet: " + e.getMessage());
            }
        }
        return Assumptions.abort("no room for 2 GiB: " + backend.memory());
    }

    /// Staging memory; aborts the test where the host has not that much.
    StagingBuffer staging(long bytes) {
        try {
            return track(backend.allocateStaging(bytes));
        } catch (OutOfDeviceMemoryException e) {
            return Assumptions.abort("no staging memory: " + e.getMessage());
        }
    }

    /// Staging memory of so many bytes, or of fewer where the host has not that much.
    private StagingBuffer stagingOfAtMost(long bytes) {
        for (long size = bytes;; size /= 2) {
            try {
                return backend.allocateStaging(size);
            } catch (OutOfDeviceMemoryException e) {
                if (size < LEAST_STAGING) {
                    throw e;
                }
            }
        }
    }

    CopyStream stream() {
        return track(backend.openCopyStream());
    }

    /// A staging buffer that holds these bytes.
    StagingBuffer staged(byte[] bytes) {
        StagingBuffer staging = staging(bytes.length);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, staging.segment(), 0, bytes.length);
        return staging;
    }

    /// A buffer on the device that holds these bytes.
    DeviceBuffer upload(byte[] bytes) {
        DeviceBuffer buffer = allocate(bytes.length);
        upload(bytes, buffer, 0);
        return buffer;
    }

    /// Writes bytes into a buffer and waits until they are there.
    void upload(byte[] bytes, DeviceBuffer buffer, long offset) {
        try (StagingBuffer staging = stagingOfAtMost(bytes.length); CopyStream stream = backend.openCopyStream()) {
            MemorySegment host = staging.segment();
            int at = 0;
            do {
                int size = (int) Math.min(host.byteSize(), bytes.length - at);
                MemorySegment.copy(MemorySegment.ofArray(bytes), at, host, 0, size);
                stream.copyToDevice(host.asSlice(0, size), buffer, offset + at);
                settle(stream);
                at += size;
            } while (at < bytes.length);
        }
    }

    /// Reads a whole buffer back.
    byte[] download(DeviceBuffer buffer) {
        return download(buffer, 0, buffer.byteSize());
    }

    /// Reads a slice back.
    byte[] download(BufferSlice slice) {
        return download(slice.buffer(), slice.offset(), slice.byteSize());
    }

    /// Reads bytes of a buffer back.
    byte[] download(DeviceBuffer buffer, long offset, long bytes) {
        try (StagingBuffer staging = stagingOfAtMost(bytes); CopyStream stream = backend.openCopyStream()) {
            MemorySegment host = staging.segment();
            byte[] read = new byte[Math.toIntExact(bytes)];
            int at = 0;
            do {
                int size = (int) Math.min(host.byteSize(), bytes - at);
                MemorySegment part = host.asSlice(0, size);
                stream.copyToHost(buffer, offset + at, part);
                settle(stream);
                MemorySegment.copy(part, 0, MemorySegment.ofArray(read), at, size);
                at += size;
            } while (at < bytes);
            return read;
        }
    }

    /// Waits until everything submitted so far is done.
    static void settle(CopyStream stream) {
        try (Fence fence = stream.fence()) {
            settled(fence);
        }
    }

    /// Waits for a fence unless it has passed: waiting with a limit takes a thread.
    static void settled(Fence fence) {
        if (!fence.isPassed()) {
            await(fence);
        }
    }

    /// Waits for a fence, but not for ever.
    static void await(Fence fence) {
        assertTimeoutPreemptively(patience(), fence::await, "the fence does not pass");
    }

    /// Random bytes for one test.
    static byte[] bytes(RandomGenerator random, int count) {
        byte[] bytes = new byte[count];
        random.nextBytes(bytes);
        return bytes;
    }

    /// Bytes that a test can tell from what it writes: what a target holds before.
    static byte[] filler(int count) {
        byte[] bytes = new byte[count];
        Arrays.fill(bytes, (byte) 0xA5);
        return bytes;
    }

    /// Compares and names the first difference.
    static void assertSame(byte[] expected, byte[] actual, String what) {
        int at = Arrays.mismatch(expected, actual);
        if (at >= 0) {
            String lengths = expected.length == actual.length ? ""
                    : "; " + expected.length + " bytes expected, " + actual.length + " found";
            fail(what + ": byte " + at + " is " + hex(actual, at) + ", should be " + hex(expected, at) + lengths
                    + Seed.note());
        }
    }

    private static String hex(byte[] bytes, int at) {
        return at < bytes.length ? String.format("0x%02X", bytes[at]) : "not there";
    }

    /// Closes everything, whatever some of it throws; the first exception comes out.
    @Override
    public void close() {
        RuntimeException failure = null;
        opened.addLast(backend);
        while (!opened.isEmpty()) {
            try {
                opened.pop().close();
            } catch (Exception e) {
                failure = failure == null ? new IllegalStateException("closing after the test failed", e) : failure;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
