package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.Device;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/// Defects of refusals, failures, interrupts and of what is closed, listed from the contracts of the SPI without a look at
/// the rules.
final class IndependentErrors {
    private IndependentErrors() {
    }

    static List<Breach> all() {
        List<Breach> all = new ArrayList<>();
        all.addAll(failedWork());
        all.addAll(refusals());
        all.addAll(memory());
        all.addAll(closed());
        all.addAll(interrupts());
        return all;
    }

    private static Breach at(String kind, String site, String name, Layer.Change change, String... rules) {
        return Independent.at(kind, site, name, change, rules);
    }

    private static Breach failing(String name, Function<FaultPlan, Layer.Change> change, String... rules) {
        FaultPlan plan = FaultPlan.seeded(Seed.value()).deferred();
        return Independent.of("F6", name, new FaultyBackendProvider(HostProvider.full(), plan),
                () -> change.apply(plan), rules).with(new CallBreaches.PlannedFailures(plan));
    }

    private static List<Breach> failedWork() {
        return List.of(failing("isPassed() is true for failed work", _ -> call -> {
            try {
                return call.proceed();
            } catch (BackendException e) {
                if (call.site().equals("Fence.isPassed")) {
                    return true;
                }
                throw e;
            }
        }, "E-12"), failing("await() returns for failed work", _ -> call -> {
            try {
                return call.proceed();
            } catch (BackendException e) {
                if (call.site().equals("Fence.await")) {
                    return null;
                }
                throw e;
            }
        }, "E-12"), failing("synchronize() returns for failed work", _ -> call -> {
            try {
                return call.proceed();
            } catch (BackendException e) {
                if (call.site().equals("CopyStream.synchronize")) {
                    return null;
                }
                throw e;
            }
        }, "E-12"), failing("only the first await() of a fence tells of failed work", _ -> {
            Set<Object> told = ConcurrentHashMap.newKeySet();
            return call -> {
                try {
                    return call.proceed();
                } catch (BackendException e) {
                    if (call.site().startsWith("Fence.") && !told.add(call.target())) {
                        return call.site().equals("Fence.isPassed") ? (Object) true : null;
                    }
                    throw e;
                }
            };
        }, "E-12"), failing("a second fence behind failed work passes", _ -> {
            Set<Object> told = ConcurrentHashMap.newKeySet();
            return call -> {
                try {
                    return call.proceed();
                } catch (BackendException e) {
                    told.add(call.site().startsWith("Fence.") ? call.target() : "");
                    if (call.site().startsWith("Fence.") && told.size() > 1) {
                        return call.site().equals("Fence.isPassed") ? (Object) true : null;
                    }
                    throw e;
                }
            };
        }, "E-12"), failing("one stream's failure fails all streams", _ -> {
            BackendException[] failure = new BackendException[1];
            return call -> {
                if (failure[0] != null && call.site().startsWith("CopyStream.copy")) {
                    throw failure[0];
                }
                try {
                    return call.proceed();
                } catch (BackendException e) {
                    failure[0] = e;
                    throw e;
                }
            };
        }, "A-05"), failing("failed work is a RuntimeException of another kind", _ -> call -> {
            try {
                return call.proceed();
            } catch (BackendException e) {
                throw new IllegalStateException("status 700", e);
            }
        }, "E-12"), failing("a failure has no message", _ -> call -> {
            try {
                return call.proceed();
            } catch (BackendException e) {
                throw new BackendException("", Where.nowhere(), e);
            }
        }, "A-04"), failing("a failed direct read says all", _ -> call -> {
            try {
                return call.proceed();
            } catch (BackendException e) {
                if (call.site().equals("DirectFile.read")) {
                    return call.number(3);
                }
                throw e;
            }
        }, "D-12"), at("F6", "DirectFile.read", "throws the JDK's exception of a failed read", call -> {
            try {
                return call.proceed();
            } catch (FstException e) {
                throw new UncheckedIOException(new java.io.IOException(e));
            }
        }, "D-11"), at("F6", "DirectStorage.open", "fails for what is no file with NullPointerException", call -> {
            try {
                return call.proceed();
            } catch (BackendException e) {
                throw (RuntimeException) new NullPointerException("descriptor").initCause(e);
            }
        }, "D-05"), at("F6", "DirectStorage.support", "throws for a file that cannot", call -> {
            io.fastsafetensors.spi.DirectStorage.Support support =
                    (io.fastsafetensors.spi.DirectStorage.Support) Independent.some(call.proceed());
            if (support.mode() == io.fastsafetensors.spi.DirectStorage.Mode.NONE) {
                throw new BackendException(support.reason(), Where.backend("host"));
            }
            return support;
        }, "D-04"), at("F11", "DirectStorage.support", "has no reason",
                call -> io.fastsafetensors.spi.DirectStorage.Support.of(
                        ((io.fastsafetensors.spi.DirectStorage.Support) Independent.some(call.proceed())).mode(), ""),
                "D-04"),
                at("F11", "DirectStorage.support", "promises what open refuses",
                        _ -> io.fastsafetensors.spi.DirectStorage.Support
                                .of(io.fastsafetensors.spi.DirectStorage.Mode.DIRECT, "always"),
                        "D-04"));
    }

