package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.testkit.FailureHook;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.host.HostProvider;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// Calls that are dropped, late, mixed up, answered after the close, or fail in silence, at every place of the SPI.
final class CallBreaches {
    private static final Map<String, String[]> WORK = Map.of("CopyStream.copyToDevice", new String[] {"C-0", "O-"},
            "CopyStream.copyToHost", new String[] {"C-0", "O-"}, "CopyStream.copy", new String[] {"C-04", "C-1", "O-"},
            "Kernels.convert", new String[] {"K-09", "K-12", "K-07", "N-04"}, "Kernels.gather",
            new String[] {"G-01", "G-1"});

    private CallBreaches() {
    }

    static List<Breach> all() {
        List<Breach> all = new ArrayList<>();
        all.addAll(dropped());
        all.addAll(rare());
        all.addAll(late());
        all.addAll(mixed());
        all.addAll(afterClose());
        all.addAll(silent());
        all.addAll(otherExceptions());
        return all;
    }

    private static Breach at(String kind, String site, String name, Layer.Change change, String... rules) {
        return Breach.of(kind, site + " " + name,
                () -> call -> call.site().equals(site) ? change.call(call) : call.proceed(), rules);
    }

    /// Nothing is done.
    private static List<Breach> dropped() {
        List<Breach> all = new ArrayList<>();
        WORK.forEach((site, rules) -> all.add(at("F11", site, "does nothing", _ -> null, rules)));
        Map<String, String> closes = Map.of("DeviceBuffer.close", "L-", "StagingBuffer.close", "L-", "CopyStream.close",
                "L-", "DirectFile.close", "D-", "Backend.close", "L-");
        closes.forEach((site, rules) -> all.add(at("F10", site, "does nothing", _ -> null, rules, "A-")));
        BackendProvider deferred = deferred();
        for (String site : List.of("Fence.await", "CopyStream.synchronize", "CopyStream.waitFor")) {
            all.add(Breach.of("F9", site + " returns at once", deferred,
                    () -> call -> call.site().equals(site) ? null : call.proceed(), "O-"));
        }
        all.add(Breach.of("F9", "Fence.isPassed is true for every second fence only, until it is awaited", () -> {
            Map<Object, Integer> numbers = new ConcurrentHashMap<>();
            AtomicInteger fences = new AtomicInteger();
            return call -> {
                if (call.site().equals("Fence.await")) {
                    numbers.put(call.target(), 0);
                }
                if (!call.site().equals("Fence.isPassed")) {
                    return call.proceed();
                }
                int number = numbers.computeIfAbsent(call.target(), _ -> fences.incrementAndGet());
                return number % 2 == 0;
            };
        }, "O-11"));
        all.add(Breach.of("F9", "Fence.isPassed is always true", deferred,
                () -> call -> call.site().equals("Fence.isPassed") ? Boolean.TRUE : call.proceed(), "O-", "C-"));
        return all;
    }

    private static BackendProvider deferred() {
        return new FaultyBackendProvider(HostProvider.full(), FaultPlan.seeded(Seed.value()).deferred()
                .delay(Operation.COPY_TO_DEVICE, Duration.ofMillis(2)));
    }

    /// One of so many is not done, or done a call later.
    private static List<Breach> rare() {
        List<Breach> all = new ArrayList<>();
        for (String site : List.of("CopyStream.copyToDevice", "CopyStream.copyToHost", "CopyStream.copy")) {
            for (int every : new int[] {10, 50, 100}) {
                all.add(Breach.of("F9", site + " is lost one in " + every + " times", () -> {
                    AtomicInteger calls = new AtomicInteger();
                    return call -> call.site().equals(site) && calls.incrementAndGet() % every == 0 ? null
                            : call.proceed();
                }, "O-09", "O-10", "C-02", "C-03"));
                all.add(Breach.of("F9", site + " is out of order one in " + every + " times",
                        () -> new Late(site, every), "O-09", "O-10", "O-"));
            }
        }
        for (int limit : new int[] {64, 100, 256, 400}) {
            all.add(Breach.of("F11", "work behind " + limit + " fences that were not asked is lost", () -> {
                AtomicInteger pending = new AtomicInteger();
                return call -> {
                    switch (call.site()) {
                        case "CopyStream.fence" -> pending.incrementAndGet();
                        case "Fence.await", "Fence.isPassed", "CopyStream.synchronize" -> pending.set(0);
                        default -> {
                            // Counts for nothing.
                        }
                    }
                    return pending.get() > limit && call.site().startsWith("CopyStream.copy") ? null : call.proceed();
                };
            }, "O-10"));
        }
        return all;
    }

