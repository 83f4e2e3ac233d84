package io.fastsafetensors.cli;

import java.io.PrintStream;

/// Where a command prints.
///
/// @param out results
/// @param err errors and progress
/// @param terminal whether somebody watches: then there are colours and a progress bar
public record Screen(PrintStream out, PrintStream err, boolean terminal) {
    /// How a piece of text looks on a terminal.
    public enum Style {
        PLAIN(""), STRONG("1"), FAINT("2"), GOOD("32"), BAD("31");

        private final String code;

        Style(String code) {
            this.code = code;
        }
    }

    /// `text` in a style, or as it is where nobody watches.
    String styled(Style style, String text) {
        return !terminal || style == Style.PLAIN ? text : "\u001b[" + style.code + "m" + text + "\u001b[0m";
    }
}
