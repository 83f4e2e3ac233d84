package io.fastsafetensors.core.header;

import java.math.BigDecimal;
import org.jspecify.annotations.Nullable;

/// Represents the `total_size` of an index, which writers spell as an integer, a float, an exponent or a text of digits.
///
/// @param text how it is spelled
/// @param value the number; null if it is none that is whole
record TotalSize(String text, @Nullable BigDecimal value) {
    /// No sum of bytes has more digits; and reading a number takes time by the square of its digits.
    private static final int LONGEST = 1000;

    /// A JSON number.
    static TotalSize number(String text) {
        BigDecimal value = null;
        if (text.length() <= LONGEST) {
            try {
                value = new BigDecimal(text);
            } catch (NumberFormatException e) {
                // An exponent that no number of bytes has.
                return new TotalSize(text, null);
            }
        }
        boolean whole = value != null && value.signum() >= 0 && value.stripTrailingZeros().scale() <= 0;
        return new TotalSize(text, whole ? value : null);
    }

    /// A JSON text.
    static TotalSize text(String text) {
        boolean digits = !text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9');
        return new TotalSize('"' + text + '"', digits ? number(text).value() : null);
    }

    /// Another kind of value.
    static TotalSize other(String kind) {
        return new TotalSize(kind, null);
    }

    boolean isWhole() {
        return value != null;
    }

    boolean is(BigDecimal bytes) {
        return value != null && value.compareTo(bytes) == 0;
    }
}
