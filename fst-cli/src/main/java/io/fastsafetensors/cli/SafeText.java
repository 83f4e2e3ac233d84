package io.fastsafetensors.cli;

/// Text made safe to print: names come from untrusted files, and must neither forge a row nor command a terminal.
final class SafeText {
    private static final String HEX = "0123456789abcdef";

    private SafeText() {
    }

    /// `text` as a JSON string. Control characters, format characters (such as those that turn the direction of
    /// writing) and lone surrogates become `\\uXXXX`; all other characters stay.
    static String quote(String text) {
        StringBuilder out = new StringBuilder(text.length() + 2).append('"');
        for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
            int codePoint = text.codePointAt(i);
            if (codePoint == '"' || codePoint == '\\') {
                out.append('\\').append((char) codePoint);
            } else {
                append(out, codePoint);
            }
        }
        return out.append('"').toString();
    }

    /// `text` without quotes: only what [#quote(String)] writes as `\\uXXXX` is changed.
    static String printable(String text) {
        if (isPlain(text)) {
            return text;
        }
        StringBuilder out = new StringBuilder(text.length() + 16);
        for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
            append(out, text.codePointAt(i));
        }
        return out.toString();
    }

    private static boolean isPlain(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < 0x20 || c > 0x7E) {
                return false;
            }
        }
        return true;
    }

    private static void append(StringBuilder out, int codePoint) {
        if (isSafe(codePoint)) {
            out.appendCodePoint(codePoint);
        } else {
            for (char c : Character.toChars(codePoint)) {
                out.append("\\u");
                for (int shift = 12; shift >= 0; shift -= 4) {
                    out.append(HEX.charAt(c >>> shift & 15));
                }
            }
        }
    }

    private static boolean isSafe(int codePoint) {
        if (codePoint < 0x7F) {
            return codePoint >= 0x20;
        }
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR ->
                    false;
            default -> true;
        };
    }
}
