package io.fastsafetensors.error;

/// Text from a file, made safe to show: names and metadata are data, never terminal commands.
public final class Printable {
    private static final int LONGEST = 512;

    private Printable() {
    }

    /// `text` with control, format and surrogate characters written as `\\uXXXX` and cut after 512 characters.
    public static String escape(String text) {
        StringBuilder out = new StringBuilder(text.length());
        for (int i = 0; i < text.length() && i < LONGEST; i++) {
            char c = text.charAt(i);
            if (Character.isISOControl(c) || Character.getType(c) == Character.FORMAT || loneSurrogate(text, i)) {
                out.append("\\u").append(String.format("%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return text.length() > LONGEST ? out.append("… (").append(text.length()).append(" characters)").toString()
                : out.toString();
    }

    private static boolean loneSurrogate(String text, int i) {
        char c = text.charAt(i);
        if (Character.isHighSurrogate(c)) {
            return i + 1 == text.length() || !Character.isLowSurrogate(text.charAt(i + 1));
        }
        return Character.isLowSurrogate(c) && (i == 0 || !Character.isHighSurrogate(text.charAt(i - 1)));
    }
}