    /// Done at the next call of the same stream, every so many times.
    private static final class Late implements Layer.Change {
        private final String site;
        private final int every;
        private final Map<Object, Deque<Layer.Call>> held = new ConcurrentHashMap<>();
        private final AtomicInteger calls = new AtomicInteger();

        Late(String site, int every) {
            this.site = site;
            this.every = every;
        }

        @Override
        public @Nullable Object call(Layer.Call call) throws Throwable {
            boolean kernel = call.site().startsWith("Kernels.") && call.arguments().length > 2;
            Object stream = kernel ? call.argument(0) : call.target();
            if (call.site().equals(site) && calls.incrementAndGet() % every == 0) {
                held.computeIfAbsent(stream, _ -> new ArrayDeque<>()).add(call);
                return null;
            }
            // What comes next overtakes it, unless somebody waits for it.
            boolean waits = call.site().equals("CopyStream.fence") || call.site().equals("CopyStream.synchronize")
                    || call.site().equals("CopyStream.close");
            if (waits) {
                release(stream);
                return call.proceed();
            }
            Object answer = call.proceed();
            release(stream);
            return answer;
        }

        private void release(Object stream) throws Throwable {
            Deque<Layer.Call> waiting = held.getOrDefault(stream, new ArrayDeque<>());
            while (!waiting.isEmpty()) {
                waiting.remove().proceed();
            }
        }
    }

    private static List<Breach> late() {
        List<Breach> all = new ArrayList<>();
        WORK.forEach((site, rules) -> all.add(Breach.of("F9", site + " is done after the next call",
                () -> new Late(site, 1), site.startsWith("Kernels") ? new String[] {"K-09", "G-", "N-04"}
                        : new String[] {"O-", "C-"})));
        WORK.forEach((site, rules) -> all.add(Breach.of("F9", site + " is done when the stream is closed", () -> {
            Deque<Layer.Call> held = new ArrayDeque<>();
            return call -> {
                if (call.site().equals(site)) {
                    held.add(call);
                    return null;
                }
                if (call.site().equals("CopyStream.close")) {
                    while (!held.isEmpty()) {
                        held.remove().proceed();
                    }
                }
                return call.proceed();
            };
        }, site.startsWith("Kernels") ? new String[] {"K-09", "G-", "K-12"} : new String[] {"O-", "C-"})));
        return all;
    }

