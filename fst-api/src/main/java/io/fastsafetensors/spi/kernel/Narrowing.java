package io.fastsafetensors.spi.kernel;

/// F32 → one float format of at most 16 bits, in vector code; the formats differ in nothing but these numbers. Not for
/// BF16, whose subnormals are F32's, and not for F8_E8M0, which has none.
final class Narrowing {
    private static final int F32_MANTISSA_BITS = 23;
    private static final int F32_BIAS = 127;

    private final int shift;
    private final int signShift;
    private final int sign;
    /// The bits of the smallest F32 that is a normal number of the target.
    private final int smallestNormal;
    /// What moves the exponent, less the half that rounds.
    private final int rebias;
    /// 1 ÷ the target's smallest number.
    private final float units;
    private final int overflow;
    private final int nan;
    private final int payload;
    /// All ones where negative zero exists.
    private final int signedZero;
    /// All ones where NaN has a sign.
    private final int signedNan;

    /// @param bits of the target's elements
    /// @param overflow what is too large becomes this
    /// @param nan the bits of the quiet NaN
    /// @param payloads whether NaN has more bits
    /// @param signedZero whether there is a negative zero
    /// @param signedNan whether NaN has a sign
    Narrowing(int bits, int mantissaBits, int bias, int overflow, int nan, boolean payloads, boolean signedZero,
            boolean signedNan) {
        this.shift = F32_MANTISSA_BITS - mantissaBits;
        this.signShift = Integer.SIZE - bits;
        this.sign = 1 << (bits - 1);
        this.smallestNormal = (F32_BIAS + 1 - bias) << F32_MANTISSA_BITS;
        this.rebias = ((F32_BIAS - bias) << F32_MANTISSA_BITS) - ((1 << (shift - 1)) - 1);
        this.units = Math.scalb(1f, bias - 1 + mantissaBits);
        this.overflow = overflow;
        this.nan = nan;
        this.payload = payloads ? (1 << mantissaBits) - 1 : 0;
        this.signedZero = signedZero ? -1 : 0;
        this.signedNan = signedNan ? -1 : 0;
    }

    /// F32 in [Scratch#lanes] → the target's elements in the low bits of each lane.
    void apply(Scratch scratch, int count) {
        scratch.lanesToFloats(count);
        roundSubnormals(scratch.floats, scratch.other, units, count);
        // Fields as locals, so that C2 sees that they do not change.
        narrow(scratch.lanes, scratch.other, count, shift, signShift, sign, smallestNormal, rebias, overflow, nan,
                payload, signedZero, signedNan);
    }

    /// In units of the target's smallest number. Adding and subtracting 1.5·2^23 rounds to an integer, ties to even.
    /// Right for what is subnormal in the target, and only that is used; F32's own subnormals are 0 there, so that a
    /// flush-to-zero mode set by foreign code changes nothing.
    private static void roundSubnormals(float[] floats, int[] out, float units, int count) {
        for (int i = 0; i < count; i++) {
            out[i] = (int) ((Math.abs(floats[i]) * units + 0x1.8p23f) - 0x1.8p23f);
        }
    }

    private static void narrow(int[] lanes, int[] subnormals, int count, int shift, int signShift, int sign,
            int smallestNormal, int rebias, int overflow, int nan, int payload, int signedZero, int signedNan) {
        for (int i = 0; i < count; i++) {
            int x = lanes[i];
            int magnitude = x & 0x7FFF_FFFF;
            int isSubnormal = (magnitude - smallestNormal) >> 31;
            int isNan = (0x7F80_0000 - magnitude) >> 31;
            int normal = (magnitude - rebias + (magnitude >>> shift & 1)) >>> shift;
            int number = Math.min((normal & ~isSubnormal) | (subnormals[i] & isSubnormal), overflow);
            int quiet = (magnitude >>> shift & payload) | nan;
            int minus = x >>> signShift & sign & (-number >> 31 | signedZero) & (~isNan | signedNan);
            lanes[i] = (number & ~isNan) | (quiet & isNan) | minus;
        }
    }
}
