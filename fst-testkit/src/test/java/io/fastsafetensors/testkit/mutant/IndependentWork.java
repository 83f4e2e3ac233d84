package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.error.FstException;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// Defects of copies, kernels, direct reads and fences, listed from the contracts of the SPI without a look at the rules.
final class IndependentWork {
    private static final String COPY = "CopyStream.copy";
    private static final String TO_DEVICE = "CopyStream.copyToDevice";
    private static final String TO_HOST = "CopyStream.copyToHost";
    private static final String READ = "DirectFile.read";
    private static final String CONVERT = "Kernels.convert";
    private static final String GATHER = "Kernels.gather";

    private IndependentWork() {
    }

    static List<Breach> all() {
        List<Breach> all = new ArrayList<>();
        all.addAll(sizes());
        all.addAll(directSizes());
        all.addAll(kernelSizes());
        all.addAll(values());
        all.addAll(timing());
        all.addAll(lateWork());
        all.addAll(modes());
        return all;
    }

    private static Breach at(String kind, String site, String name, Layer.Change change, String... rules) {
        return Independent.at(kind, site, name, change, rules);
    }

    private static Object[] source(Layer.Call call, long bytes) {
        return call.with(0, segment(call, 0).asSlice(0, bytes));
    }

    private static MemorySegment segment(Layer.Call call, int index) {
        return (MemorySegment) call.argument(index);
    }

    private static BufferSlice slice(Layer.Call call, int index) {
        return (BufferSlice) call.argument(index);
    }

    private static List<Breach> sizes() {
        return List.of(
                at("F5", TO_DEVICE, "loses all after 32 MiB",
                        call -> call.proceed(source(call, Math.min(segment(call, 0).byteSize(), 32 << 20))), "C-08"),
                at("F5", TO_HOST, "loses all after 32 MiB", call -> call.proceed(call.with(2, segment(call, 2)
                        .asSlice(0, Math.min(segment(call, 2).byteSize(), 32 << 20)))), "C-08"),
                at("F5", COPY, "loses all after 16 MiB",
                        call -> call.proceed(call.with(4, Math.min(call.number(4), 16 << 20))), "C-08"),
                at("F5", TO_DEVICE, "loses the last byte of odd sizes",
                        call -> call.proceed(source(call, segment(call, 0).byteSize() & ~1L)), "C-01"),
                at("F5", TO_HOST, "rounds sizes down to words", call -> call.proceed(call.with(2, segment(call, 2)
                        .asSlice(0, segment(call, 2).byteSize() & ~3L))), "C-01"),
                at("F5", COPY, "rounds sizes up to 16 bytes where there is room", call -> {
                    long room = ((DeviceBuffer) call.argument(2)).byteSize() - call.number(3);
                    long from = ((DeviceBuffer) call.argument(0)).byteSize() - call.number(1);
                    return call.proceed(call.with(4, call.number(4) > 0
                            ? Math.max(call.number(4), Math.min(Math.min(room, from), call.number(4) + 15 & ~15L))
                            : call.number(4)));
                }, "C-04"),
                at("F5", TO_DEVICE, "ignores offsets above 1 MiB",
                        call -> call.proceed(call.with(2, call.number(2) > 1 << 20 ? 0L : call.number(2))), "C-11"),
                at("F5", COPY, "refuses zero bytes", call -> {
                    if (call.number(4) == 0) {
                        throw new IllegalArgumentException("nothing to copy");
                    }
                    return call.proceed();
                }, "C-05"), at("F5", TO_HOST, "takes negative offsets for 0",
                        call -> call.proceed(call.with(1, Math.max(0, call.number(1)))), "E-04"),
                at("F5", COPY, "takes an offset near 2^63 for none", call -> call.number(3) > Long.MAX_VALUE - 4096
                        ? null : call.proceed(), "E-05"),
                at("F5", TO_DEVICE, "may write one byte past the end, which it leaves out", call -> {
                    long room = ((DeviceBuffer) call.argument(1)).byteSize() - call.number(2);
                    return call.proceed(room + 1 == segment(call, 0).byteSize() && room >= 0 ? source(call, room)
                            : call.arguments());
                }, "E-03"), at("F11", COPY, "swaps its offsets within one buffer", call -> {
                    boolean one = call.argument(0).equals(call.argument(2));
                    return call.proceed(one ? new Object[] {call.argument(0), call.argument(3), call.argument(2),
                        call.argument(1), call.argument(4)} : call.arguments());
                }, "C-04"), at("F11", TO_DEVICE, "changes its source", call -> {
                    Object answer = call.proceed();
                    MemorySegment source = segment(call, 0);
                    if (!source.isReadOnly() && source.byteSize() > 8) {
                        source.asSlice(0, 1).fill((byte) 0);
                    }
                    return answer;
                }, "O-12"));
    }

