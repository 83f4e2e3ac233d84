package io.fastsafetensors.core.header;

/// The reference implementation's view of JSON numbers, computed on their text without allocating.
final class JsonNumbers {
    // Above this, one more decimal digit may not fit 64 bits.
    private static final long MAX_TENTH = Long.divideUnsigned(-1L, 10);
    private static final int MAX_LAST_DIGIT = 5;
    private static final double[] POWERS = new double[309];

    static {
        for (int i = 0; i < POWERS.length; i++) {
            POWERS[i] = Double.parseDouble("1e" + i);
        }
    }

    private JsonNumbers() {
    }

    /// Whether `digits × 10 + digit` exceeds unsigned 64 bits.
    static boolean overflows(long digits, int digit) {
        int order = Long.compareUnsigned(digits, MAX_TENTH);
        return order > 0 || (order == 0 && digit > MAX_LAST_DIGIT);
    }

    /// Whether a valid JSON number is one that the reference reads at all. It refuses what overflows a double by its
    /// own way of computing, which is not exactly rounded; so the same steps are taken here: up to 64 bits of digits,
    /// then a scale by powers of ten.
    static boolean isReadable(char[] text, int offset, int length) {
        int end = offset + length;
        int at = text[offset] == '-' ? offset + 1 : offset;
        long digits = 0;
        while (at < end && isDigit(text[at]) && !overflows(digits, text[at] - '0')) {
            digits = digits * 10 + (text[at++] - '0');
        }
        if (at == end) {
            return true;
        }
        int exponent = 0;
        for (; at < end && isDigit(text[at]); at++) {
            exponent++;
        }
        if (at < end && text[at] == '.') {
            at++;
            for (; at < end && isDigit(text[at]) && !overflows(digits, text[at] - '0'); at++) {
                digits = digits * 10 + (text[at] - '0');
                exponent--;
            }
            while (at < end && isDigit(text[at])) {
                at++;
            }
        }
        return at == end ? isFinite(digits, exponent) : isFinite(digits, exponent, text, at + 1, end);
    }

    private static boolean isFinite(long digits, int exponent, char[] text, int offset, int end) {
        boolean negative = text[offset] == '-';
        int at = negative || text[offset] == '+' ? offset + 1 : offset;
        long power = 0;
        for (; at < end; at++) {
            power = power * 10 + (text[at] - '0');
            if (power > Integer.MAX_VALUE) {
                return negative || digits == 0;
            }
        }
        long sum = exponent + (negative ? -power : power);
        return isFinite(digits, Math.clamp(sum, Integer.MIN_VALUE + 1, Integer.MAX_VALUE));
    }

    private static boolean isFinite(long digits, int exponent) {
        if (exponent <= 0 || digits == 0) {
            return true;
        }
        if (exponent >= POWERS.length) {
            return false;
        }
        return Double.isFinite(unsignedToDouble(digits) * POWERS[exponent]);
    }

    private static double unsignedToDouble(long value) {
        // The lowest bit is kept in the half, so that halving does not round.
        return value >= 0 ? value : ((value >>> 1) | (value & 1)) * 2.0;
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }
}
