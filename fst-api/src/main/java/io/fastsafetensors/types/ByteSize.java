package io.fastsafetensors.types;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Numbers of bytes as people write them.
public final class ByteSize {
    private ByteSize() {
    }

    /// Reads `4096`, `512B`, `64KiB`, `1.5GB`: KB, MB, GB and TB are powers of 1000, KiB and so on of 1024, and so are
    /// K, M, G and T alone. Fractions of a byte are dropped.
    ///
    /// @throws IllegalArgumentException if it is none of these, negative, or no long
    public static long parse(String text) {
        Objects.requireNonNull(text, "text");
        String trimmed = text.strip();
        int digits = 0;
        while (digits < trimmed.length() && "0123456789.".indexOf(trimmed.charAt(digits)) >= 0) {
            digits++;
        }
        long unit = unit(trimmed.substring(digits).strip().toLowerCase(Locale.ROOT));
        if (digits == 0 || unit == 0) {
            throw notASize(text, null);
        }
        try {
            return new BigDecimal(trimmed.substring(0, digits)).multiply(BigDecimal.valueOf(unit))
                    .setScale(0, RoundingMode.DOWN).longValueExact();
        } catch (ArithmeticException | NumberFormatException e) {
            throw notASize(text, e);
        }
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

    private static IllegalArgumentException notASize(String text, @Nullable RuntimeException cause) {
        return new IllegalArgumentException("\"" + text + "\" is no size; write 4096, 64KiB, 500MB or 8GiB", cause);
    }
}