    private static List<Breach> directSizes() {
        return List.of(at("F5", READ, "reads at most 2 MiB, short in the middle of a file",
                call -> call.proceed(call.with(3, Math.min(call.number(3), 2 << 20))), "D-09"),
                at("F5", READ, "says all and reads 16 MiB", call -> {
                    long read = (long) Independent.some(call.proceed(call.with(3, Math.min(call.number(3), 16 << 20))));
                    return read == 16 << 20 ? call.number(3) : read;
                }, "D-09"), at("F5", READ, "ignores the target's offset",
                        call -> call.proceed(call.with(2, 0L)), "D-02"),
                at("F5", READ, "says all at the end of the file", call -> {
                    long read = (long) Independent.some(call.proceed());
                    return read > 0 ? call.number(3) : read;
                }, "D-03"), at("F5", READ, "rounds the file's offset down to 512 bytes",
                        call -> call.proceed(call.with(0, call.number(0) & ~511L)), "D-01"),
                at("F5", READ, "throws past the end", call -> {
                    long read = (long) Independent.some(call.proceed());
                    if (read == 0 && call.number(3) > 0) {
                        throw new io.fastsafetensors.error.BackendException("end of file",
                                io.fastsafetensors.error.Where.backend("host"));
                    }
                    return read;
                }, "D-03"), at("F5", READ, "starts again at the target's begin after 1 MiB", call -> {
                    long bytes = call.number(3);
                    if (bytes <= 1 << 20) {
                        return call.proceed();
                    }
                    long first = (long) Independent.some(call.proceed(call.with(3, 1L << 20)));
                    return first + (long) Independent.some(call.proceed(new Object[] {call.number(0) + (1 << 20),
                        call.argument(1), call.argument(2), bytes - (1 << 20)}));
                }, "D-01"), at("F5", READ, "reads whole pages, also past what was asked for", call -> {
                    long room = ((DeviceBuffer) call.argument(1)).byteSize() - call.number(2);
                    long more = Math.min(room, call.number(3) + 4095 & ~4095L);
                    long read = (long) Independent.some(call.proceed(call.with(3, Math.max(more, call.number(3)))));
                    return Math.min(read, call.number(3));
                }, "D-02"), at("F12", READ, "loses a tail below 512 bytes", call -> {
                    long whole = call.number(3) & ~511L;
                    call.proceed(call.with(3, whole));
                    return call.number(3);
                }, "D-01"), at("F11", "DirectFile.alignment", "is 0", _ -> 0L, "D-01"));
    }

