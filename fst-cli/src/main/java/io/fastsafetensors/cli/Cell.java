package io.fastsafetensors.cli;

import java.util.List;
import java.util.stream.Collectors;

/// A value in a table, in three spellings.
///
/// @param text for people
/// @param tsv for scripts: no tab, no line break
/// @param json a JSON value
/// @param style how the text looks on a terminal
public record Cell(String text, String tsv, String json, Screen.Style style) {
    /// Plain text: a path, a word, a sentence.
    public static Cell text(String value) {
        return text(value, Screen.Style.PLAIN);
    }

    /// Plain text, styled.
    public static Cell text(String value, Screen.Style style) {
        String printable = SafeText.printable(value);
        return new Cell(printable, printable, SafeText.quote(value), style);
    }

    /// Several sentences: an array for scripts that read JSON.
    static Cell texts(List<String> values) {
        String joined = SafeText.printable(String.join("; ", values));
        return new Cell(joined, joined, values.stream().map(SafeText::quote).collect(Collectors.joining(",", "[", "]")),
                Screen.Style.PLAIN);
    }

    /// A tensor's name: a JSON string for scripts, so that any name can be told from any other.
    static Cell name(String value) {
        String quoted = SafeText.quote(value);
        return new Cell(SafeText.printable(value), quoted, quoted, Screen.Style.PLAIN);
    }

    /// A number, the same everywhere.
    public static Cell number(long value) {
        String digits = Long.toString(value);
        return new Cell(digits, digits, digits, Screen.Style.PLAIN);
    }

    /// A number of bytes: with a unit for people.
    static Cell bytes(long value) {
        String digits = Long.toString(value);
        return new Cell(value < 0 ? "unknown" : Sizes.human(value), digits, digits, Screen.Style.PLAIN);
    }

    /// Seconds or a rate: six decimals for scripts.
    public static Cell decimal(double value, String text) {
        String digits = Sizes.fixed(value, 6);
        return new Cell(text, digits, digits, Screen.Style.PLAIN);
    }

    /// A JSON value that is its own spelling, such as `[2,3]`.
    static Cell json(String value) {
        return new Cell(value, value, value, Screen.Style.PLAIN);
    }

    /// Yes or no.
    static Cell yesNo(boolean value) {
        String word = value ? "yes" : "no";
        return new Cell(word, word, Boolean.toString(value), value ? Screen.Style.GOOD : Screen.Style.BAD);
    }
}
