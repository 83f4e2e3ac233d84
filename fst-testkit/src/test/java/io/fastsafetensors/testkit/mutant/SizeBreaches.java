package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Strided;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/// Sizes and offsets that are cut, shifted or limited, at every place of the SPI that has one.
final class SizeBreaches {
    private static final String[] COPIES = {"C-", "E-03", "E-04", "E-05"};
    private static final String[] FAR = {"A-07"};

    /// A number among the arguments of a method.
    ///
    /// @param site interface and method
    /// @param index which argument
    /// @param what its name
    /// @param rules who may notice that it is wrong
    private record Place(String site, int index, String what, String... rules) {
    }

    private static final List<Place> PLACES = List.of(
            new Place("Backend.allocate", 0, "bytes", "A-", "C-", "E-01"),
            new Place("Backend.allocateStaging", 0, "bytes", "A-", "C-", "E-01"),
            new Place("CopyStream.copyToDevice", 2, "targetOffset", COPIES),
            new Place("CopyStream.copyToHost", 1, "sourceOffset", COPIES),
            new Place("CopyStream.copy", 1, "sourceOffset", COPIES),
            new Place("CopyStream.copy", 3, "targetOffset", COPIES),
            new Place("CopyStream.copy", 4, "bytes", COPIES),
            new Place("Kernels.convert", 5, "elements", "E-06", "K-08", "K-07"),
            new Place("DirectFile.read", 0, "fileOffset", "D-"),
            new Place("DirectFile.read", 2, "targetOffset", "D-"),
            new Place("DirectFile.read", 3, "bytes", "D-"));

    private static final Map<String, LongUnaryOperator> CUTS = cuts();

    private SizeBreaches() {
    }

    private static Map<String, LongUnaryOperator> cuts() {
        Map<String, LongUnaryOperator> cuts = new LinkedHashMap<>();
        cuts.put("16 bits", value -> value & 0xFFFF);
        cuts.put("a float", value -> (long) (float) value);
        cuts.put("31 bits", value -> value & 0x7FFF_FFFF);
        cuts.put("32 bits", value -> value & 0xFFFF_FFFFL);
        cuts.put("an int", value -> (int) value);
        return cuts;
    }

    static List<Breach> all() {
        List<Breach> all = new ArrayList<>();
        for (Place place : PLACES) {
            CUTS.forEach((width, cut) -> {
                all.add(Breach.of("F5", place.site + ": " + place.what + " is cut to " + width + " and then checked",
                        () -> call -> call.site().equals(place.site)
                                ? call.proceed(call.with(place.index, cut.applyAsLong(call.number(place.index))))
                                : call.proceed(),
                        place.rules));
                if (!place.what.equals("elements") && !place.site.startsWith("Backend")) {
                    all.add(checkedAndCut(place, width, cut));
                }
            });
            for (long by : new long[] {1, -1}) {
                all.add(Breach.of("F5", place.site + ": " + place.what + " is wrong by " + by,
                        () -> call -> call.site().equals(place.site) && call.number(place.index) > 1
                                ? call.proceed(call.with(place.index, call.number(place.index) + by))
                                : call.proceed(),
                        place.rules));
            }
        }
        all.addAll(cutAllocations());
        all.addAll(slices());
        all.addAll(limits());
        return all;
    }

    /// The whole number is in the range; the driver gets less of it.
    private static Breach checkedAndCut(Place place, String width, LongUnaryOperator cut) {
        boolean far = !width.startsWith("16") && !width.equals("a float");
        boolean file = place.site.startsWith("DirectFile");
        String[] rules = !far ? place.rules : file ? new String[] {place.index == 0 ? "D-10" : "D-14"} : FAR;
        Breach breach = Breach.of("F5", place.site + ": " + place.what + " is checked and then cut to " + width,
                () -> call -> {
                    if (!call.site().equals(place.site)) {
                        return call.proceed();
                    }
                    check(call);
                    return call.proceed(call.with(place.index, cut.applyAsLong(call.number(place.index))));
                }, rules);
        return far && !(file && place.index == 0) ? breach.atFull() : breach;
    }

