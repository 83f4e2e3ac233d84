package io.fastsafetensors.testkit.reference;

import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;

/// Computes the results of [io.fastsafetensors.spi.Kernels], element by element, as the reference. Stateless.
///
/// Where the contract leaves a choice, this class decides, and every backend follows:
///
/// * Equal dtypes are copied bit for bit: a signalling NaN stays one, a BOOL of 7 stays 7.
/// * The one NaN of a dtype without payloads (F8_E4M3, both FNUZ, F8_E8M0) becomes the quiet NaN without a further
///   payload; its sign is kept from F8_E4M3 and positive from the others, which have no signed NaN.
public final class ScalarReference {
    private static final int SMALLEST_POWER = -127;
    private static final int LARGEST_POWER = 127;
    private static final long SCALE_NAN = 0xFF;

    private ScalarReference() {
    }

    /// Whether the contract gives the pair a meaning: all but those of C64 with another dtype.
    public static boolean converts(DType from, DType to) {
        return from == to || (from != DType.C64 && to != DType.C64);
    }

    /// Converts one raw element.
    ///
    /// @param raw the element, in the low bits
    /// @return the converted element, the bits above it 0
    /// @throws IllegalArgumentException for C64 with another dtype
    public static long convert(DType from, long raw, DType to) {
        if (from == to) {
            return raw;
        }
        if (!converts(from, to)) {
            throw new IllegalArgumentException("C64 converts only to itself, not " + from + " to " + to);
        }
        Exact value = decode(from, raw);
        return switch (to.kind()) {
            case BOOL -> value.isZero() ? 0 : 1;
            case UNSIGNED -> unsigned(value, to.bits());
            case SIGNED -> signed(value, to.bits());
            default -> to == DType.F8_E8M0 ? scale(value) : ReferenceFormat.of(to).encode(value);
        };
    }

    /// Converts consecutive elements, from the start of one segment to the start of the other.
    public static void convert(MemorySegment source, DType from, MemorySegment target, DType to, long elements) {
        for (long i = 0; i < elements; i++) {
            Elements.set(target, to, i, convert(from, Elements.get(source, from, i), to));
        }
    }

    /// Gathers a view into consecutive elements, row-major, converting each.
    public static void gather(MemorySegment source, DType from, Strided view, MemorySegment target, DType to) {
        Shape shape = view.shape();
        long count = shape.elements();
        long[] index = new long[shape.rank()];
        for (long i = 0; i < count; i++) {
            long element = view.offset();
            for (int d = 0; d < index.length; d++) {
                element += index[d] * view.stride(d);
            }
            Elements.set(target, to, i, convert(from, Elements.get(source, from, element), to));
            for (int d = index.length - 1; d >= 0 && ++index[d] == shape.dim(d); d--) {
                index[d] = 0;
            }
        }
    }

    private static Exact decode(DType from, long raw) {
        return switch (from.kind()) {
            case BOOL -> Exact.finite(false, raw == 0 ? 0 : 1, 0);
            case UNSIGNED -> Exact.finite(false, raw, 0);
            case SIGNED -> {
                int unused = 64 - from.bits();
                long number = raw << unused >> unused;
                yield Exact.finite(number < 0, number < 0 ? -number : number, 0);
            }
            default -> {
                if (from == DType.F8_E8M0) {
                    yield raw == SCALE_NAN ? Exact.nan(false, 0) : Exact.finite(false, 1, (int) raw + SMALLEST_POWER);
                }
                yield ReferenceFormat.of(from).decode(raw);
            }
        };
    }

    private static long unsigned(Exact value, int bits) {
        if (value.isNan() || value.negative()) {
            return 0;
        }
        long most = bits == 64 ? -1L : (1L << bits) - 1;
        long number = whole(value);
        return Long.compareUnsigned(number, most) > 0 ? most : number;
    }

    private static long signed(Exact value, int bits) {
        if (value.isNan()) {
            return 0;
        }
        long most = (1L << (bits - 1)) - 1 + (value.negative() ? 1 : 0);
        long number = whole(value);
        long bounded = Long.compareUnsigned(number, most) > 0 ? most : number;
        return (value.negative() ? -bounded : bounded) & -1L >>> (64 - bits);
    }

    /// The magnitude rounded to an integer; all 64 bits set if it is larger than that.
    private static long whole(Exact value) {
        if (value.isInfinite()) {
            return -1;
        }
        if (value.exponent() < 0) {
            return Exact.roundedShift(value.magnitude(), -value.exponent());
        }
        boolean fits = value.exponent() <= Long.numberOfLeadingZeros(value.magnitude());
        return value.isZero() ? 0 : fits ? value.magnitude() << value.exponent() : -1;
    }

    private static long scale(Exact value) {
        if (value.kind() != Exact.Kind.FINITE) {
            return SCALE_NAN;
        }
        if (value.isZero()) {
            return 0;
        }
        int power = value.leadingPower();
        int code = Math.clamp((long) power, SMALLEST_POWER - 1, LARGEST_POWER) - SMALLEST_POWER;
        // The fraction's first bit says whether the value reaches 1.5 × 2^power, the middle of the two codes.
        long fraction = value.magnitude() << 1 << Long.numberOfLeadingZeros(value.magnitude());
        int side = Long.compareUnsigned(fraction, Long.MIN_VALUE);
        boolean up = side > 0 || (side == 0 && (code & 1) == 1);
        return Math.clamp((long) (up ? code + 1 : code), 0, LARGEST_POWER - SMALLEST_POWER);
    }
}
