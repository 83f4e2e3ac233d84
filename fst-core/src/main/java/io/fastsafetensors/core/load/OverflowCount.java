package io.fastsafetensors.core.load;

import io.fastsafetensors.core.header.Overflows;
import io.fastsafetensors.core.plan.PlannedTensors;
import io.fastsafetensors.core.plan.PlannedTensors.PlannedTensor;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.core.transfer.BlockListener;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// Counts the numbers of a load that the dtype they are converted to has no place for, in the blocks as they were read. Any
/// number of readers at a time.
///
/// It looks at the source's bytes on the host, not at the result: that may be in device memory, and an infinity there may
/// have been one in the file. So blocks of direct storage are not counted.
///
/// The price is a pass over the bytes of converted blocks, on the reader's thread; hence it is an option.
final class OverflowCount implements BlockListener {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int SIXTEEN_BIT_MAGNITUDE = 0x7FFF;
    /// Bytes that are looked at by one loop; whole elements, and few enough to be counted by an int.
    private static final int STEP = 1 << 20;

    private final ReadPlan plan;
    /// Those of the checkpoint: batches of a stream add to the same ones.
    private final Overflows counts;

    private OverflowCount(ReadPlan plan, Overflows counts) {
        this.plan = plan;
        this.counts = counts;
    }

    /// What has to see the blocks of a plan; [BlockListener#NONE] if no conversion of it can lose a number.
    static BlockListener of(ReadPlan plan, Overflows counts) {
        boolean any = plan.planned().stream().filter(file -> file.converts()).anyMatch(file -> file.tensors().stream()
                .anyMatch(tensor -> Limit.of(tensor.info().dtype(), tensor.dtype()) != null));
        return any ? new OverflowCount(plan, counts) : NONE;
    }

    @Override
    public void read(int block, MemorySegment memory, long base) {
        PlannedTensors tensors = plan.planned().get(plan.blocks().file(block)).tensors();
        long start = plan.blocks().start(block);
        long end = plan.blocks().end(block);
        for (int t = tensors.firstEndingAfter(start); t < tensors.size() && tensors.info(t).fileOffset() < end; t++) {
            Limit limit =
                    tensors.isConverted(t) ? Limit.of(tensors.info(t).dtype(), tensors.dtype(t)) : null;
            long first = Math.max(start, tensors.fileStart(t));
            long last = Math.min(end, tensors.fileEnd(t));
            if (limit != null && first < last) {
                long beyond = tensors.isGathered(t) ? rows(limit, tensors.get(t), first, last, memory, base)
                        : limit.count(memory, first - base, last - first);
                if (beyond > 0) {
                    counts.of(tensors.info(t).name()).add(beyond);
                }
            }
        }
    }

    /// Counts in the runs of a tensor that is cut along an inner dimension; what lies between is not loaded.
    ///
    /// @param first the first byte of the file that may count
    /// @param last the one after the last
    private static long rows(Limit limit, PlannedTensor tensor, long first, long last, MemorySegment memory,
            long base) {
        Part part = tensor.part();
        long origin = tensor.fileStart();
        long beyond = 0;
        for (long row = (first - origin) / part.rowBytes(); origin + row * part.rowBytes() < last; row++) {
            long from = Math.max(first, origin + row * part.rowBytes());
            long to = Math.min(last, origin + row * part.rowBytes() + part.runBytes());
            beyond += from < to ? limit.count(memory, from - base, to - from) : 0;
        }
        return beyond;
    }

    /// The magnitudes of one dtype that are finite and too large for another one. They are consecutive codes, so that an
    /// element is judged by comparing its bits. Immutable.
    ///
    /// Codes of a float without its sign ascend with its magnitude, so "too large and not infinite" is one interval
    /// of codes.
    private static final class Limit {
        /// Each pair is made once: blocks ask for every converted tensor in them.
        private static final Map<Pair, Optional<Limit>> MADE = new ConcurrentHashMap<>();

        /// Of an element.
        private final int bits;
        /// Codes without sign from here on, and before infinity.
        private final long from;
        /// The code of infinity. Dtypes without one, and limits beyond it, have no [Limit].
        private final long infinity;

        private record Pair(DType from, DType to) {
        }

        private Limit(int bits, long from, long infinity) {
            this.bits = bits;
            this.from = from;
            this.infinity = infinity;
        }

        /// Null if every finite number of the one dtype is within the other's, or the pair has no notion of it.
        static @Nullable Limit of(DType from, DType to) {
            return MADE.computeIfAbsent(new Pair(from, to), pair -> Optional.ofNullable(make(pair.from, pair.to)))
                    .orElse(null);
        }

