package io.fastsafetensors.spi.kernel;

/// Rounding of magnitudes, which are unsigned longs.
final class Rounding {
    private Rounding() {
    }

    /// `magnitude / 2^shift`, rounded to nearest, ties to even.
    ///
    /// @param shift from 0 to any positive number
    static long shiftRight(long magnitude, int shift) {
        if (shift == 0) {
            return magnitude;
        }
        if (shift > Long.SIZE) {
            return 0;
        }
        long quotient = shift == Long.SIZE ? 0 : magnitude >>> shift;
        long remainder = magnitude << (Long.SIZE - shift);
        int half = Long.compareUnsigned(remainder, Long.MIN_VALUE);
        return half > 0 || (half == 0 && (quotient & 1) != 0) ? quotient + 1 : quotient;
    }

    /// `magnitude / 2^shift`, rounded to odd: cut off, with the last bit set if anything was lost.
    ///
    /// @param shift from 0 to any positive number
    static long oddShiftRight(long magnitude, int shift) {
        if (shift == 0) {
            return magnitude;
        }
        if (shift >= Long.SIZE) {
            return magnitude == 0 ? 0 : 1;
        }
        long lost = magnitude << (Long.SIZE - shift);
        return magnitude >>> shift | (lost | -lost) >>> (Long.SIZE - 1);
    }

    /// The position of the highest bit, −1 for 0.
    static int leadingBit(long magnitude) {
        return Long.SIZE - 1 - Long.numberOfLeadingZeros(magnitude);
    }
}
