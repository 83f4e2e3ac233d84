package io.fastsafetensors.cli;

import java.io.PrintStream;

/// The streams that a command prints to.
///
/// @param out results
/// @param err errors and progress
/// @param outTerminal the terminal that shows `out`
/// @param errTerminal the terminal that shows `err`
public record Screen(PrintStream out, PrintStream err, Terminal outTerminal, Terminal errTerminal) {
    /// A look of text on a terminal.
    public enum Style {
        PLAIN(""), STRONG("1"), FAINT("2"), GOOD("32"), BAD("31");

        private final String code;

        Style(String code) {
            this.code = code;
        }

        String apply(String text, Terminal terminal) {
            return !terminal.colours() || this == PLAIN ? text : "\u001b[" + code + "m" + text + "\u001b[0m";
        }
    }

    /// Streams that nobody watches.
    public static Screen unwatched(PrintStream out, PrintStream err) {
        return new Screen(out, err, Terminal.NONE, Terminal.NONE);
    }

    /// `text` for `out` in a style, or as it is where there are no colours.
    String styled(Style style, String text) {
        return style.apply(text, outTerminal);
    }
}