        /// A BF16 is the upper half of an F32 and an F8_E5M2 that of an F16, so their limits are those of the wider
        /// dtype rounded up.
        private static @Nullable Limit make(DType from, DType to) {
            double limit = limit(to);
            Limit made = switch (from) {
                case F64 -> new Limit(64, Double.doubleToRawLongBits(limit), 0x7FF0L << 48);
                case F32 -> new Limit(32, singleAtLeast(limit), 0x7F80_0000L);
                case BF16 -> new Limit(16, (singleAtLeast(limit) + 0xFFFF) >>> 16, 0x7F80);
                case F16 -> new Limit(16, halfAtLeast(limit), 0x7C00);
                case F8_E5M2 -> new Limit(8, (halfAtLeast(limit) + 0xFF) >>> 8, 0x7C);
                default -> new Limit(8, 1, 0);
            };
            return made.from < made.infinity ? made : null;
        }

        /// The smallest magnitude that rounds past the largest number: half a step beyond it, where the tie goes to the even
        /// code, which is the next one but for F8_E4M3.
        private static double limit(DType to) {
            return switch (to) {
                case F32 -> 0x1.ffffffp127;
                case BF16 -> 0x1.ffp127;
                case F16 -> 65520;
                case F8_E5M2, F8_E5M2FNUZ -> 61440;
                case F8_E4M3 -> Math.nextUp(464.0);
                case F8_E4M3FNUZ -> 248;
                case F6_E3M2 -> 30;
                case F6_E2M3 -> 7.75;
                case F4 -> 7;
                default -> Double.POSITIVE_INFINITY;
            };
        }

        /// The code of the smallest F32 that is not below a limit.
        private static long singleAtLeast(double limit) {
            float nearest = (float) limit;
            return Float.floatToRawIntBits(nearest < limit ? Math.nextUp(nearest) : nearest);
        }

        /// The code of the smallest F16 that is not below a limit.
        private static long halfAtLeast(double limit) {
            int code = 0;
            while (code < 0x7C00 && Float.float16ToFloat((short) code) < limit) {
                code++;
            }
            return code;
        }

        /// How many there are among consecutive elements.
        ///
        /// @param offset the first byte, of an element
        long count(MemorySegment memory, long offset, long bytes) {
            long beyond = 0;
            for (long done = 0; done < bytes; done += STEP) {
                int step = (int) Math.min(STEP, bytes - done);
                beyond += bits == Long.SIZE ? longs(memory, offset + done, from, infinity, step / Long.BYTES)
                        : words(memory, offset + done, step);
            }
            return beyond;
        }

        /// Elements of at most 32 bits, as many to an int as fit; what does not fill one is looked at by itself.
        private long words(MemorySegment memory, long offset, int bytes) {
            int whole = bytes / Integer.BYTES;
            long beyond = switch (bits) {
                case 8 -> bytes(memory, offset, (int) from, (int) infinity, whole);
                case 16 -> shorts(memory, offset, (int) from, (int) infinity, whole);
                default -> ints(memory, offset, (int) from, (int) infinity, whole);
            };
            for (int at = whole * Integer.BYTES; at < bytes; at += bits / 8) {
                int element = bits == 8 ? memory.get(ValueLayout.JAVA_BYTE, offset + at) & 0x7F
                        : memory.get(SHORT, offset + at) & SIXTEEN_BIT_MAGNITUDE;
                beyond += isBeyond(element, (int) from, (int) infinity);
            }
            return beyond;
        }

        // Without branches, so that C2 makes vector code of each loop.

        private static int bytes(MemorySegment memory, long offset, int from, int infinity, int words) {
            int beyond = 0;
            for (int i = 0; i < words; i++) {
                int four = memory.get(INT, offset + 4L * i);
                beyond += isBeyond(four & 0x7F, from, infinity) + isBeyond(four >>> 8 & 0x7F, from, infinity)
                        + isBeyond(four >>> 16 & 0x7F, from, infinity) + isBeyond(four >>> 24 & 0x7F, from, infinity);
            }
            return beyond;
        }

        private static int shorts(MemorySegment memory, long offset, int from, int infinity, int words) {
            int beyond = 0;
            for (int i = 0; i < words; i++) {
                int two = memory.get(INT, offset + 4L * i);
                beyond += isBeyond(two & SIXTEEN_BIT_MAGNITUDE, from, infinity)
                        + isBeyond(two >>> 16 & SIXTEEN_BIT_MAGNITUDE, from, infinity);
            }
            return beyond;
        }

        private static int ints(MemorySegment memory, long offset, int from, int infinity, int words) {
            int beyond = 0;
            for (int i = 0; i < words; i++) {
                beyond += isBeyond(memory.get(INT, offset + 4L * i) & Integer.MAX_VALUE, from, infinity);
            }
            return beyond;
        }

        private static long longs(MemorySegment memory, long offset, long from, long infinity, int words) {
            long beyond = 0;
            for (int i = 0; i < words; i++) {
                long magnitude = memory.get(LONG, offset + 8L * i) & Long.MAX_VALUE;
                beyond += (from - 1 - magnitude) >>> 63 & (magnitude - infinity) >>> 63;
            }
            return beyond;
        }

        /// 1 if the magnitude is in `[from, infinity)`, else 0; none of them is negative.
        private static int isBeyond(int magnitude, int from, int infinity) {
            return (from - 1 - magnitude) >>> 31 & (magnitude - infinity) >>> 31;
        }
    }
}
