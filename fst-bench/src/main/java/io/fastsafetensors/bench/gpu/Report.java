package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.cli.Cell;
import io.fastsafetensors.cli.Samples;
import io.fastsafetensors.cli.Screen;
import io.fastsafetensors.cli.Sizes;
import io.fastsafetensors.cli.Table;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Collects arms and rows, prints them as two tables and writes both as tab-separated values. Not thread-safe.
final class Report {
    /// The verdict on a row.
    enum Verdict {
        /// The figure reaches the bar.
        PASS,
        /// It does not, or could not be taken though it should.
        FAIL,
        /// There is no bar, or nothing here to measure it with.
        NONE
    }

    /// A requirement and what was measured for it.
    ///
    /// @param what the requirement
    /// @param bar what is asked
    /// @param figure what was found
    /// @param verdict whether that is enough
    private record Row(String what, String bar, String figure, Verdict verdict) {
    }

    private final Screen screen;
    private final List<Samples> arms = new ArrayList<>();
    private final List<Row> rows = new ArrayList<>();

    Report(Screen screen) {
        this.screen = screen;
    }

    /// A line on how things go.
    void say(String line) {
        screen.out().println(line);
        screen.out().flush();
    }

    /// Takes an arm and prints it.
    void arm(Samples samples) {
        if (samples.count() == 0) {
            throw new IllegalStateException("no round of " + samples.name());
        }
        arms.add(samples);
        say("  " + samples.name() + ": " + number(samples.median()) + " " + samples.unit() + " ("
                + number(samples.min())
                + "–" + number(samples.max()) + ", " + samples.count() + " rounds)");
    }

    /// A row whose figure must be `bar` or more.
    void atLeast(String what, double bar, double value, String unit) {
        row(what, "≥ " + number(bar) + unit, number(value) + unit, value >= bar);
    }

    /// A row whose figure must be `bar` or less.
    void atMost(String what, double bar, double value, String unit) {
        row(what, "≤ " + number(bar) + unit, number(value) + unit, value <= bar);
    }

    /// A row that holds or does not.
    void row(String what, String bar, String figure, boolean holds) {
        rows.add(new Row(what, bar, figure, holds ? Verdict.PASS : Verdict.FAIL));
    }

    /// A figure without a bar.
    void fact(String what, String figure) {
        rows.add(new Row(what, "", figure, Verdict.NONE));
    }

    /// A row that cannot be measured here.
    void notApplicable(String what, String reason) {
        say("  " + what + ": not measured: " + reason);
        rows.add(new Row(what, "", "not measured: " + reason, Verdict.NONE));
    }

    /// Whether some row does not hold.
    boolean isFailed() {
        return rows.stream().anyMatch(row -> row.verdict == Verdict.FAIL);
    }

    /// Prints the rows, and writes `arms.tsv` and `rows.tsv` into a directory.
    void finish(Path directory) throws IOException {
        Table table = new Table("what", "verdict", "bar", "figure");
        for (Row row : rows) {
            table.add(Cell.text(row.what), verdict(row.verdict), Cell.text(row.bar), Cell.text(row.figure));
        }
        Table measured = new Table("arm", "unit", "rounds", "median", "min", "max");
        for (Samples arm : arms) {
            measured.add(Cell.text(arm.name()), Cell.text(arm.unit()), Cell.number(arm.count()), decimal(arm.median()),
                    decimal(arm.min()), decimal(arm.max()));
        }
        say("");
        table.print(Table.Format.TEXT, screen);
        screen.out().flush();
        Files.createDirectories(directory);
        write(table, directory.resolve("rows.tsv"));
        write(measured, directory.resolve("arms.tsv"));
    }

    private static void write(Table table, Path file) throws IOException {
        try (PrintStream out = new PrintStream(Files.newOutputStream(file), false, StandardCharsets.UTF_8)) {
            table.print(Table.Format.TSV, Screen.unwatched(out, out));
        }
    }

    private static Cell verdict(Verdict verdict) {
        return switch (verdict) {
            case PASS -> Cell.text("pass", Screen.Style.GOOD);
            case FAIL -> Cell.text("FAIL", Screen.Style.BAD);
            case NONE -> Cell.text("");
        };
    }

    private static Cell decimal(double value) {
        return Cell.decimal(value, number(value));
    }

    /// Three digits that matter.
    static String number(double value) {
        double magnitude = Math.abs(value);
        return Sizes.fixed(value, magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : magnitude >= 1 ? 2 : 3);
    }
}