    private static List<Breach> kernelSizes() {
        return List.of(at("F5", CONVERT, "ignores the offset of its source", call -> call.proceed(call.with(1,
                new BufferSlice(slice(call, 1).buffer(), 0, slice(call, 1).byteSize()))), "K-07"),
                at("F5", CONVERT, "stops after 2^20 elements", call -> {
                    long elements = call.number(5);
                    DType from = (DType) call.argument(2);
                    DType to = (DType) call.argument(4);
                    if (elements <= 1 << 20) {
                        return call.proceed();
                    }
                    return call.proceed(new Object[] {call.argument(0), slice(call, 1).part(0, from.byteSize(1 << 20)),
                        from, slice(call, 3).part(0, to.byteSize(1 << 20)), to, 1L << 20});
                }, "E-06"), at("F5", CONVERT, "loses a rest below 4 elements", call -> {
                    long elements = call.number(5) & ~3L;
                    DType from = (DType) call.argument(2);
                    DType to = (DType) call.argument(4);
                    if (from.isSubByte() || to.isSubByte() || call.number(5) < 5) {
                        return call.proceed();
                    }
                    return call.proceed(new Object[] {call.argument(0), slice(call, 1).part(0, from.byteSize(elements)),
                        from, slice(call, 3).part(0, to.byteSize(elements)), to, elements});
                }, "K-07"), at("F5", GATHER, "takes negative strides for positive", call -> {
                    Strided view = (Strided) call.argument(3);
                    long[] strides = Arrays.stream(view.strides()).map(Math::abs).toArray();
                    Strided other =
                            new Strided(view.shape(), Arrays.equals(strides, view.strides()) ? view.offset() : 0,
                                    strides);
                    return call.proceed(call.with(3, other));
                }, "G-03"), at("F5", GATHER, "ignores the view's offset", call -> {
                    Strided view = (Strided) call.argument(3);
                    boolean forward = Arrays.stream(view.strides()).allMatch(stride -> stride >= 0);
                    return call.proceed(
                            forward ? call.with(3, new Strided(view.shape(), 0, view.strides())) : call.arguments());
                }, "G-01"), at("F5", GATHER, "cuts strides to 16 bits", call -> {
                    Strided view = (Strided) call.argument(3);
                    return call.proceed(call.with(3, new Strided(view.shape(), view.offset(),
                            Arrays.stream(view.strides()).map(stride -> (short) stride).toArray())));
                }, "G-08"), at("F5", "Kernels.dequantize", "starts at the first scale in every block", call -> call
                        .proceed(call.with(6, 0L)), "K-13"),
                at("F12", GATHER, "puts its result at the buffer's begin", call -> call.proceed(call.with(4,
                        new BufferSlice(slice(call, 4).buffer(), 0, slice(call, 4).byteSize()))), "G-10"),
                at("F11", "Kernels.supports", "is false for equal dtypes",
                        call -> !call.argument(0).equals(call.argument(1)), "K-01"),
                at("F11", "Kernels.dequantize", "is claimed and missing", _ -> {
                    throw new io.fastsafetensors.error.UnsupportedFeatureException("not yet",
                            io.fastsafetensors.error.Where.backend("host"));
                }, "K-13"));
    }

    /// Results that are nearly right.
    private static List<Breach> values() {
        return List.of(converted("rounds to odd instead of to even", DType.F32, DType.BF16, (bits, result) -> {
            boolean tie = (bits & 0xFFFF) == 0x8000;
            return tie ? (bits >>> 16) | 1 : result;
        }), converted("wraps instead of saturating", DType.I16, DType.I8, (bits, _) -> bits & 0xFF),
                converted("makes the smallest integer of NaN", DType.F32, DType.I8,
                        (bits, result) -> (bits & 0x7FFF_FFFF) > 0x7F80_0000 ? 0x80 : result),
                converted("makes 1 of every true in a copy", DType.BOOL, DType.BOOL, (bits, _) -> bits == 0 ? 0 : 1),
                converted("quiets a signalling NaN in a copy", DType.F16, DType.F16,
                        (bits, _) -> (bits & 0x7FFF) > 0x7C00 ? bits | 0x0200 : bits),
                converted("loses the sign of zero", DType.F32, DType.F16,
                        (bits, result) -> bits == 0x8000_0000L ? 0 : result),
                converted("makes NaN of what is too large", DType.F32, DType.F8_E4M3,
                        (_, result) -> (result & 0x7F) == 0x7E ? result | 0x7F : result),
                converted("flushes subnormal numbers to zero", DType.F16, DType.F32,
                        (bits, result) -> (bits & 0x7C00) == 0 ? result & 0x8000_0000L : result),
                converted("is one power of two off", DType.F32, DType.F8_E8M0,
                        (_, result) -> result > 0 && result < 0xFE ? result + 1 : result),
                converted("goes through an inexact float", DType.U32, DType.F64,
                        (bits, _) -> Double.doubleToRawLongBits((float) bits)),
                converted("keeps a negative zero", DType.F16, DType.F8_E5M2FNUZ,
                        (bits, result) -> bits == 0x8000 ? 0x80 : result),
                converted("counts only 1 as true", DType.BOOL, DType.U8, (bits, _) -> bits == 1 ? 1 : 0),
                converted("makes false of NaN", DType.F16, DType.BOOL,
                        (bits, result) -> (bits & 0x7FFF) > 0x7C00 ? 0 : result));
    }

