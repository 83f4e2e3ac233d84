package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DeviceHandle;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

/// Defects of what a backend keeps and says: leaks at every place, memory numbers, devices, probes, races of closing.
@SuppressWarnings({"MustBeClosedChecker", "MustBeClosed"}) // Leaks are what this is about.
final class StateBreaches {
    /// What leaks hold, so that nothing is closed by a cleaner.
    private static final Queue<Object> KEPT = new ConcurrentLinkedQueue<>();

    private StateBreaches() {
    }

    static List<Breach> all() {
        List<Breach> all = new ArrayList<>();
        all.addAll(leaks());
        all.addAll(memory());
        all.addAll(devices());
        all.addAll(probes());
        all.addAll(races());
        return all;
    }

    private interface Leak {
        Object open() throws Exception;
    }

    /// Keeps what leaks until [#release()].
    static void keep(Object open) {
        KEPT.add(open);
    }

    /// Releases what the leaks of a run hold.
    public static void release() {
        for (Object kept = KEPT.poll(); kept != null; kept = KEPT.poll()) {
            if (kept instanceof CountDownLatch latch) {
                latch.countDown();
            } else if (kept instanceof AutoCloseable open) {
                try {
                    open.close();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    private static List<Breach> leaks() {
        Map<String, Leak> leaks = new LinkedHashMap<>();
        leaks.put("a thread", StateBreaches::thread);
        leaks.put("a socket", () -> new ServerSocket(0));
        leaks.put("a device node", () -> new FileOutputStream("/dev/null"));
        leaks.put("a file", () -> FileChannel.open(temporary(), StandardOpenOption.READ,
                StandardOpenOption.DELETE_ON_CLOSE));
        leaks.put("a pipe", () -> {
            Pipe pipe = Pipe.open();
            KEPT.add(pipe.sink());
            return pipe.source();
        });
        leaks.put("a mapping", StateBreaches::mapping);
        // Over what the C library takes from memory that was freed before.
        leaks.put("34 MiB", () -> {
            Arena arena = Arena.ofShared();
            arena.allocate(34 << 20);
            return arena;
        });
        List<Breach> all = new ArrayList<>();
        for (String site : List.of("Backend.openCopyStream", "Backend.allocate", "Backend.allocateStaging",
                "CopyStream.copyToDevice", "CopyStream.fence", "DirectFile.read", "DirectFile.close",
                "Backend.close")) {
            leaks.forEach((what, leak) -> all.add(Breach.of("F10", site + " leaves " + what, HostProvider.copying(),
                    () -> call -> {
                        if (call.site().equals(site)) {
                            KEPT.add(leak.open());
                        }
                        return call.proceed();
                    }, "L-10", "L-11")));
        }
        leaks.forEach((what, leak) -> all.add(Breach.of("F10", "a probe leaves " + what,
                new Forwarding.OfProvider(HostProvider.copying()) {
                    @Override
                    public Probe probe() {
                        try {
                            KEPT.add(leak.open());
                        } catch (Exception e) {
                            throw new IllegalStateException(e);
                        }
                        return super.probe();
                    }
                }, "L-10")));
        return all;
    }

    private static Object thread() {
        CountDownLatch end = new CountDownLatch(1);
        Thread.ofPlatform().daemon().name("acme-worker").start(() -> {
            try {
                end.await();
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        });
        return end;
    }

    private static Path temporary() throws IOException {
        return Files.write(Files.createTempFile("fst-leak", ".bin"), new byte[4096]);
    }

    private static Object mapping() throws IOException {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(temporary(), StandardOpenOption.READ,
                StandardOpenOption.DELETE_ON_CLOSE)) {
            channel.map(FileChannel.MapMode.READ_ONLY, 0, 4096, arena);
        }
        return arena;
    }

    private static List<Breach> memory() {
        Map<String, UnaryOperator<MemoryInfo>> changes = new LinkedHashMap<>();
        changes.put("free is what is used", m -> MemoryInfo.of(m.total() - m.free(), m.total()));
        changes.put("free is in KiB", m -> MemoryInfo.of(m.free() >> 10, m.total()));
        changes.put("free and total are in KiB", m -> MemoryInfo.of(m.free() >> 10, m.total() >> 10));
        changes.put("total is in KiB, free is not known", m -> MemoryInfo.of(-1, m.total() >> 10));
        changes.put("free is total", m -> MemoryInfo.of(m.total(), m.total()));
        changes.put("free is a constant", m -> MemoryInfo.of(1 << 30, m.total()));
        changes.put("free is 0", m -> MemoryInfo.of(0, m.total()));
        changes.put("free and total are swapped", m -> MemoryInfo.of(m.total(), Math.max(0, m.free() - 1)));
        changes.put("total is huge", m -> MemoryInfo.of(m.free(), Long.MAX_VALUE));
        changes.put("free is cut to 32 bits", m -> MemoryInfo.of((int) m.free(), m.total()));
        changes.put("free is half", m -> MemoryInfo.of(m.free() / 4, m.total()));
        changes.put("free is twice", m -> MemoryInfo.of(Math.min(m.total(), m.total() - 2 * (m.total() - m.free())
                - (m.total() - m.free())), m.total()));
        List<Breach> all = new ArrayList<>();
        changes.forEach((what, change) -> all.add(Breach.of("F8", "memory(): " + what, HostProvider.copying(),
                () -> call -> call.site().equals("Backend.memory")
                        ? change.apply((MemoryInfo) java.util.Objects.requireNonNull(call.proceed())) : call.proceed(),
                what.contains("free is in KiB") ? new String[] {"A-10"} : new String[] {"P-08", "A-04", "A-10"})));
        for (String what : List.of("free", "requested")) {
            for (int shift : new int[] {10, 20}) {
                all.add(Breach.of("F8", "OutOfDeviceMemoryException: " + what + " is shifted by " + shift,
                        HostProvider.copying(), () -> call -> {
                            try {
                                return call.proceed();
                            } catch (OutOfDeviceMemoryException e) {
                                throw new OutOfDeviceMemoryException(
                                        what.equals("free") ? e.requested() : e.requested() >> shift,
                                        what.equals("free") ? e.free() >> shift : e.free(), e.where());
                            }
                        }, "A-04"));
            }
        }
        return all;
    }

    private static List<Breach> devices() {
        List<Breach> all = new ArrayList<>();
        for (int count : new int[] {2, 3, 8}) {
            HostProvider several = HostProvider.full().devices(count);
            all.add(Breach.of("F7", "every device of " + count + " is device 0",
                    rerouted(several, _ -> 0, true), "P-"));
            all.add(Breach.of("F7", "every device of " + count + " is device 0, and says so",
                    rerouted(several, _ -> 0, false), "P-"));
            all.add(Breach.of("F7", "device 1 of " + count + " is the last one",
                    rerouted(several, i -> i == 1 && count > 2 ? count - 1 : i == 1 ? 0 : i, true), "P-"));
        }
        all.add(Breach.of("F7", "device 1 loses its copies", new Forwarding.OfProvider(HostProvider.full().devices(2)) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                Backend real = super.open(device, options);
                return device.index() == 0 ? real : Layer.provider(HostProvider.full().devices(2), () -> call -> call
                        .site().equals("CopyStream.copyToDevice") ? null : call.proceed()).open(device, options);
            }
        }, "P-15"));
        all.add(Breach.of("F7", "device 1 cannot be opened", new Forwarding.OfProvider(HostProvider.full().devices(2)) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                return super.open(device.index() == 1 ? new Device("host", 7) : device, options);
            }
        }, "P-05", "P-15"));
        return all;
    }