    private static Breach other(String site, Class<? extends RuntimeException> thrown, String name,
            Function<RuntimeException, Throwable> instead, String... rules) {
        return at("F6", site, name, call -> {
            try {
                return call.proceed();
            } catch (RuntimeException e) {
                throw thrown.isInstance(e) ? instead.apply(e) : e;
            }
        }, rules);
    }

    private static List<Breach> refusals() {
        return List.of(
                other("CopyStream.copy", IndexOutOfBoundsException.class, "refuses ranges with IllegalStateException",
                        e -> new IllegalStateException(e.getMessage()), "E-05"),
                at("F6", "CopyStream.copyToDevice", "copies what fits before it refuses the rest", call -> {
                    MemorySegment source = (MemorySegment) call.argument(0);
                    DeviceBuffer target = (DeviceBuffer) call.argument(1);
                    long room = target.byteSize() - call.number(2);
                    if (call.number(2) >= 0 && room > 0 && room < source.byteSize()) {
                        call.proceed(call.with(0, source.asSlice(0, room)));
                    }
                    return call.proceed();
                }, "E-03"), at("F6", "CopyStream.copyToHost", "fills what fits before it refuses the rest", call -> {
                    MemorySegment target = (MemorySegment) call.argument(2);
                    DeviceBuffer source = (DeviceBuffer) call.argument(0);
                    long room = source.byteSize() - call.number(1);
                    if (call.number(1) >= 0 && room > 0 && room < target.byteSize() && !target.isReadOnly()) {
                        call.proceed(call.with(2, target.asSlice(0, room)));
                    }
                    return call.proceed();
                }, "E-04"), at("F6", "CopyStream.copyToHost", "ignores read-only targets",
                        call -> ((MemorySegment) call.argument(2)).isReadOnly() ? null : call.proceed(), "E-15"),
                at("F6", "CopyStream.copyToDevice", "ignores closed host memory",
                        call -> ((MemorySegment) call.argument(0)).scope().isAlive() ? call.proceed() : null, "E-11"),
                at("F6", "CopyStream.copyToHost", "ignores closed host memory",
                        call -> ((MemorySegment) call.argument(2)).scope().isAlive() ? call.proceed() : null, "E-11"),
                other("Kernels.convert", UnsupportedFeatureException.class,
                        "refuses pairs with IllegalArgumentException",
                        e -> new IllegalArgumentException(e.getMessage()), "K-10"),
                other("Kernels.gather", UnsupportedFeatureException.class,
                        "refuses pairs with IllegalArgumentException",
                        e -> new IllegalArgumentException(e.getMessage()), "K-10"),
                at("F6", "Kernels.convert", "takes a source of too few bytes", call -> {
                    try {
                        return call.proceed();
                    } catch (IllegalArgumentException e) {
                        io.fastsafetensors.types.DType from = (io.fastsafetensors.types.DType) call.argument(2);
                        if (call.number(5) > 0 && !from.isSubByte()
                                && ((BufferSlice) call.argument(1)).byteSize() < from.byteSize(call.number(5))) {
                            return null;
                        }
                        throw e;
                    }
                }, "E-06"), at("F6", "Kernels.gather", "reads before the source", call -> {
                    try {
                        return call.proceed();
                    } catch (IllegalArgumentException e) {
                        if (((io.fastsafetensors.spi.Strided) call.argument(3)).lowest() < 0) {
                            return null;
                        }
                        throw e;
                    }
                }, "E-07"), at("F6", "Kernels.dequantize", "takes scales that are not there", call -> {
                    try {
                        return call.proceed();
                    } catch (IndexOutOfBoundsException | IllegalArgumentException _) {
                        return null;
                    }
                }, "E-16"), Independent.of("F6", "a fence of another class is refused with ClassCastException",
                        HostProvider.full(), () -> {
                            Set<Object> own = ConcurrentHashMap.newKeySet();
                            return call -> {
                                if (call.site().equals("CopyStream.fence")) {
                                    Object fence = Independent.some(call.proceed());
                                    own.add(fence);
                                    return fence;
                                }
                                if (call.site().equals("CopyStream.waitFor") && !own.contains(call.argument(0))) {
                                    throw new ClassCastException("the fence is none of mine");
                                }
                                return call.proceed();
                            };
                        }, "O-08"),
                Independent.of("F6", "a fence of another backend is not waited for",
                        Independent.deferred(), () -> {
                            Set<Object> own = ConcurrentHashMap.newKeySet();
                            return call -> {
                                if (call.site().equals("CopyStream.fence")) {
                                    Object fence = Independent.some(call.proceed());
                                    own.add(fence);
                                    return fence;
                                }
                                return call.site().equals("CopyStream.waitFor")
                                        && !own.contains(call.argument(0)) ? null : call.proceed();
                            };
                        }, "O-08"),
                opening("a device that is not there is the first one", (real, device, options) -> real.open(
                        device.index() > 0 ? new Device("host", 0) : device, options), "P-10"),
                opening("a device that is not there is an IllegalArgumentException", (real, device, options) -> {
                    try {
                        return real.open(device, options);
                    } catch (BackendException e) {
                        throw new IllegalArgumentException(e.getMessage());
                    }
                }, "P-10"), opening("a device that is not there is refused without the backend's name",
                        (real, device, options) -> {
                            try {
                                return real.open(device, options);
                            } catch (BackendException e) {
                                throw new BackendException("no", Where.nowhere());
                            }
                        }, "P-10"),
                probing("the probe throws", _ -> {
                    throw new UnsatisfiedLinkError("libacme.so");
                }, "P-01"), probing("it is unavailable for no reason", _ -> Probe.unavailable(" "), "P-01"));
    }

