package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.spi.base.ForwardingBackend;
import io.fastsafetensors.spi.base.ForwardingBuffer;
import io.fastsafetensors.spi.base.ForwardingFence;
import io.fastsafetensors.spi.base.ForwardingStream;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DeviceHandle;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/// Defects of devices, leaks, answers and decorators, listed from the contracts of the SPI without a look at the rules.
@SuppressWarnings({"MustBeClosedChecker", "MustBeClosed"}) // Leaks are what this is about.
final class IndependentState {
    private IndependentState() {
    }

    static List<Breach> all() {
        List<Breach> all = new ArrayList<>();
        all.addAll(devices());
        all.addAll(leaks());
        all.addAll(probes());
        all.addAll(answers());
        all.addAll(decorators());
        return all;
    }

    private static Breach at(String kind, String site, String name, Layer.Change change, String... rules) {
        return Independent.at(kind, site, name, change, rules);
    }

    /// A defect of the second one of two devices.
    private static Breach second(String name, BackendProvider two, Supplier<Layer.Change> changes, String... rules) {
        BackendProvider broken = Layer.provider(two, changes);
        return Independent.of("F7", "device 1: " + name, new Forwarding.OfProvider(two) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                return device.index() == 1 ? broken.open(device, options) : super.open(device, options);
            }
        }, rules);
    }

    private static Breach second(String site, String name, Layer.Change change, String... rules) {
        return second(site + " " + name, HostProvider.full().devices(2),
                () -> call -> call.site().equals(site) ? change.call(call) : call.proceed(), rules);
    }

    private static List<Breach> devices() {
        HostProvider two = HostProvider.full().devices(2);
        return List.of(second("Kernels.convert", "throws", _ -> {
            throw new io.fastsafetensors.error.BackendException("invalid context",
                    io.fastsafetensors.error.Where.backend("host"));
        }, "K-02"), second("Kernels.gather", "does nothing", _ -> null, "G-01"),
                second("CopyStream.copy", "does nothing", _ -> null, "C-04"),
                second("Backend.memory", "is a constant", _ -> MemoryInfo.of(1 << 30, 8L << 30), "A-10"),
                second("Backend.info", "is device 0's", _ -> two.open(new Device("host", 0),
                        BackendOptions.defaults()).info(), "P-05"),
                second("CopyStream.copyToHost", "loses the last 4 bytes", call -> {
                    MemorySegment target = (MemorySegment) call.argument(2);
                    return call.proceed(call.with(2, target.asSlice(0, Math.max(0, target.byteSize() - 4))));
                }, "C-01"), second("Backend.directStorage", "is missing", _ -> Optional.empty(), "P-11"),
                second("Backend.registerHost", "is missing", _ -> Optional.empty(), "P-11"),
                second("Backend.allocate", "ignores alignments",
                        call -> call.proceed(call.with(1, Math.min(16, call.number(1)))), "M-01"),
                second("Kernels.convert", "changes equal dtypes", call -> {
                    Object answer = call.proceed();
                    MemorySegment target = ((BufferSlice) call.argument(3)).buffer().segment().orElseThrow();
                    if (((BufferSlice) call.argument(3)).byteSize() > 4) {
                        target.asSlice(((BufferSlice) call.argument(3)).offset(), 1).fill((byte) 0x55);
                    }
                    return answer;
                }, "K-02"), second("DirectFile.read", "reads zeros",
                        call -> call.number(3), "D-01"),
                second("DeviceBuffer.segment", "is missing", _ -> Optional.empty(), "P-11"),
                second("fences pass early", new FaultyBackendProvider(two, Independent.slow()),
                        () -> call -> call.site().equals("Fence.await") ? null : call.proceed(), "O-02"),
                Independent.of("F7", "closing device 1 closes device 0", new Forwarding.OfProvider(two) {
                    private final Set<Backend> first = ConcurrentHashMap.newKeySet();

                    @Override
                    public Backend open(Device device, BackendOptions options) {
                        Backend opened = super.open(device, options);
                        if (device.index() == 0) {
                            first.add(opened);
                            return opened;
                        }
                        return new Forwarding.OfBackend(opened) {
                            @Override
                            public void close() {
                                super.close();
                                first.forEach(Backend::close);
                            }
                        };
                    }
                }, "P-15"), Independent.of("F7", "a device that is open twice closes once for both",
                        new Forwarding.OfProvider(HostProvider.copying()) {
                            private final Set<Backend> open = ConcurrentHashMap.newKeySet();

                            @Override
                            public Backend open(Device device, BackendOptions options) {
                                Backend opened = super.open(device, options);
                                open.add(opened);
                                return new Forwarding.OfBackend(opened) {
                                    @Override
                                    public void close() {
                                        open.forEach(Backend::close);
                                        open.clear();
                                    }
                                };
                            }
                        }, "L-09"),
                listing("the same device twice",
                        list -> List.of(list.getFirst(), list.getFirst()), "P-02"),
                listing("a device of another type besides", list -> List.of(list.getFirst(),
                        DeviceInfo.of(new Device("other", 0), DeviceKind.GPU, "other")), "P-02"),
                listing("a device that cannot be opened besides", list -> List.of(list.getFirst(),
                        DeviceInfo.of(new Device("host", 5), DeviceKind.GPU, "none")), "P-05"),
                listing("a device without a name",
                        list -> List.of(DeviceInfo.of(list.getFirst().device(), DeviceKind.CPU, "")), "P-02"),
                listing("a device with 0 bytes", list -> List.of(list.getFirst().withTotalBytes(0)), "P-02"));
    }

    private static Breach listing(String name, UnaryOperator<List<DeviceInfo>> change, String... rules) {
        return Independent.of("F7", "the probe lists " + name, new Forwarding.OfProvider(HostProvider.copying()) {
            @Override
            public Probe probe() {
                Probe.Available real = super.probe().found().orElseThrow();
                return Probe.available(change.apply(real.devices())).with(real.capabilities());
            }
        }, rules);
    }

    private interface Open {
        Object open() throws Exception;
    }

    private static Breach leak(String site, String name, Open open) {
        return Independent.of("F10", site + " leaves " + name, HostProvider.full(), () -> call -> {
            if (call.site().equals(site)) {
                StateBreaches.keep(open.open());
            }
            return call.proceed();
        }, "L-11", "L-10");
    }

    private static List<Breach> leaks() {
        return List.of(leak("CopyStream.close", "a thread", IndependentState::thread),
                leak("Backend.close", "a socket", () -> new ServerSocket(0)),
                leak("Fence.close", "native memory", () -> memory(1 << 20)),
                leak("DeviceBuffer.close", "native memory", () -> memory(1 << 20)),
                leak("StagingBuffer.close", "native memory", () -> memory(1 << 20)),
                leak("DirectFile.close", "a descriptor", IndependentState::file),
                leak("DirectStorage.support", "a descriptor", IndependentState::file),
                leak("DirectFile.read", "a mapping", IndependentState::mapping),
                leak("DirectStorage.open", "native memory", () -> memory(4 << 20)),
                leak("Kernels.convert", "scratch memory", () -> memory(4 << 20)),
                leak("Kernels.gather", "a mapping", IndependentState::mapping),
                leak("Kernels.dequantize", "scratch memory", () -> memory(4 << 20)),
                leak("HostRegistration.close", "a mapping", IndependentState::mapping),
                leak("Backend.registerHost", "a descriptor", IndependentState::file),
                leak("CopyStream.waitFor", "a descriptor", IndependentState::file),
                leak("CopyStream.copy", "native memory", () -> memory(1 << 20)),
                leak("Backend.kernels", "a thread", IndependentState::thread),
                Independent.of("F10", "an opened device leaves a child process", HostProvider.copying(),
                        opening(() -> {
                            Process child = new ProcessBuilder("sleep", "600").start();
                            return (AutoCloseable) child::destroyForcibly;
                        }), "L-10"),
                Independent.of("F10", "an opened device leaves a temporary file", HostProvider.copying(),
                        opening(() -> {
                            Path file = Files.createTempFile("acme", ".so");
                            return (AutoCloseable) () -> Files.deleteIfExists(file);
                        }), "L-10"),
                Independent.of("F10", "a device that cannot be opened leaves a descriptor",
                        new Forwarding.OfProvider(HostProvider.copying()) {
                            @Override
                            public Backend open(Device device, BackendOptions options) {
                                try {
                                    return super.open(device, options);
                                } catch (RuntimeException e) {
                                    try {
                                        StateBreaches.keep(file());
                                    } catch (Exception io) {
                                        e.addSuppressed(io);
                                    }
                                    throw e;
                                }
                            }
                        }, "L-10"),
                Independent.of("F10", "a refused allocation leaves native memory", HostProvider.copying(),
                        () -> call -> {
                            try {
                                return call.proceed();
                            } catch (io.fastsafetensors.error.OutOfDeviceMemoryException e) {
                                StateBreaches.keep(memory(16 << 20));
                                throw e;
                            }
                        }, "L-10"),
                Independent.of("F10", "a refused copy leaves a descriptor", HostProvider.copying(), () -> call -> {
                    try {
                        return call.proceed();
                    } catch (IndexOutOfBoundsException e) {
                        StateBreaches.keep(file());
                        throw e;
                    }
                }, "L-11"),
                Independent.of("F10", "staging memory stays when the backend is closed", HostProvider.copying(), () -> {
                    Backend other = HostProvider.copying().open(HostProvider.DEVICE, BackendOptions.defaults());
                    return call -> call.site().equals("Backend.allocateStaging") && !call.closed()
                            ? call.method().invoke(other, call.arguments()) : call.proceed();
                }, "L-08"),
                Independent.of("F10", "buffers stay when the backend is closed", HostProvider.copying(), () -> {
                    Backend other = HostProvider.copying().open(HostProvider.DEVICE, BackendOptions.defaults());
                    return call -> {
                        try {
                            return call.site().equals("Backend.allocate") && !call.closed()
                                    ? call.method().invoke(other, call.arguments()) : call.proceed();
                        } catch (java.lang.reflect.InvocationTargetException e) {
                            throw e.getCause();
                        }
                    };
                }, "L-08"));
    }

    private static Supplier<Layer.Change> opening(Open open) {
        return () -> {
            try {
                StateBreaches.keep(open.open());
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
            return Layer.Call::proceed;
        };
    }

    private static Object thread() {
        CountDownLatch end = new CountDownLatch(1);
        Thread.ofPlatform().daemon().name("acme").start(() -> {
            try {
                end.await();
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        });
        return end;
    }

    private static Object memory(long bytes) {
        Arena arena = Arena.ofShared();
        arena.allocate(bytes).fill((byte) 1);
        return arena;
    }

    private static Object file() throws IOException {
        return FileChannel.open(Files.createTempFile("acme", ".bin"), StandardOpenOption.READ,
                StandardOpenOption.DELETE_ON_CLOSE);
    }

    private static Object mapping() throws IOException {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(Files.write(Files.createTempFile("acme", ".bin"), new byte[4096]),
                StandardOpenOption.READ, StandardOpenOption.DELETE_ON_CLOSE)) {
            channel.map(FileChannel.MapMode.READ_ONLY, 0, 4096, arena);
        }
        return arena;
    }

    private static Breach probing(String name, Function<Probe.Available, Probe> change, String... rules) {
        return Independent.of("F11", name, new Forwarding.OfProvider(HostProvider.full().devices(2)) {
            @Override
            public Probe probe() {
                return change.apply(super.probe().found().orElseThrow());
            }
        }, rules);
    }

    private static List<Breach> probes() {
        AtomicInteger calls = new AtomicInteger();
        return List.of(probing("the probe prints to System.out", found -> {
            System.out.println("acme 1.0");
            return found;
        }, "P-01"), probing("the probe prints to System.err", found -> {
            System.err.println("acme: no license");
            return found;
        }, "P-01"), probing("the order of devices changes", found -> Probe
                .available(calls.incrementAndGet() % 2 == 0 ? found.devices().reversed() : found.devices())
                .with(found.capabilities()), "P-03"), probing("capabilities come and go", found -> {
                    Set<Capability> fewer = EnumSet.copyOf(found.capabilities());
                    if (calls.incrementAndGet() % 3 == 0) {
                        fewer.remove(Capability.DIRECT_STORAGE);
                    }
                    return Probe.available(found.devices()).with(fewer);
                }, "P-03"), probing("the size of a device changes", found -> Probe.available(found.devices().stream()
                        .map(info -> info.withTotalBytes((8L << 30) + calls.incrementAndGet() / 2)).toList())
                        .with(found.capabilities()), "P-03"),
                named("the name changes", new Names("host", "host2")), named("the name is blank", new Names(" ", " ")),
                named("the name has a version", new Names("Host 2.1", "Host 2.1")),
                Independent.of("F11", "the device type is that of another backend's devices",
                        new Forwarding.OfProvider(HostProvider.copying()) {
                            @Override
                            public String deviceType() {
                                return "cuda";
                            }
                        }, "P-02"),
                Independent.of("F15", "it is made for an SPI of the future",
                        new Forwarding.OfProvider(HostProvider.copying()) {
                            @Override
                            public int spiVersion() {
                                return 99;
                            }
                        }, "P-13"),
                Independent.of("F11", "opening a device prints", new Forwarding.OfProvider(HostProvider.copying()) {
                    @Override
                    public Backend open(Device device, BackendOptions options) {
                        System.out.println("opened " + device);
                        return super.open(device, options);
                    }
                }, "P-16"), Independent.of("F11", "copies may be pending, which is not claimed",
                        new Forwarding.OfProvider(Independent.deferred()) {
                            @Override
                            public Probe probe() {
                                Probe.Available found = super.probe().found().orElseThrow();
                                Set<Capability> fewer = EnumSet.copyOf(found.capabilities());
                                fewer.remove(Capability.ASYNCHRONOUS_COPIES);
                                return Probe.available(found.devices()).with(fewer);
                            }
                        }, "O-09"));
    }

    private record Names(String first, String later, AtomicInteger calls) {
        Names(String first, String later) {
            this(first, later, new AtomicInteger());
        }
    }

    private static Breach named(String what, Names names) {
        return Independent.of("F11", what, new Forwarding.OfProvider(HostProvider.copying()) {
            @Override
            public String name() {
                return names.calls().getAndIncrement() == 0 ? names.first() : names.later();
            }
        }, "P-04", "P-06", "P-13");
    }

    private static List<Breach> answers() {
        AtomicInteger calls = new AtomicInteger();
        return List.of(
                at("F11", "Backend.hints", "changes",
                        _ -> TransferHints.defaults().withBlockBytes(4096 * calls.incrementAndGet()), "P-07"),
                at("F11", "Backend.info", "changes", call -> ((DeviceInfo) Independent.some(call.proceed()))
                        .withAttribute("call", "" + calls.incrementAndGet()), "P-05"),
                at("F11", "DeviceBuffer.handle", "is not the address of the segment", call -> DeviceHandle
                        .pointer(((DeviceHandle) Independent.some(call.proceed())).value() + 4096), "M-01"),
                at("F11", "DeviceBuffer.handle", "changes from call to call", call -> DeviceHandle
                        .pointer(((DeviceHandle) Independent.some(call.proceed())).value()
                                + 4096 * (calls.incrementAndGet() % 2)),
                        "A-11"),
                at("F11", "DeviceBuffer.handle", "is another kind of handle than claimed", call -> DeviceHandle
                        .object(DeviceHandle.Kind.CL_MEM, ((DeviceHandle) Independent.some(call.proceed())).value()),
                        "P-11"),
                at("F11", "DeviceBuffer.segment", "is empty though claimed", _ -> Optional.empty(), "P-11"),
                at("F11", "DeviceBuffer.segment", "is a copy", call -> {
                    MemorySegment real =
                            (MemorySegment) ((Optional<?>) Independent.some(call.proceed())).orElseThrow();
                    return Optional.of(Arena.ofAuto().allocate(Math.max(1, real.byteSize()), 4096)
                            .asSlice(0, real.byteSize()).copyFrom(real));
                }, "A-08"), at("F11", "DeviceBuffer.segment", "leaves out the last byte", call -> {
                    MemorySegment real =
                            (MemorySegment) ((Optional<?>) Independent.some(call.proceed())).orElseThrow();
                    return Optional.of(real.asSlice(0, Math.max(0, real.byteSize() - 1)));
                }, "A-08"), at("F11", "Backend.kernels", "is missing though claimed", _ -> {
                    throw new io.fastsafetensors.error.UnsupportedFeatureException("no kernels",
                            io.fastsafetensors.error.Where.backend("host"));
                }, "P-11"),
                at("F11", "Backend.directStorage", "is missing though claimed", _ -> Optional.empty(), "P-11"),
                at("F11", "Backend.registerHost", "is missing though claimed", _ -> Optional.empty(), "P-11"),
                at("F11", "HostRegistration.byteSize", "is in pages",
                        call -> (long) Independent.some(call.proceed()) >> 12, "C-09"),
                at("F11", "Backend.name", "is another name", _ -> "acme", "P-06"),
                at("F11", "Backend.trim", "fails", _ -> {
                    throw new io.fastsafetensors.error.BackendException("nothing to trim",
                            io.fastsafetensors.error.Where.backend("host"));
                }, "A-12"), Independent.of("F11", "trim() frees memory that is in use", HostProvider.copying(), () -> {
                    Set<DeviceBuffer> buffers = ConcurrentHashMap.newKeySet();
                    return call -> {
                        Object answer = call.proceed();
                        if (answer instanceof DeviceBuffer buffer) {
                            buffers.add(buffer);
                        }
                        if (call.site().equals("Backend.trim")) {
                            buffers.forEach(DeviceBuffer::close);
                        }
                        return answer;
                    };
                }, "A-12"), at("F11", "Backend.fenceBehind", "never passes", _ -> new Fence() {
                    @Override
                    public boolean isPassed() {
                        return false;
                    }

                    @Override
                    public void await() {
                        // Never.
                    }

                    @Override
                    public void close() {
                        // Holds nothing.
                    }
                }, "O-14"), Independent.of("F11", "one in forty allocations is memory that is in use",
                        HostProvider.copying(), () -> {
                            Map<Long, Object> last = new ConcurrentHashMap<>();
                            return call -> {
                                if (!call.site().equals("Backend.allocate")) {
                                    return call.proceed();
                                }
                                Object old = last.get(call.number(0));
                                if (old != null && calls.incrementAndGet() % 40 == 0) {
                                    return old;
                                }
                                Object answer = Independent.some(call.proceed());
                                last.put(call.number(0), answer);
                                return answer;
                            };
                        }, "A-11"),
                Independent.of("F11", "staging memory is of the thread that allocated it", HostProvider.copying(),
                        () -> {
                            Map<Object, MemorySegment> own = new ConcurrentHashMap<>();
                            return call -> {
                                if (call.site().equals("Backend.allocateStaging")) {
                                    Object staging = Independent.some(call.proceed());
                                    MemorySegment all = ((io.fastsafetensors.spi.StagingBuffer) staging).segment();
                                    own.put(staging,
                                            io.fastsafetensors.spi.ffm.RawMemory.view(all.address(), all.byteSize(),
                                                    Arena.ofConfined()));
                                    return staging;
                                }
                                Object answer = call.proceed();
                                return call.site().equals("StagingBuffer.segment") ? own.get(call.target()) : answer;
                            };
                        }, "A-09"),
                Independent.of("F11", "direct storage opens the path again", HostProvider.copying(), () -> {
                    return call -> {
                        if (!call.site().equals("DirectStorage.open")) {
                            return call.proceed();
                        }
                        StorageFile file = (StorageFile) call.argument(0);
                        Path path = file.location().path().orElse(Path.of("/"));
                        if (!Files.isRegularFile(path)) {
                            return call.proceed();
                        }
                        FileChannel channel = FileChannel.open(path);
                        io.fastsafetensors.spi.DirectFile real =
                                (io.fastsafetensors.spi.DirectFile) Independent.some(call.proceed());
                        return new Forwarding.OfFile(real) {
                            @Override
                            public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
                                real.read(fileOffset, target, targetOffset, bytes);
                                try {
                                    long done = 0;
                                    for (int read = 1; read > 0 && done < bytes; done += Math.max(0, read)) {
                                        read = channel.read(target.segment().orElseThrow()
                                                .asSlice(targetOffset + done, bytes - done).asByteBuffer(),
                                                fileOffset + done);
                                    }
                                    return done;
                                } catch (IOException e) {
                                    throw new io.fastsafetensors.error.BackendException("read",
                                            io.fastsafetensors.error.Where.backend("host"), e);
                                }
                            }

                            @Override
                            public void close() {
                                super.close();
                                try {
                                    channel.close();
                                } catch (IOException e) {
                                    throw new java.io.UncheckedIOException(e);
                                }
                            }
                        };
                    };
                }, "D-15"));
    }

    private static Breach decorator(String name, UnaryOperator<Backend> around, String... rules) {
        return Independent.of("F13", "a decorator " + name, new Forwarding.OfProvider(HostProvider.full()) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                return around.apply(super.open(device, options));
            }
        }, rules);
    }

    private static List<Breach> decorators() {
        return List.of(decorator("does not close what it decorates", real -> new ForwardingBackend(real) {
            @Override
            public void close() {
                // Forgotten.
            }
        }, "L-08"), decorator("answers with a name of its own", real -> new ForwardingBackend("metered", real), "P-06"),
                decorator("does not forward direct storage", real -> new ForwardingBackend(real) {
                    @Override
                    public Optional<DirectStorage> directStorage() {
                        return Optional.empty();
                    }
                }, "P-11"), decorator("does not forward registrations", real -> new ForwardingBackend(real) {
                    @Override
                    public Optional<HostRegistration> registerHost(MemorySegment memory, boolean readOnly) {
                        return Optional.empty();
                    }
                }, "P-11"), decorator("counts a buffer that is closed twice as two", real -> {
                    java.util.concurrent.atomic.AtomicLong used = new java.util.concurrent.atomic.AtomicLong();
                    return new ForwardingBackend(real) {
                        @Override
                        public DeviceBuffer allocate(long bytes, long alignment) {
                            DeviceBuffer buffer = super.allocate(bytes, alignment);
                            used.addAndGet(bytes);
                            return new ForwardingBuffer(this, buffer) {
                                @Override
                                public void close() {
                                    super.close();
                                    used.addAndGet(-bytes);
                                }
                            };
                        }

                        @Override
                        public MemoryInfo memory() {
                            return MemoryInfo.of((8L << 30) - used.get(), 8L << 30);
                        }
                    };
                }, "N-05"), decorator("counts what was refused", real -> {
                    java.util.concurrent.atomic.AtomicLong used = new java.util.concurrent.atomic.AtomicLong();
                    return new ForwardingBackend(real) {
                        @Override
                        public DeviceBuffer allocate(long bytes, long alignment) {
                            used.addAndGet(Math.min(bytes, 1 << 30));
                            DeviceBuffer buffer = super.allocate(bytes, alignment);
                            return new ForwardingBuffer(this, buffer) {
                                private final java.util.concurrent.atomic.AtomicBoolean closed =
                                        new java.util.concurrent.atomic.AtomicBoolean();

                                @Override
                                public void close() {
                                    super.close();
                                    if (closed.compareAndSet(false, true)) {
                                        used.addAndGet(-bytes);
                                    }
                                }
                            };
                        }

                        @Override
                        public MemoryInfo memory() {
                            return MemoryInfo.of((8L << 30) - used.get(), 8L << 30);
                        }
                    };
                }, "A-05"), decorator("keeps segments after the close", real -> new ForwardingBackend(real) {
                    @Override
                    public DeviceBuffer allocate(long bytes, long alignment) {
                        DeviceBuffer buffer = super.allocate(bytes, alignment);
                        Optional<MemorySegment> kept = buffer.segment();
                        return new ForwardingBuffer(this, buffer) {
                            @Override
                            public Optional<MemorySegment> segment() {
                                return kept;
                            }
                        };
                    }
                }, "L-02"), decorator("does not forward a stream's waits", real -> new ForwardingBackend(real) {
                    @Override
                    public CopyStream openCopyStream() {
                        return new ForwardingStream(this, delegate().openCopyStream()) {
                            @Override
                            public void waitFor(Fence fence) {
                                // Fences of the host have passed.
                            }
                        };
                    }
                }, "L-06"), decorator("hands its own fences to what it decorates",
                        real -> new ForwardingBackend(real) {
                            @Override
                            public CopyStream openCopyStream() {
                                return new ForwardingStream(this, delegate().openCopyStream()) {
                                    @Override
                                    public Fence fence() {
                                        return new ForwardingFence(io.fastsafetensors.testkit.mutant.IndependentState
                                                .other(delegate()), super.fence());
                                    }

                                    @Override
                                    public void waitFor(Fence fence) {
                                        if (fence instanceof ForwardingFence) {
                                            throw new ClassCastException("no fence of the host");
                                        }
                                        super.waitFor(fence);
                                    }
                                };
                            }
                        }, "O-05"),
                decorator("claims to be open after the close", real -> new ForwardingBackend(real) {
                    @Override
                    public CopyStream openCopyStream() {
                        return Fences.stream();
                    }
                }, "L-08"));
    }

    static ForwardingBackend other(CopyStream stream) {
        return new ForwardingBackend(HostProvider.full().open(HostProvider.DEVICE, BackendOptions.defaults()));
    }

    private static final class Fences {
        private Fences() {
        }

        static CopyStream stream() {
            Backend other = HostProvider.full().open(HostProvider.DEVICE, BackendOptions.defaults());
            return other.openCopyStream();
        }
    }
}