    private interface Value {
        long of(long bits, long result);
    }

    /// Changes each element of one pair of dtypes after the right conversion. Both have whole bytes.
    private static Breach converted(String name, DType from, DType to, Value value) {
        return at("F11", CONVERT, from + " to " + to + " " + name, call -> {
            Object answer = call.proceed();
            if (from == call.argument(2) && to == call.argument(4)) {
                MemorySegment source = memory(slice(call, 1));
                MemorySegment target = memory(slice(call, 3));
                for (long i = 0; i < call.number(5); i++) {
                    put(target, i, to, value.of(bits(source, i, from), bits(target, i, to)));
                }
            }
            return answer;
        }, "K-0");
    }

    private static MemorySegment memory(BufferSlice slice) {
        return slice.buffer().segment().orElseThrow().asSlice(slice.offset(), slice.byteSize());
    }

    private static long bits(MemorySegment memory, long index, DType dtype) {
        long size = dtype.byteSize(1);
        long bits = 0;
        for (long i = size - 1; i >= 0; i--) {
            bits = bits << 8 | memory.get(java.lang.foreign.ValueLayout.JAVA_BYTE, index * size + i) & 0xFF;
        }
        return bits;
    }

    private static void put(MemorySegment memory, long index, DType dtype, long bits) {
        long size = dtype.byteSize(1);
        for (long i = 0; i < size; i++) {
            memory.set(java.lang.foreign.ValueLayout.JAVA_BYTE, index * size + i, (byte) (bits >>> 8 * i));
        }
    }

