package io.fastsafetensors.cli;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;

/// Sizes, speeds and times as people write and read them, the same in every locale.
public final class Sizes {
    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    private static final long[] POWERS_OF_TEN = {1, 10, 100, 1_000, 10_000, 100_000, 1_000_000};

    private Sizes() {
    }

    /// Reads `4096`, `512B`, `64KiB`, `1.5GB`: KB, MB, GB and TB are powers of 1000, KiB and so on of 1024.
    ///
    /// @throws UsageException if it is none of these, negative, or no long
    public static long parse(String option, String text) {
        String trimmed = text.strip();
        int digits = 0;
        while (digits < trimmed.length() && "0123456789.".indexOf(trimmed.charAt(digits)) >= 0) {
            digits++;
        }
        long unit = unit(trimmed.substring(digits).strip().toLowerCase(Locale.ROOT));
        if (digits > 0 && unit > 0) {
            try {
                return new BigDecimal(trimmed.substring(0, digits)).multiply(BigDecimal.valueOf(unit))
                        .setScale(0, RoundingMode.DOWN).longValueExact();
            } catch (ArithmeticException | NumberFormatException e) {
                throw notASize(option, text);
            }
        }
        throw notASize(option, text);
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

    private static long unit(String name) {
        return switch (name) {
            case "", "b" -> 1;
            case "kb" -> 1_000;
            case "mb" -> 1_000_000;
            case "gb" -> 1_000_000_000;
            case "tb" -> 1_000_000_000_000L;
            case "kib", "k" -> 1L << 10;
            case "mib", "m" -> 1L << 20;
            case "gib", "g" -> 1L << 30;
            case "tib", "t" -> 1L << 40;
            default -> 0;
        };
    }

    private static UsageException notASize(String option, String text) {
        return new UsageException(
                option + ": \"" + Json.printable(text) + "\" is no size; write 4096, 64KiB, 500MB or 8GiB");
    }
}