    /// What was handed out before is handed out again.
    private static List<Breach> mixed() {
        List<Breach> all = new ArrayList<>();
        Map<String, String[]> answers = new HashMap<>(Map.of("Backend.allocate", new String[] {"A-", "M-", "L-"},
                "Backend.allocateStaging", new String[] {"A-", "L-", "O-", "C-"}, "Backend.openCopyStream",
                new String[] {"L-", "O-", "N-"}, "DirectStorage.open", new String[] {"D-"}, "DeviceBuffer.handle",
                new String[] {"A-11"}, "DeviceBuffer.segment", new String[] {"A-08", "M-02"},
                "DeviceBuffer.byteSize", new String[] {"A-"}, "StagingBuffer.segment", new String[] {"A-09", "L-"}));
        answers.forEach((site, rules) -> all.add(Breach.of("F11", site + " answers with the first one's answer", () -> {
            Map<String, Object> first = new ConcurrentHashMap<>();
            return call -> {
                if (!call.site().equals(site)) {
                    return call.proceed();
                }
                Object answer = call.proceed();
                return answer == null ? null : first.computeIfAbsent(site, _ -> answer);
            };
        }, rules)));
        all.add(Breach.of("F11", "every third handle is another buffer's", () -> {
            AtomicInteger calls = new AtomicInteger();
            Map<String, Object> last = new ConcurrentHashMap<>();
            return call -> {
                if (!call.site().equals("DeviceBuffer.handle")) {
                    return call.proceed();
                }
                Object answer = call.proceed();
                Object before = answer == null ? null : last.put("", answer);
                return before != null && calls.incrementAndGet() % 3 == 0 ? before : answer;
            };
        }, "A-11", "M-"));
        for (int[] swap : new int[][] {{0, 2}, {1, 3}}) {
            all.add(at("F11", "CopyStream.copy", "swaps arguments " + swap[0] + " and " + swap[1], call -> call.proceed(
                    swapped(call.arguments(), swap[0], swap[1])), "C-04"));
        }
        all.add(at("F11", "DirectFile.read", "swaps its offsets", call -> call.proceed(
                swapped(call.arguments(), 0, 2)), "D-"));
        all.add(at("F11", "Kernels.convert", "swaps source and target of equal dtypes", call -> call.argument(2)
                .equals(call.argument(4)) ? call.proceed(swapped(call.arguments(), 1, 3)) : call.proceed(), "K-02"));
        return all;
    }

    private static Object[] swapped(Object[] arguments, int one, int other) {
        Object[] changed = arguments.clone();
        changed[one] = arguments[other];
        changed[other] = arguments[one];
        return changed;
    }

    /// What is closed works on, or seems to.
    private static List<Breach> afterClose() {
        List<Breach> all = new ArrayList<>();
        Map<String, Object> quiet = new HashMap<>();
        for (String site : List.of("CopyStream.copyToDevice", "CopyStream.copyToHost", "CopyStream.copy",
                "CopyStream.waitFor", "CopyStream.synchronize")) {
            quiet.put(site, "L-06");
        }
        quiet.put("DirectFile.read", "D-06");
        quiet.forEach((site, rule) -> all.add(at("F11", site, "works on what is closed", call -> call.closed()
                ? site.startsWith("Direct") ? (Object) 0L : null : call.proceed(), (String) rule)));
        for (String site : List.of("DeviceBuffer.byteSize", "DeviceBuffer.handle", "DeviceBuffer.segment")) {
            all.add(remembers(site, "L-02"));
        }
        all.add(Breach.of("F11", "CopyStream.fence works on what is closed", () -> {
            Map<Object, Fence> last = new ConcurrentHashMap<>();
            return call -> {
                if (!call.site().equals("CopyStream.fence")) {
                    return call.proceed();
                }
                return call.closed() ? last.getOrDefault(call.target(), new PassedFence())
                        : call.proceed();
            };
        }, "L-06"));
        for (String site : List.of("Backend.allocate", "Backend.allocateStaging", "Backend.openCopyStream")) {
            all.add(Breach.of("F11", site + " works on what is closed", () -> new Reopening(site), "L-08"));
        }
        for (String type : List.of("DeviceBuffer", "StagingBuffer", "CopyStream", "DirectFile", "Fence", "Backend")) {
            all.add(at("F11", type + ".close", "throws the second time", call -> {
                if (call.closed()) {
                    throw new IllegalStateException("closed already");
                }
                return call.proceed();
            }, "L-", "D-06", "N-05"));
        }
        return all;
    }