    private interface Route {
        int of(int index);
    }

    private static BackendProvider rerouted(HostProvider several, Route route, boolean hidden) {
        return new Forwarding.OfProvider(several) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                if (device.index() >= 8) {
                    return super.open(device, options);
                }
                Backend other = super.open(new Device("host", route.of(device.index())), options);
                DeviceInfo listed = other.info();
                DeviceInfo asked = new DeviceInfo(device, listed.kind(), listed.name(), listed.totalBytes(), -1,
                        Map.of());
                return hidden ? new Forwarding.OfBackend(other) {
                    @Override
                    public DeviceInfo info() {
                        return asked;
                    }
                } : other;
            }
        };
    }

    private static List<Breach> probes() {
        List<Breach> all = new ArrayList<>();
        for (int after : new int[] {2, 20, 100}) {
            all.add(Breach.of("F11", "the probe loses a capability after " + after + " calls", changing(after, true),
                    "P-03"));
            all.add(Breach.of("F11", "the probe gives up after " + after + " calls", changing(after, false), "P-03"));
        }
        all.add(Breach.of("F11", "the probe is unavailable while a device is open", whileOpen(), "P-03"));
        for (String name : List.of("unregistered", "hosts", "Host")) {
            all.add(Breach.of("F3", "the provider is called " + name + " and not registered",
                    new Forwarding.OfProvider(HostProvider.copying()) {
                        @Override
                        public String name() {
                            return name;
                        }
                    }, "P-13"));
        }
        all.add(Breach.of("F3", "another device type is registered", new Forwarding.OfProvider(HostProvider.copying()) {
            @Override
            public String deviceType() {
                return "hosts";
            }
        }, "P-13", "P-02"));
        all.add(Breach.of("F11", "native code prints when the provider is probed", new NoisyProvider(), "P-14"));
        all.add(Breach.of("F11", "a buffer of another class is refused", HostProvider.full(), () -> call -> {
            for (Object argument : call.arguments()) {
                if (argument instanceof DeviceBuffer buffer && !buffer.getClass().getName().contains(".host.")) {
                    throw new ClassCastException(buffer.getClass() + " is none of mine");
                }
            }
            return call.proceed();
        }, "C-12"));
        all.add(Breach.of("F11", "a handle changes each time", HostProvider.minimal(), () -> {
            AtomicInteger calls = new AtomicInteger();
            return call -> call.site().equals("DeviceBuffer.handle")
                    ? new DeviceHandle(DeviceHandle.Kind.CL_MEM, calls.incrementAndGet(), 0) : call.proceed();
        }, "A-11"));
        all.add(Breach.of("F11", "handles are cut to 16 bits", HostProvider.minimal(), () -> call -> {
            Object answer = call.proceed();
            return answer instanceof DeviceHandle handle
                    ? new DeviceHandle(handle.kind(), handle.value() & 0x3FFF, 0) : answer;
        }, "A-11"));
        return all;
    }

    private static BackendProvider changing(int after, boolean capability) {
        return new Forwarding.OfProvider(HostProvider.full()) {
            private final AtomicInteger calls = new AtomicInteger();

            @Override
            public Probe probe() {
                Probe.Available real = (Probe.Available) super.probe();
                if (calls.incrementAndGet() <= after) {
                    return real;
                }
                Set<Capability> fewer = EnumSet.copyOf(real.capabilities());
                fewer.remove(Capability.KERNELS);
                return capability ? new Probe.Available(real.devices(), fewer, Map.of())
                        : new Probe.Unavailable("tired");
            }
        };
    }

    private static BackendProvider whileOpen() {
        AtomicInteger open = new AtomicInteger();
        return new Forwarding.OfProvider(HostProvider.full()) {
            @Override
            public Probe probe() {
                return open.get() > 0 ? new Probe.Unavailable("the device is in use") : super.probe();
            }

            @Override
            public Backend open(Device device, BackendOptions options) {
                open.incrementAndGet();
                return new Forwarding.OfBackend(super.open(device, options)) {
                    private final AtomicBoolean closed = new AtomicBoolean();

                    @Override
                    public void close() {
                        if (closed.compareAndSet(false, true)) {
                            open.decrementAndGet();
                        }
                        super.close();
                    }
                };
            }
        };
    }

    /// Test and set in two steps, sums without a lock.
    private static List<Breach> races() {
        List<Breach> all = new ArrayList<>();
        for (String type : List.of("DeviceBuffer", "StagingBuffer", "CopyStream")) {
            all.add(Breach.of("F9", type + ".close tests its flag and then sets it", HostProvider.copying(), () -> {
                Map<Object, AtomicInteger> flags = new java.util.concurrent.ConcurrentHashMap<>();
                return call -> {
                    if (!call.site().equals(type + ".close")) {
                        return call.proceed();
                    }
                    AtomicInteger flag = flags.computeIfAbsent(call.target(), _ -> new AtomicInteger());
                    if (flag.get() > 0) {
                        return null;
                    }
                    spin(0);
                    int before = flag.getAndIncrement();
                    if (before > 0) {
                        throw new IllegalStateException("freed twice");
                    }
                    return call.proceed();
                };
            }, "N-05"));
        }
        all.add(Breach.of("F9", "allocated bytes are summed without a lock", HostProvider.copying(), () -> {
            long[] used = {0};
            return call -> {
                switch (call.site()) {
                    case "Backend.allocate" -> {
                        Object buffer = call.proceed();
                        used[0] = spin(used[0]) + call.number(0);
                        return buffer;
                    }
                    case "DeviceBuffer.close" -> {
                        if (!call.closed()) {
                            used[0] = spin(used[0]) - ((DeviceBuffer) call.target()).byteSize();
                        }
                        return call.proceed();
                    }
                    case "Backend.memory" -> {
                        return MemoryInfo.of((8L << 30) - used[0], 8L << 30);
                    }
                    default -> {
                        return call.proceed();
                    }
                }
            };
        }, "N-07"));
        all.add(Breach.of("F10", "every read takes staging memory that stays", HostProvider.copying(),
                () -> call -> {
                    if (call.site().equals("DirectFile.read")) {
                        MemorySegment staging = Arena.ofAuto().allocate(1 << 20);
                        KEPT.add(staging);
                    }
                    return call.proceed();
                }, "L-11", "L-10"));
        return all;
    }

    /// What another thread can overtake: as long as releasing memory takes.
    private static long spin(long value) {
        for (int i = 0; i < 2000; i++) {
            Thread.onSpinWait();
        }
        return value;
    }
}