    private interface Opening {
        Backend open(BackendProvider real, Device device, BackendOptions options);
    }

    private static Breach opening(String name, Opening opening, String... rules) {
        return Independent.of("F6", name, new Forwarding.OfProvider(HostProvider.copying()) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                return opening.open(real, device, options);
            }
        }, rules);
    }

    private static Breach probing(String name, Function<Probe, Probe> change, String... rules) {
        return Independent.of("F6", name, new Forwarding.OfProvider(HostProvider.copying()) {
            @Override
            public Probe probe() {
                return change.apply(super.probe());
            }
        }, rules);
    }

    private static List<Breach> memory() {
        return List.of(
                other("Backend.allocate", OutOfDeviceMemoryException.class, "throws OutOfMemoryError",
                        _ -> new OutOfMemoryError("device"), "A-04"),
                other("Backend.allocate", OutOfDeviceMemoryException.class, "does not say what was asked for",
                        e -> new OutOfDeviceMemoryException(0, ((OutOfDeviceMemoryException) e).free(),
                                Where.backend("host")),
                        "A-04"),
                other("Backend.allocateStaging", OutOfDeviceMemoryException.class, "throws OutOfMemoryError",
                        _ -> new OutOfMemoryError("host"), "A-04"),
                Independent.of("F6", "what was refused stays counted", HostProvider.copying(), () -> {
                    AtomicLong refused = new AtomicLong();
                    return call -> {
                        try {
                            Object answer = call.proceed();
                            return call.site().equals("Backend.memory")
                                    ? MemoryInfo.of(((MemoryInfo) Independent.some(answer)).free() - refused.get(),
                                            ((MemoryInfo) answer).total())
                                    : answer;
                        } catch (OutOfDeviceMemoryException e) {
                            refused.addAndGet(Math.min(e.requested(), 1 << 20));
                            throw e;
                        }
                    };
                }, "A-05"), at("F5", "Backend.allocate", "refuses 4 GiB and more",
                        call -> {
                            if (call.number(0) >= 4L << 30) {
                                throw new OutOfDeviceMemoryException(call.number(0), 7L << 30, Where.backend("host"));
                            }
                            return call.proceed();
                        }, "A-07").atFull(),
                at("F5", "Backend.allocate", "refuses nothing", call -> {
                    if (call.number(0) == 0) {
                        throw new OutOfDeviceMemoryException(0, 7L << 30, Where.backend("host"));
                    }
                    return call.proceed();
                }, "A-01"), at("F5", "Backend.allocate", "ignores alignments above 4096",
                        call -> call.proceed(call.with(1, Math.min(call.number(1), 4096))), "M-01"),
                at("F5", "Backend.allocate", "ignores alignments above 256",
                        call -> call.proceed(call.with(1, Math.min(call.number(1), 256))), "M-01"),
                at("F5", "DeviceBuffer.byteSize", "is a multiple of 16",
                        call -> (long) Independent.some(call.proceed()) + 15 & ~15L, "A-02"),
                Independent.of("F5", "staging memory is aligned to 64 bytes", HostProvider.copying(), () -> call -> {
                    if (call.site().equals("Backend.allocateStaging") && call.number(0) > 0) {
                        return call.proceed(call.with(0, call.number(0) + 64));
                    }
                    Object answer = call.proceed();
                    return call.site().equals("StagingBuffer.segment")
                            && ((MemorySegment) Independent.some(answer)).byteSize() > 64
                                    ? ((MemorySegment) answer).asSlice(64) : answer;
                }, "M-03"), Independent.of("F5", "staging memory is a page short", HostProvider.copying(),
                        () -> call -> {
                            Object answer = call.proceed();
                            return call.site().equals("StagingBuffer.segment")
                                    && ((MemorySegment) Independent.some(answer)).byteSize() > 4096
                                            ? ((MemorySegment) answer).asSlice(0,
                                                    ((MemorySegment) answer).byteSize() - 4096)
                                            : answer;
                        }, "A-09"),
                at("F8", "Backend.memory", "mixes free and total up", call -> {
                    MemoryInfo info = (MemoryInfo) Independent.some(call.proceed());
                    return MemoryInfo.of(info.total(), info.free());
                }, "A-10"), at("F8", "Backend.memory", "is that of the start", new Layer.Change() {
                    private volatile Object first = "";

                    @Override
                    public Object call(Layer.Call call) throws Throwable {
                        if (first.equals("")) {
                            first = Independent.some(call.proceed());
                        }
                        return first;
                    }
                }, "A-10"), at("F8", "Backend.memory", "says that free is in KiB", call -> {
                    MemoryInfo info = (MemoryInfo) Independent.some(call.proceed());
                    return MemoryInfo.of(info.free() >> 10, info.total());
                }, "A-10"), at("F8", "Backend.keptBytes", "is negative", _ -> -1L, "A-12"),
                at("F8", "Backend.keptBytes", "counts memory that is in use", call -> 1L << 40, "A-12"));
    }

    private static List<Breach> closed() {
        return List.of(
                Independent.of("F11", "kernels do nothing on a closed stream", HostProvider.full(), OnClosedStream::new,
                        "L-06"),
                Independent.of("F11", "await() of a fence that was closed too early returns", Independent.deferred(),
                        () -> call -> call.site().equals("Fence.await") && call.closed() ? null : call.proceed(),
                        "O-09"),
                Independent.of("F11", "direct reads work after the backend was closed", HostProvider.copying(), () -> {
                    Backend other = HostProvider.copying().open(HostProvider.DEVICE, BackendOptions.defaults());
                    return call -> call.site().equals("DirectStorage.open")
                            ? other.directStorage().orElseThrow()
                                    .open((io.fastsafetensors.spi.storage.StorageFile) call.argument(0))
                            : call.proceed();
                }, "D-16"),
                Independent.of("F11", "direct reads give 0 after the close",
                        HostProvider.copying(),
                        () -> call -> call.site().equals("DirectFile.read") && call.closed() ? 0L : call.proceed(),
                        "D-06"),
                twice("DirectFile"), twice("DeviceBuffer"), twice("StagingBuffer"), twice("CopyStream"), twice("Fence"),
                twice("Backend"), twice("HostRegistration"),
                at("F11", "DeviceBuffer.handle", "answers after the close", new Remembered(), "L-02"),
                at("F11", "DeviceBuffer.byteSize", "answers after the close", new Remembered(), "L-02"),
                at("F11", "CopyStream.fence", "answers after the close",
                        call -> call.closed() ? Fence.passed() : call.proceed(), "L-06"),
                at("F11", "CopyStream.waitFor", "answers after the close",
                        call -> call.closed() ? null : call.proceed(), "L-06"),
                Independent.of("F11", "a copy from a closed buffer brings nothing", HostProvider.copying(),
                        () -> call -> {
                            if (call.site().equals("CopyStream.copyToHost")) {
                                try {
                                    ((DeviceBuffer) call.argument(0)).byteSize();
                                } catch (IllegalStateException _) {
                                    return null;
                                }
                            }
                            return call.proceed();
                        }, "E-09"),
                Independent.of("F11", "memory goes with the backend also while a native call uses it",
                        HostProvider.copying(), () -> call -> {
                            if (call.site().equals("DeviceBuffer.close")) {
                                try {
                                    return call.proceed();
                                } catch (IllegalStateException _) {
                                    return null;
                                }
                            }
                            return call.proceed();
                        }, "L-12"));
    }

    private static Breach twice(String type) {
        return at("F11", type + ".close", "fails the second time", call -> {
            if (call.closed()) {
                throw new BackendException("invalid handle", Where.backend("host"));
            }
            return call.proceed();
        }, "L-", "D-06");
    }

    private static final class Remembered implements Layer.Change {
        private final Map<Object, Object> known = new ConcurrentHashMap<>();

        @Override
        public Object call(Layer.Call call) throws Throwable {
            try {
                Object answer = Independent.some(call.proceed());
                known.put(call.target(), answer);
                return answer;
            } catch (IllegalStateException e) {
                Object answer = known.get(call.target());
                if (answer == null) {
                    throw e;
                }
                return answer;
            }
        }
    }

    private static final class OnClosedStream implements Layer.Change {
        private final Set<Object> closed = ConcurrentHashMap.newKeySet();

        @Override
        public @org.jspecify.annotations.Nullable Object call(Layer.Call call) throws Throwable {
            if (call.site().equals("CopyStream.close")) {
                closed.add(call.target());
            }
            return call.site().startsWith("Kernels.") && call.arguments().length > 2
                    && closed.contains(call.argument(0)) ? null : call.proceed();
        }
    }

    private static List<Breach> interrupts() {
        BackendProvider deferred = Independent.deferred();
        List<Breach> all = new ArrayList<>();
        for (String site : List.of("Fence.await", "CopyStream.synchronize")) {
            all.add(Independent.of("F16", site + " ends when the thread is interrupted", deferred,
                    () -> call -> call.site().equals(site) && Thread.currentThread().isInterrupted() ? null
                            : call.proceed(),
                    "O-12"));
            all.add(Independent.of("F16", site + " clears the interrupt", deferred, () -> call -> {
                if (call.site().equals(site)) {
                    Thread.interrupted();
                }
                return call.proceed();
            }, "O-12"));
            all.add(Independent.of("F16", site + " throws when the thread is interrupted", deferred, () -> call -> {
                if (call.site().equals(site) && Thread.currentThread().isInterrupted()) {
                    throw new BackendException("interrupted", Where.backend("host"));
                }
                return call.proceed();
            }, "O-12"));
        }
        all.add(at("F16", "DirectFile.read", "fails when the thread is interrupted", call -> {
            if (Thread.currentThread().isInterrupted()) {
                throw new BackendException("interrupted", Where.backend("host"));
            }
            return call.proceed();
        }, "D-17"));
        all.add(at("F16", "DirectFile.read", "clears the interrupt", call -> {
            Thread.interrupted();
            return call.proceed();
        }, "D-17"));
        all.add(at("F16", "CopyStream.copyToDevice", "does nothing when the thread is interrupted",
                call -> Thread.currentThread().isInterrupted() ? null : call.proceed(), "O-12"));
        return all;
    }
}