    private static void check(Layer.Call call) {
        switch (call.site()) {
            case "CopyStream.copyToDevice" -> range(call, 1, 2, ((MemorySegment) call.argument(0)).byteSize());
            case "CopyStream.copyToHost" -> range(call, 0, 1, ((MemorySegment) call.argument(2)).byteSize());
            case "CopyStream.copy" -> {
                range(call, 0, 1, call.number(4));
                range(call, 2, 3, call.number(4));
            }
            case "DirectFile.read" -> range(call, 1, 2, call.number(3));
            default -> throw new IllegalArgumentException(call.site());
        }
    }

    private static void range(Layer.Call call, int buffer, int offset, long bytes) {
        Objects.checkFromIndexSize(call.number(offset), bytes, ((DeviceBuffer) call.argument(buffer)).byteSize());
    }

    /// The driver gives less than was asked for, and the buffer says that it has all.
    private static List<Breach> cutAllocations() {
        List<Breach> all = new ArrayList<>();
        for (String width : List.of("16 bits", "31 bits", "32 bits")) {
            LongUnaryOperator cut = CUTS.getOrDefault(width, value -> value);
            Breach breach = Breach.of("F5", "Backend.allocate: the driver gets " + width + " of the size",
                    () -> call -> {
                        if (!call.site().equals("Backend.allocate") || call.number(0) > 1L << 40) {
                            return call.proceed();
                        }
                        long bytes = call.number(0);
                        DeviceBuffer less = (DeviceBuffer) call.proceed(call.with(0, cut.applyAsLong(bytes)));
                        return bytes == cut.applyAsLong(bytes) ? less : new Forwarding.OfBuffer(less) {
                            @Override
                            public long byteSize() {
                                super.byteSize();
                                return bytes;
                            }
                        };
                    }, width.startsWith("16") ? new String[] {"C-", "A-08"} : FAR);
            all.add(width.startsWith("16") ? breach : breach.atFull());
        }
        return all;
    }

    /// Kernels that lose a slice's offset, or a part of it.
    private static List<Breach> slices() {
        List<Breach> all = new ArrayList<>();
        Map<String, LongUnaryOperator> changes = new LinkedHashMap<>(CUTS);
        changes.remove("an int");
        changes.put("nothing", _ -> 0);
        for (String method : List.of("convert", "gather")) {
            int target = method.equals("convert") ? 3 : 4;
            for (int index : new int[] {1, target}) {
                changes.forEach((width, cut) -> {
                    boolean far = width.startsWith("3");
                    Breach breach = Breach.of("F5", "Kernels." + method + ": the offset of the "
                            + (index == 1 ? "source" : "target") + " is cut to " + width, () -> call -> {
                                if (!call.site().equals("Kernels." + method)) {
                                    return call.proceed();
                                }
                                BufferSlice slice = (BufferSlice) call.argument(index);
                                return call.proceed(call.with(index, new BufferSlice(slice.buffer(),
                                        cut.applyAsLong(slice.offset()), slice.byteSize())));
                            }, far ? FAR : method.equals("convert") ? new String[] {"K-12", "K-07"}
                                    : new String[] {"G-"});
                    // A gather at 32 bits takes the way of the conversion in every backend that has one.
                    if (!far || method.equals("convert")) {
                        all.add(far ? breach.atFull() : breach);
                    }
                });
            }
        }
        for (String what : List.of("offset", "strides")) {
            all.add(Breach.of("F5", "Kernels.gather: the view's " + what + " lose 1", () -> call -> {
                if (!call.site().equals("Kernels.gather")) {
                    return call.proceed();
                }
                Strided view = (Strided) call.argument(3);
                long[] strides = view.strides();
                if (what.equals("strides") && strides.length > 0) {
                    strides[0] -= Math.min(strides[0], 1) > 0 ? 1 : 0;
                }
                long offset = what.equals("offset") ? Math.max(0, view.offset() - 1) : view.offset();
                return call.proceed(call.with(3, new Strided(view.shape(), offset, strides)));
            }, "G-"));
        }
        return all;
    }