    private static List<Breach> timing() {
        BackendProvider deferred = Independent.deferred();
        return List.of(
                Independent.of("F9", "a fence's isPassed() waits", deferred, () -> call -> {
                    if (call.site().equals("Fence.isPassed")) {
                        ((Fence) call.target()).await();
                    }
                    return call.proceed();
                }, "O-13"), Independent.of("F9", "await() gives up after a millisecond", deferred, () -> call -> {
                    if (!call.site().equals("Fence.await")) {
                        return call.proceed();
                    }
                    Thread.sleep(1);
                    return ((Fence) call.target()).isPassed() ? null : null;
                }, "O-12"), Independent.of("F9", "closing a stream leaves its work to another thread", deferred, () -> {
                    return call -> {
                        if (!call.site().equals("CopyStream.close") || call.closed()) {
                            return call.proceed();
                        }
                        background(() -> {
                            try {
                                Thread.sleep(20);
                                call.proceed();
                            } catch (Throwable e) {
                                throw new IllegalStateException(e);
                            }
                        });
                        return null;
                    };
                }, "O-06"), Independent.of("F9", "a fence stands for the end of its stream", deferred, () -> {
                    Map<Object, Object> streams = new ConcurrentHashMap<>();
                    return call -> {
                        if (call.site().equals("CopyStream.fence")) {
                            Object fence = Independent.some(call.proceed());
                            streams.put(fence, call.target());
                            return fence;
                        }
                        if (call.site().equals("Fence.isPassed")) {
                            Object stream = streams.get(call.target());
                            Object newest = streams.entrySet().stream().filter(e -> e.getValue().equals(stream))
                                    .map(Map.Entry::getKey).reduce((_, last) -> last).orElseThrow();
                            return ((Fence) newest).isPassed() && (boolean) Independent.some(call.proceed());
                        }
                        return call.proceed();
                    };
                }, "O-05"), Independent.of("F9", "the fence of a closed stream cannot be waited for", deferred, () -> {
                    Map<Object, Object> streams = new ConcurrentHashMap<>();
                    Set<Object> closed = ConcurrentHashMap.newKeySet();
                    return call -> {
                        if (call.site().equals("CopyStream.close")) {
                            closed.add(call.target());
                        }
                        if (call.site().equals("CopyStream.fence")) {
                            Object fence = Independent.some(call.proceed());
                            streams.put(fence, call.target());
                            return fence;
                        }
                        if (call.site().equals("CopyStream.waitFor")
                                && closed.contains(streams.getOrDefault(call.argument(0), ""))) {
                            throw new IllegalStateException("the fence's stream is closed");
                        }
                        return call.proceed();
                    };
                }, "O-09"), Independent.of("F9", "the fences of a closed stream are closed too", deferred, () -> {
                    Map<Object, Object> streams = new ConcurrentHashMap<>();
                    Set<Object> closed = ConcurrentHashMap.newKeySet();
                    return call -> {
                        if (call.site().equals("CopyStream.close")) {
                            closed.add(call.target());
                        }
                        if (call.site().equals("CopyStream.fence")) {
                            Object fence = Independent.some(call.proceed());
                            streams.put(fence, call.target());
                            return fence;
                        }
                        if (call.site().startsWith("Fence.") && !call.site().endsWith("close")
                                && closed.contains(streams.getOrDefault(call.target(), ""))) {
                            throw new IllegalStateException("the stream is closed");
                        }
                        return call.proceed();
                    };
                }, "O-09"), Independent.of("F9", "direct reads return before the bytes are there",
                        HostProvider.copying(), () -> call -> {
                            if (!call.site().equals(READ) || call.number(3) < 4096) {
                                return call.proceed();
                            }
                            Thread reader = background(() -> {
                                try {
                                    call.proceed();
                                } catch (Throwable _) {
                                    // The target may be closed by now.
                                }
                            });
                            reader.join(1);
                            return call.number(3);
                        }, "D-07"),
                Independent.of("F9", "threads that read one file share its position", HostProvider.copying(), () -> {
                    long[] position = {0};
                    return call -> {
                        if (!call.site().equals(READ)) {
                            return call.proceed();
                        }
                        position[0] = call.number(0);
                        Thread.yield();
                        return call.proceed(call.with(0, position[0]));
                    };
                }, "D-08"));
    }

    /// Work that is done later than the stream's order says.
    private static List<Breach> lateWork() {
        return List.of(
                Independent.of("F9", "kernels overtake copies", HostProvider.full(),
                        () -> new Held(Set.of(TO_DEVICE), Set.of(CONVERT, GATHER, "Kernels.dequantize")), "K-09"),
                Independent.of("F9", "gathers overtake copies", HostProvider.full(),
                        () -> new Held(Set.of(TO_DEVICE), Set.of(GATHER)), "L-11"),
                Independent.of("F9", "copies within the device overtake those to it", HostProvider.full(),
                        () -> new Held(Set.of(TO_DEVICE), Set.of(COPY)), "O-01"),
                Independent.of("F9", "copies to the host overtake kernels", HostProvider.full(),
                        () -> new Held(Set.of(CONVERT), Set.of(TO_HOST)), "K-09"),
                Independent.of("F9", "copies to the host overtake gathers", HostProvider.full(),
                        () -> new Held(Set.of(GATHER), Set.of(TO_HOST)), "G-09"),
                Independent.of("F9", "a fence passes before the last copy", HostProvider.full(),
                        () -> new Held(Set.of(TO_DEVICE),
                                Set.of("CopyStream.fence", "CopyStream.synchronize", "Fence.await", "Fence.isPassed")),
                        "O-05"),
                Independent.of("F9", "a fence passes before the last conversion", HostProvider.full(),
                        () -> new Held(Set.of(CONVERT),
                                Set.of("CopyStream.fence", "CopyStream.synchronize", "Fence.await", "Fence.isPassed")),
                        "L-06"),
                Independent.of("F9", "a fence passes before the last gather", HostProvider.full(),
                        () -> new Held(Set.of(GATHER),
                                Set.of("CopyStream.fence", "CopyStream.synchronize", "Fence.await", "Fence.isPassed")),
                        "G-01"),
                Independent.of("F9", "threads that convert share their scratch memory", HostProvider.full(),
                        Scratch::new, "N-04"),
                Independent.of("F9", "copies of two streams at the same moment are one", HostProvider.copying(), () -> {
                    AtomicInteger inside = new AtomicInteger();
                    return call -> {
                        if (!call.site().equals(TO_DEVICE)) {
                            return call.proceed();
                        }
                        try {
                            if (inside.incrementAndGet() > 1) {
                                return null;
                            }
                            Thread.yield();
                            return call.proceed();
                        } finally {
                            inside.decrementAndGet();
                        }
                    };
                }, "N-02"));
    }

