package io.fastsafetensors.core.write;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;

/// JSON in UTF-8 as serde_json spells it: no spaces, and only `"`, `\` and control characters escaped. Not thread-safe.
///
/// Files are compared byte for byte with those of the reference, so nothing here may be spelled in another way that
/// JSON allows. The bytes are counted as they come: a header's cap is found out before it is made.
final class JsonBytes {
    /// The order of Rust's strings: by code point, which differs from Java's by UTF-16 unit above U+D7FF.
    static final Comparator<String> BY_CODE_POINT = JsonBytes::compare;

    /// Thrown when the text outgrows its cap; has no message, because the caller that set the cap knows what it means.
    static final class TooLong extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    /// Bytes; an array can have no more than that in any case.
    private final long cap;
    private byte[] bytes = new byte[1024];
    private int length;

    /// @param cap the most bytes that it takes
    JsonBytes(long cap) {
        this.cap = Math.min(cap, Integer.MAX_VALUE - 8);
    }

    /// Bytes so far; digests find their places in the text by it.
    int length() {
        return length;
    }

    /// A copy.
    byte[] toArray() {
        return Arrays.copyOf(bytes, length);
    }

    /// Appends ASCII as it stands.
    JsonBytes raw(String ascii) {
        reserve(ascii.length());
        for (int i = 0; i < ascii.length(); i++) {
            bytes[length++] = (byte) ascii.charAt(i);
        }
        return this;
    }

    /// As decimal digits.
    JsonBytes number(long value) {
        return raw(Long.toString(value));
    }

    /// Appends a JSON string.
    ///
    /// @throws IllegalArgumentException if it has a surrogate without its partner: there is no UTF-8 for that
    JsonBytes quoted(String text) {
        one('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < 0x80) {
                ascii(c);
            } else if (!Character.isSurrogate(c)) {
                character(c);
            } else
                if (Character.isHighSurrogate(c) && i + 1 < text.length()
                        && Character.isLowSurrogate(text.charAt(i + 1))) {
                            character(Character.toCodePoint(c, text.charAt(++i)));
                        } else {
                            throw new IllegalArgumentException("a lone surrogate at character " + i);
                        }
        }
        return one('"');
    }

    /// serde_json has short escapes for five control characters and numbers for the others; it escapes neither `/` nor
    /// DEL.
    private void ascii(char c) {
        switch (c) {
            case '"', '\\' -> one('\\').one(c);
            case '\b' -> raw("\\b");
            case '\f' -> raw("\\f");
            case '\n' -> raw("\\n");
            case '\r' -> raw("\\r");
            case '\t' -> raw("\\t");
            default -> {
                if (c < 0x20) {
                    raw("\\u00").one(HEX[c >>> 4]).one(HEX[c & 15]);
                } else {
                    one(c);
                }
            }
        }
    }

    /// UTF-8 of two to four bytes.
    private void character(int codePoint) {
        if (codePoint < 0x800) {
            one(0xC0 | codePoint >>> 6);
        } else if (codePoint < 0x10000) {
            one(0xE0 | codePoint >>> 12).continued(codePoint >>> 6);
        } else {
            one(0xF0 | codePoint >>> 18).continued(codePoint >>> 12).continued(codePoint >>> 6);
        }
        continued(codePoint);
    }

    private JsonBytes continued(int sixBits) {
        return one(0x80 | (sixBits & 0x3F));
    }

    private JsonBytes one(int value) {
        reserve(1);
        bytes[length++] = (byte) value;
        return this;
    }

    /// The array doubles up to the cap.
    ///
    /// @throws TooLong if the text would be longer than its cap
    private void reserve(int more) {
        long needed = (long) length + more;
        if (needed > cap) {
            throw new TooLong();
        }
        if (needed > bytes.length) {
            bytes = Arrays.copyOf(bytes, (int) Math.min(cap, Math.max(needed, 2L * bytes.length)));
        }
    }

    /// UTF-16 orders surrogates below U+E000 and code points above U+FFFF above it; everything else is alike.
    private static int compare(String a, String b) {
        int shorter = Math.min(a.length(), b.length());
        for (int i = 0; i < shorter; i++) {
            char x = a.charAt(i);
            char y = b.charAt(i);
            if (x != y) {
                // Surrogates stand for code points above every other character.
                boolean high = Character.isSurrogate(x);
                return high == Character.isSurrogate(y) ? Character.compare(x, y) : high ? 1 : -1;
            }
        }
        return Integer.compare(a.length(), b.length());
    }
}
