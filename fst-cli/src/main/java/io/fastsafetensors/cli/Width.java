package io.fastsafetensors.cli;

/// The columns that text takes on a terminal, by the East Asian width of its characters (Unicode Standard Annex 11): two for
/// wide ones, none for marks that combine with the character before.
final class Width {
    private static final String ELLIPSIS = "…";
    // First and last code points of the wide blocks.
    private static final int[][] WIDE = {{0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0xA4CF}, {0xA960, 0xA97F},
        {0xAC00, 0xD7A3}, {0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F},
        {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};

    private Width() {
    }

    /// The columns of a text.
    static int of(String text) {
        int columns = 0;
        for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
            columns += of(text.codePointAt(i));
        }
        return columns;
    }

    private static int of(int codePoint) {
        if (codePoint < 0x300) {
            return 1;
        }
        return switch (Character.getType(codePoint)) {
            case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.FORMAT -> 0;
            default -> isWide(codePoint) ? 2 : 1;
        };
    }

    private static boolean isWide(int codePoint) {
        for (int[] block : WIDE) {
            if (codePoint >= block[0] && codePoint <= block[1]) {
                return true;
            }
        }
        return false;
    }

    /// The text in at most `columns` columns: one that is longer loses its middle, since names differ at their ends.
    static String cut(String text, int columns) {
        if (of(text) <= columns) {
            return text;
        }
        int head = (columns - 1) / 2;
        int begin = 0;
        for (int used = 0; used + of(text.codePointAt(begin)) <= head;) {
            used += of(text.codePointAt(begin));
            begin += Character.charCount(text.codePointAt(begin));
        }
        int end = text.length();
        for (int used = 0; used + of(text.codePointBefore(end)) <= columns - 1 - head;) {
            used += of(text.codePointBefore(end));
            end -= Character.charCount(text.codePointBefore(end));
        }
        return text.substring(0, begin) + ELLIPSIS + text.substring(end);
    }
}