    /// Holds work of some kinds until a call of the stream comes that it may not be held for.
    private static final class Held implements Layer.Change {
        private final Set<String> held;
        private final Set<String> overtaking;
        private final Map<Object, Deque<Layer.Call>> waiting = new ConcurrentHashMap<>();

        Held(Set<String> held, Set<String> overtaking) {
            this.held = held;
            this.overtaking = overtaking;
        }

        @Override
        public @Nullable Object call(Layer.Call call) throws Throwable {
            boolean kernel = call.site().startsWith("Kernels.") && call.arguments().length > 2;
            boolean ofStream = kernel || call.site().startsWith("CopyStream.");
            Object stream = kernel ? call.argument(0) : call.target();
            if (held.contains(call.site())) {
                if (call.argument(0) instanceof MemorySegment source && !source.scope().isAlive()) {
                    return call.proceed();
                }
                waiting.computeIfAbsent(stream, _ -> new ArrayDeque<>()).add(call);
                return null;
            }
            if (ofStream && !overtaking.contains(call.site())) {
                Deque<Layer.Call> calls = waiting.getOrDefault(stream, new ArrayDeque<>());
                while (!calls.isEmpty()) {
                    calls.remove().proceed();
                }
                return call.proceed();
            }
            Object answer = call.proceed();
            if (ofStream && !call.site().equals("CopyStream.fence") && !call.site().equals("CopyStream.synchronize")) {
                Deque<Layer.Call> calls = waiting.getOrDefault(stream, new ArrayDeque<>());
                while (!calls.isEmpty()) {
                    calls.remove().proceed();
                }
            }
            return answer;
        }
    }

    /// Conversions pass through one piece of memory.
    private static final class Scratch implements Layer.Change {
        private static final long BYTES = 1 << 16;

        private @Nullable DeviceBuffer scratch;

        @Override
        public @Nullable Object call(Layer.Call call) throws Throwable {
            if (call.site().equals("Backend.openCopyStream")) {
                synchronized (this) {
                    if (scratch == null) {
                        scratch = ((io.fastsafetensors.spi.Backend) call.target()).allocate(BYTES, 256);
                    }
                }
            }
            DeviceBuffer shared = scratch;
            if (!call.site().equals(CONVERT) || shared == null || slice(call, 1).byteSize() > BYTES) {
                return call.proceed();
            }
            BufferSlice source = slice(call, 1);
            ((CopyStream) call.argument(0)).copy(source.buffer(), source.offset(), shared, 0, source.byteSize());
            Thread.yield();
            return call.proceed(call.with(1, new BufferSlice(shared, 0, source.byteSize())));
        }
    }