    /// Answers after the close what it answered before.
    private static Breach remembers(String site, String rule) {
        return Breach.of("F11", site + " works on what is closed", () -> {
            Map<Object, Object> known = new ConcurrentHashMap<>();
            return call -> {
                if (call.site().equals(site) && call.closed()) {
                    return known.get(call.target());
                }
                if (call.type() == io.fastsafetensors.spi.DeviceBuffer.class && !call.closed()
                        && call.method().getName().equals("close")) {
                    io.fastsafetensors.spi.DeviceBuffer buffer = (io.fastsafetensors.spi.DeviceBuffer) call.target();
                    known.put(buffer, switch (site) {
                        case "DeviceBuffer.byteSize" -> buffer.byteSize();
                        case "DeviceBuffer.handle" -> buffer.handle();
                        default -> Optional.empty();
                    });
                }
                return call.proceed();
            };
        }, rule);
    }

    /// Opens another backend for who comes late.
    private static final class Reopening implements Layer.Change {
        private final String site;

        Reopening(String site) {
            this.site = site;
        }

        @Override
        public @Nullable Object call(Layer.Call call) throws Throwable {
            if (!call.site().equals(site) || !call.closed()) {
                return call.proceed();
            }
            Object other = HostProvider.full().open(HostProvider.DEVICE,
                    io.fastsafetensors.spi.BackendOptions.defaults());
            return call.method().invoke(other, call.arguments());
        }
    }

    private static final class PassedFence implements Fence {
        @Override
        public boolean isPassed() {
            return true;
        }

        @Override
        public void await() {
            // Passed.
        }

        @Override
        public void close() {
            // Holds nothing.
        }
    }

    /// Failures that nobody hears of.
    private static List<Breach> silent() {
        List<Breach> all = new ArrayList<>();
        for (String site : List.of("Fence.await", "Fence.isPassed", "CopyStream.synchronize")) {
            all.add(silentAt(site, true, "E-12", "E-13"));
        }
        for (String site : List.of("CopyStream.copyToDevice", "CopyStream.copyToHost")) {
            all.add(silentAt(site, false, "E-12"));
        }
        all.add(silentAt("Kernels.convert", false, "E-13"));
        all.add(silentAt("DirectFile.read", false, "D-12"));
        all.add(at("F6", "DirectFile.read", "swallows what a file throws, and says 0", call -> {
            try {
                return call.proceed();
            } catch (io.fastsafetensors.error.FstException _) {
                return 0L;
            }
        }, "D-11"));
        all.add(at("F6", "DirectFile.read", "swallows what a file throws, and says all", call -> {
            try {
                return call.proceed();
            } catch (io.fastsafetensors.error.FstException _) {
                return call.number(3);
            }
        }, "D-11"));
        for (String site : List.of("CopyStream.close", "DeviceBuffer.close", "StagingBuffer.close")) {
            all.add(failingClose(site));
        }
        for (String site : List.of("CopyStream.copyToDevice", "CopyStream.copyToHost", "CopyStream.copy",
                "Kernels.convert", "Kernels.gather", "DirectFile.read")) {
            all.add(at("F6", site, "swallows refusals", call -> {
                try {
                    return call.proceed();
                } catch (RuntimeException _) {
                    return site.startsWith("Direct") ? (Object) 0L : null;
                }
            }, "E-", "D-07"));
        }
        return all;
    }

    private static Breach silentAt(String site, boolean deferred, String... rules) {
        FaultPlan plan = FaultPlan.seeded(Seed.value());
        BackendProvider failing = new FaultyBackendProvider(HostProvider.full(), deferred ? plan.deferred() : plan);
        return Breach.of("F6", site + " swallows failed work", failing, () -> call -> {
            if (!call.site().equals(site)) {
                return call.proceed();
            }
            try {
                return call.proceed();
            } catch (BackendException _) {
                return switch (site) {
                    case "Fence.isPassed" -> Boolean.TRUE;
                    case "DirectFile.read" -> call.number(3);
                    default -> null;
                };
            }
        }, rules).with(new PlannedFailures(plan));
    }