    /// What is over a limit is lost.
    private static List<Breach> limits() {
        List<Breach> all = new ArrayList<>();
        for (int bits : new int[] {17, 20, 24}) {
            long mask = (1L << bits) - 1;
            all.add(Breach.of("F5", "CopyStream.copy: the target's offset has " + bits + " bits",
                    () -> call -> call.site().equals("CopyStream.copy")
                            ? call.proceed(call.with(3, call.number(3) & mask)) : call.proceed(),
                    "C-11"));
            all.add(Breach.of("F5", "Kernels.gather: the source's offset has " + bits + " bits", () -> call -> {
                if (!call.site().equals("Kernels.gather")) {
                    return call.proceed();
                }
                BufferSlice slice = (BufferSlice) call.argument(1);
                return call.proceed(call.with(1,
                        new BufferSlice(slice.buffer(), slice.offset() & mask, slice.byteSize())));
            }, "G-10"));
        }
        all.add(Breach.of("F5", "DirectFile.read: one read brings 16 MiB at most", () -> call -> call.site()
                .equals("DirectFile.read") && call.number(3) > 1 << 24 ? call.proceed(call.with(3, 1L << 24))
                        : call.proceed(),
                "D-09"));
        all.add(Breach.of("F6", "DirectFile.read says all of a file that became shorter", () -> call -> {
            Object count = call.proceed();
            return call.site().equals("DirectFile.read") && (long) java.util.Objects.requireNonNull(count) > 1 << 19
                    ? (Object) call.number(3) : count;
        }, "D-13"));
        for (long limit : new long[] {1 << 16, 1 << 20, 1 << 24, 1 << 25}) {
            all.add(limited("CopyStream.copyToDevice", limit, 0, "C-", "O-01"));
            all.add(limited("CopyStream.copyToHost", limit, 2, "C-", "O-01"));
            all.add(Breach.of("F5", "CopyStream.copy loses all after " + limit, () -> call -> call.site()
                    .equals("CopyStream.copy") && call.number(4) > limit ? call.proceed(call.with(4, limit))
                            : call.proceed(),
                    "C-", "O-01"));
            all.add(atFullIf(limit > 1 << 24,
                    Breach.of("F5", "DirectFile.read ends after " + limit, () -> call -> call.site()
                            .equals("DirectFile.read") && call.number(3) > limit ? call.proceed(call.with(3, limit))
                                    : call.proceed(),
                            "D-09")));
            all.add(atFullIf(limit > 1 << 24,
                    Breach.of("F5", "DirectFile.read says all and brings " + limit, () -> call -> {
                        if (!call.site().equals("DirectFile.read") || call.number(3) <= limit) {
                            return call.proceed();
                        }
                        call.proceed(call.with(3, limit));
                        return call.number(3);
                    }, "D-09", "D-")));
        }
        return all;
    }

    private static Breach atFullIf(boolean full, Breach breach) {
        return full ? breach.atFull() : breach;
    }

    private static Breach limited(String site, long limit, int segment, String... rules) {
        return Breach.of("F5", site + " loses all after " + limit,
                () -> call -> limitedCall(call, site, segment, limit),
                rules);
    }

    private static @Nullable Object limitedCall(Layer.Call call, String site, int segment, long limit)
            throws Throwable {
        if (!call.site().equals(site)) {
            return call.proceed();
        }
        MemorySegment memory = (MemorySegment) call.argument(segment);
        return memory.byteSize() > limit ? call.proceed(call.with(segment, memory.asSlice(0, limit))) : call.proceed();
    }
}