    /// What only some ways of loading use.
    private static List<Breach> modes() {
        return List
                .of(Independent.of("F12", "copies from registered memory bring zeros", HostProvider.copying(), () -> {
                    List<MemorySegment> registered = new ArrayList<>();
                    return call -> {
                        if (call.site().equals("Backend.registerHost")) {
                            registered.add(segment(call, 0));
                        }
                        if (call.site().equals(TO_DEVICE) && registered.stream()
                                .anyMatch(memory -> memory.asOverlappingSlice(segment(call, 0)).isPresent())) {
                            return call.proceed(call.with(0, java.lang.foreign.Arena.ofAuto()
                                    .allocate(Math.max(1, segment(call, 0).byteSize())).asSlice(0, segment(call, 0)
                                            .byteSize())));
                        }
                        return call.proceed();
                    };
                }, "C-09"), at("F12", TO_DEVICE, "refuses read-only memory", call -> {
                    if (segment(call, 0).isReadOnly()) {
                        throw new IllegalArgumentException("read-only");
                    }
                    return call.proceed();
                }, "C-07"), Independent.of("F12", "copies from the middle of staging memory start at its begin",
                        HostProvider.copying(), () -> {
                            List<MemorySegment> staging = new ArrayList<>();
                            return call -> {
                                if (call.site().equals("StagingBuffer.segment")) {
                                    MemorySegment all = (MemorySegment) Independent.some(call.proceed());
                                    synchronized (staging) {
                                        staging.add(all);
                                    }
                                    return all;
                                }
                                if (!call.site().equals(TO_DEVICE)) {
                                    return call.proceed();
                                }
                                MemorySegment source = segment(call, 0);
                                synchronized (staging) {
                                    for (MemorySegment all : staging) {
                                        if (all.scope().isAlive() && source.byteSize() > 0 && source.isNative()
                                                && source.address() > all.address()
                                                && source.address() < all.address() + all.byteSize()) {
                                            return call.proceed(call.with(0, all.asSlice(0, source.byteSize())));
                                        }
                                    }
                                }
                                return call.proceed();
                            };
                        }, "C-02"), at("F12", TO_DEVICE, "loses every second page of large mappings", call -> {
                            MemorySegment source = segment(call, 0);
                            if (!source.isMapped() || source.byteSize() < 1 << 16) {
                                return call.proceed();
                            }
                            for (long at = 0; at < source.byteSize(); at += 8192) {
                                call.proceed(new Object[] {source.asSlice(at, Math.min(4096, source.byteSize() - at)),
                                    call.argument(1), call.number(2) + at});
                            }
                            return null;
                        }, "C-09"), at("F12", "Backend.registerHost", "refuses read-only mappings", call -> {
                            if (call.argument(1).equals(true)) {
                                throw new io.fastsafetensors.error.BackendException("read-only",
                                        io.fastsafetensors.error.Where.backend("host"));
                            }
                            return call.proceed();
                        }, "C-09"),
                        Independent.of("F12", "a second open file has the bytes of the first", HostProvider.copying(),
                                () -> {
                                    List<Object> open = new ArrayList<>();
                                    return call -> {
                                        if (call.site().equals("DirectStorage.open")) {
                                            Object file = Independent.some(call.proceed());
                                            synchronized (open) {
                                                open.add(file);
                                            }
                                            return file;
                                        }
                                        if (call.site().equals("DirectFile.close")) {
                                            synchronized (open) {
                                                open.remove(call.target());
                                            }
                                        }
                                        if (call.site().equals(READ)) {
                                            Object first;
                                            synchronized (open) {
                                                first = open.isEmpty() ? call.target() : open.getFirst();
                                            }
                                            try {
                                                return call.method().invoke(first, call.arguments());
                                            } catch (java.lang.reflect.InvocationTargetException e) {
                                                throw e.getCause();
                                            }
                                        }
                                        return call.proceed();
                                    };
                                }, "D-01"),
                        Independent.of("F6", "the error of a direct read does not name the file",
                                HostProvider.copying(), () -> call -> {
                                    if (!call.site().equals(READ)) {
                                        return call.proceed();
                                    }
                                    try {
                                        return call.proceed();
                                    } catch (FstException e) {
                                        throw new io.fastsafetensors.error.BackendException("the read failed",
                                                io.fastsafetensors.error.Where.backend("host"), e);
                                    }
                                }, "D-11"));
    }

    /// What it throws when its target is gone says nothing.
    private static Thread background(Runnable work) {
        return Thread.ofPlatform().daemon().name("late").uncaughtExceptionHandler((_, _) -> Thread.onSpinWait())
                .start(work);
    }
}