    /// After a failure a close never returns what it should: it throws each time.
    private static Breach failingClose(String site) {
        FaultPlan plan = FaultPlan.seeded(Seed.value());
        return Breach.of("F6", site + " throws for ever after a failure",
                new FaultyBackendProvider(HostProvider.full(), plan), () -> {
                    AtomicInteger failures = new AtomicInteger();
                    return call -> {
                        if (call.site().equals(site) && failures.get() > 0) {
                            throw new BackendException("the device is lost", Where.backend("host"));
                        }
                        try {
                            return call.proceed();
                        } catch (BackendException e) {
                            failures.incrementAndGet();
                            throw e;
                        }
                    };
                }, "E-14").with(new PlannedFailures(plan));
    }

    /// Refusals with an exception that nobody expects.
    private static List<Breach> otherExceptions() {
        List<Breach> all = new ArrayList<>();
        Map<Class<? extends RuntimeException>, RuntimeException> changes = Map.of(IndexOutOfBoundsException.class,
                new IllegalArgumentException("range"), IllegalStateException.class, new NullPointerException("closed"),
                IllegalArgumentException.class, new ClassCastException("argument"),
                io.fastsafetensors.error.OutOfDeviceMemoryException.class,
                new BackendException("out of memory", Where.backend("host")),
                io.fastsafetensors.error.UnsupportedFeatureException.class, new ArithmeticException("unsupported"));
        Map<String, String[]> sites = Map.of("CopyStream.copyToDevice", new String[] {"E-", "L-06"},
                "CopyStream.copyToHost", new String[] {"E-", "L-06"}, "CopyStream.copy", new String[] {"E-", "L-06"},
                "Kernels.convert", new String[] {"E-", "L-06"}, "Kernels.gather", new String[] {"E-", "G-09"},
                "DirectFile.read", new String[] {"D-06", "D-07"}, "Backend.allocate",
                new String[] {"E-", "A-04", "L-08"}, "Backend.allocateStaging", new String[] {"E-", "A-04", "L-08"});
        // What each site refuses with in the host backend; other pairs are no defect.
        Map<String, List<Class<? extends RuntimeException>>> thrown = Map.of("CopyStream.copyToDevice",
                List.of(IndexOutOfBoundsException.class, IllegalStateException.class), "CopyStream.copyToHost",
                List.of(IndexOutOfBoundsException.class, IllegalStateException.class), "CopyStream.copy",
                List.of(IndexOutOfBoundsException.class, IllegalStateException.class), "Kernels.convert",
                List.of(IllegalArgumentException.class, IllegalStateException.class), "Kernels.gather",
                List.of(IllegalArgumentException.class), "DirectFile.read",
                List.of(IndexOutOfBoundsException.class, IllegalStateException.class), "Backend.allocate",
                List.of(IllegalArgumentException.class, IllegalStateException.class,
                        io.fastsafetensors.error.OutOfDeviceMemoryException.class),
                "Backend.allocateStaging", List.of(IllegalArgumentException.class, IllegalStateException.class,
                        io.fastsafetensors.error.OutOfDeviceMemoryException.class));
        thrown.forEach((site, types) -> types.forEach(type -> all.add(at("F8", site, "throws "
                + changes.get(type).getClass().getSimpleName() + " for " + type.getSimpleName(), call -> {
                    try {
                        return call.proceed();
                    } catch (RuntimeException e) {
                        throw type.isInstance(e) ? changes.get(type) : e;
                    }
                }, sites.get(site)))));
        return all;
    }

    /// Failures of a [FaultPlan].
    record PlannedFailures(FaultPlan plan) implements FailureHook {
        @Override
        public Optional<AutoCloseable> provoke(Failure failure) {
            List<Operation> operations = switch (failure) {
                case COPY -> List.of(Operation.COPY_TO_DEVICE, Operation.COPY_TO_HOST);
                case KERNEL -> List.of(Operation.KERNEL);
                case DIRECT_READ -> List.of(Operation.DIRECT_READ);
            };
            operations.forEach(operation -> plan.failRandomly(operation, 1));
            return Optional.of(() -> operations.forEach(operation -> plan.failRandomly(operation, 0)));
        }
    }
}
