package io.fastsafetensors.cli;

import io.fastsafetensors.types.ByteSize;

/// Sizes, speeds and times as people write and read them, the same in every locale.
public final class Sizes {
    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    private static final long[] POWERS_OF_TEN = {1, 10, 100, 1_000, 10_000, 100_000, 1_000_000};

    private Sizes() {
    }

    /// See [ByteSize#parse(String)].
    ///
    /// @throws UsageException if it is no size
    public static long parse(String option, String text) {
        try {
            return ByteSize.parse(text);
        } catch (IllegalArgumentException e) {
            throw new UsageException(option + ": " + SafeText.printable(String.valueOf(e.getMessage())));
        }
    }

    /// `512 B`, `1.5 KiB`, `8.0 GiB`.
    public static String human(long bytes) {
        int unit = 0;
        long scale = 1;
        while (unit < UNITS.length - 1 && bytes / scale >= 1024) {
            scale <<= 10;
            unit++;
        }
        return unit == 0 ? bytes + " B" : fixed((double) bytes / scale, bytes / scale < 10 ? 2 : 1) + " " + UNITS[unit];
    }

    /// `2.38 GB/s`, in powers of 1000 as storage is sold.
    static String speed(long bytes, double seconds) {
        return seconds <= 0 ? "- GB/s" : fixed(bytes / 1e9 / seconds, 2) + " GB/s";
    }

    /// `0.45 s`, `12 ms`.
    public static String time(double seconds) {
        return seconds < 0.1 ? fixed(seconds * 1e3, 1) + " ms" : fixed(seconds, 2) + " s";
    }

    /// A number with exactly `digits` (0 to 6) digits after the point.
    public static String fixed(double value, int digits) {
        if (!Double.isFinite(value) || Math.abs(value) > 1e12) {
            return Double.toString(value);
        }
        long power = POWERS_OF_TEN[digits];
        long scaled = Math.round(Math.abs(value) * power);
        String sign = value < 0 && scaled != 0 ? "-" : "";
        if (digits == 0) {
            return sign + scaled;
        }
        String fraction = Long.toString(scaled % power);
        return sign + scaled / power + "." + "0".repeat(digits - fraction.length()) + fraction;
    }

    /// `1 tensor`, `2 tensors`, `128,256 tensors`.
    static String count(long number, String noun) {
        StringBuilder digits = new StringBuilder(Long.toString(number));
        for (int i = digits.length() - 3; i > 0; i -= 3) {
            digits.insert(i, ',');
        }
        return digits.append(' ').append(noun).append(number == 1 ? "" : "s").toString();
    }
}
