package io.fastsafetensors.cli;

import io.fastsafetensors.cli.ffm.FileCalls;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// `fst bench`: how fast a checkpoint loads, of what limit, and what bounds it; `fst bench compare` tells which arms of two
/// results differ.
final class BenchCommand implements Command {
    /// The most rounds of an arm; comparing takes time with their fourth power.
    static final int MOST_ROUNDS = 50;

    private static final double FIRST_QUARTILE = 0.25;
    private static final double THIRD_QUARTILE = 0.75;
    private static final String COMPARE = "compare";
    private static final String DEVICE = "--device";
    private static final String BACKEND = "--backend";
    private static final String ROUNDS = "--rounds";
    private static final String OUT = "--out";
    private static final String HTML = "--html";
    private static final String BASELINE = "--baseline";
    private static final String COLD = "--cold";
    private static final String WARM = "--warm";
    private static final String DEFAULT_ROUNDS = "7";

    @Override
    public void describe(Syntax syntax) {
        syntax.paths(1, Integer.MAX_VALUE, List.of(COMPARE),
                "files, directories or index files, loaded one after the other and measured together; or compare A B:"
                        + " two results of --out (./compare is a directory of that name)");
        syntax.value(DEVICE, "DEVICE", "cpu (default), cuda:0, rocm:0, opencl:0, gpu:0 or auto");
        syntax.values(BACKEND, "NAME", "a backend to measure (default: each that works with the device)");
        syntax.value(ROUNDS, "N", "rounds, in each of which every arm is measured once (default 7, at most 50)");
        syntax.flag(COLD, "measure only with a cold page cache; an error where it cannot be made cold");
        syntax.flag(WARM, "measure only with a warm page cache (default: both)");
        syntax.value(OUT, "FILE", "write the result, with every round, for fst bench compare and --baseline");
        syntax.value(HTML, "FILE", "write a page with charts, which needs no other file");
        syntax.value(BASELINE, "FILE", "a result of --out from before, to compare with");
        OpenFlags.describe(syntax);
        syntax.format();
    }

    @Override
    public int run(Line line, Screen screen) {
        if (line.paths().getFirst().equals(COMPARE)) {
            compare(line, screen);
        } else {
            measure(line, screen);
        }
        return 0;
    }

    private static void compare(Line line, Screen screen) {
        if (line.paths().size() != 3) {
            throw new UsageException("compare needs two results of --out: fst bench compare A B");
        }
        for (String option : List.of(DEVICE, BACKEND, ROUNDS, COLD, WARM, OUT, BASELINE)) {
            if (line.isSet(option)) {
                throw new UsageException(option + " does not belong to fst bench compare");
            }
        }
        Table.Format format = line.format();
        Optional<Path> html = file(line, HTML);
        BenchResult a = BenchResult.read(Line.path(line.paths().get(1)));
        BenchResult b = BenchResult.read(Line.path(line.paths().get(2)));
        BenchComparison comparison = BenchComparison.of(a, b);
        print(comparison, format, screen);
        html.ifPresent(file -> TextFile.write(file, new BenchPage(b, Optional.of(a), Optional.of(comparison)).html()));
    }

    private static void measure(Line line, Screen screen) {
        Table.Format format = line.format();
        int rounds = line.read(ROUNDS, DEFAULT_ROUNDS, Integer::parseInt);
        if (rounds < 1 || rounds > MOST_ROUNDS) {
            throw new UsageException(ROUNDS + ": from 1 to " + MOST_ROUNDS);
        }
        Device device = line.read(DEVICE, "cpu", Device::parse);
        Optional<Path> out = file(line, OUT);
        Optional<Path> html = file(line, HTML);
        Optional<BenchResult> baseline = Optional.ofNullable(line.value(BASELINE)).map(Line::path)
                .map(BenchResult::read);
        BenchResult result;
        try (ProgressBar bar = new ProgressBar("measuring", screen);
                BenchRun run = new BenchRun(line.paths().stream().map(Line::location).toList(), OpenFlags.of(line),
                        device, line.values(BACKEND), FileCalls.ofProcess())) {
            baseline.ifPresent(before -> BenchComparison.requireComparable(before.facts(), run.facts()));
            result = run.run(rounds, states(line), bar);
        }
        result.notes().forEach(note -> screen.err().println("fst bench: note: " + SafeText.printable(note)));
        Optional<BenchComparison> comparison = baseline.map(before -> BenchComparison.of(before, result));
        print(result, format, screen);
        if (format == Table.Format.TEXT) {
            comparison.ifPresent(both -> print(both, format, screen));
        }
        out.ifPresent(file -> TextFile.write(file, result.text()));
        html.ifPresent(file -> TextFile.write(file, new BenchPage(result, baseline, comparison).html()));
    }

    /// The states of the page cache to measure in.
    private static Set<BenchArm.State> states(Line line) {
        Set<BenchArm.State> states = EnumSet.noneOf(BenchArm.State.class);
        if (line.isSet(COLD)) {
            states.add(BenchArm.State.COLD);
        }
        if (line.isSet(WARM)) {
            states.add(BenchArm.State.WARM);
        }
        return states.isEmpty() ? BenchRun.ANY_STATE : states;
    }

    private static Optional<Path> file(Line line, String option) {
        Optional<Path> file = Optional.ofNullable(line.value(option)).map(Line::path);
        file.ifPresent(each -> TextFile.requireWritable(option, each));
        return file;
    }

    private static void print(BenchResult result, Table.Format format, Screen screen) {
        List<BenchVerdict> verdicts = BenchVerdict.of(result);
        if (format == Table.Format.TEXT) {
            Table table = new Table("GB/s", "least", "middle half", "most", "cached", "arm").alignRight("GB/s", "least",
                    "middle half", "most", "cached").wrapLast();
            for (BenchArm arm : result.arms()) {
                table.add(rate(arm.median()), rate(arm.samples().min()), middle(arm), rate(arm.samples().max()),
                        cached(result, arm),
                        Cell.text(arm.name()));
            }
            table.print(format, screen);
            screen.out().println();
            sentences(verdicts.stream().map(BenchVerdict::sentence).toList(), "result", screen);
            return;
        }
        Table table = new Table("part", "state", "backend", "gb_per_s", "gb_per_s_min", "gb_per_s_q1", "gb_per_s_q3",
                "gb_per_s_max", "seconds", "rounds", "cached_before", "limit_gb_per_s", "bounded_by");
        for (BenchArm arm : result.arms()) {
            Optional<BenchVerdict> verdict = verdicts.stream().filter(each -> each.load().equals(arm)).findFirst();
            double seconds = result.seconds(arm);
            table.add(Cell.text(BenchArm.word(arm.part())), Cell.text(BenchArm.word(arm.state())),
                    Cell.text(arm.backend()), rate(arm.median()), rate(arm.samples().min()),
                    rate(arm.samples().quantile(FIRST_QUARTILE)), rate(arm.samples().quantile(THIRD_QUARTILE)),
                    rate(arm.samples().max()), Cell.decimal(seconds, Sizes.time(seconds)),
                    Cell.number(arm.samples().count()), Cell.bytes(arm.cached()),
                    verdict.map(each -> rate(each.limit())).orElse(rate(0)),
                    Cell.text(verdict.map(each -> BenchArm.word(each.bound())).orElse("")));
        }
        table.print(format, screen);
    }

    /// The quartiles: half of the rounds lie between them, however far a single one strays.
    private static Cell middle(BenchArm arm) {
        return Cell.text(BenchVerdict.number(arm.samples().quantile(FIRST_QUARTILE)) + "–"
                + BenchVerdict.number(arm.samples().quantile(THIRD_QUARTILE)));
    }

    private static Cell cached(BenchResult result, BenchArm arm) {
        return Cell.text(BenchPage.cached(result, arm));
    }

    private static void print(BenchComparison comparison, Table.Format format, Screen screen) {
        if (format == Table.Format.TEXT) {
            Table table = new Table("first", "second", "ratio", "95 %", "arm").alignRight("first", "second", "ratio",
                    "95 %").wrapLast();
            for (BenchComparison.Row row : comparison.rows()) {
                table.add(rate(row.a().median()), rate(row.b().median()),
                        Cell.text(Sizes.fixed(row.ranks().ratio(), 3)),
                        Cell.text(BenchComparison.interval(row.ranks())),
                        Cell.text(row.a().name() + ": " + row.verdict().words(), row.verdict().style()));
            }
            table.print(format, screen);
            screen.out().println();
            sentences(List.of(comparison.sentence()), "comparison", screen);
            return;
        }
        Table table = new Table("part", "state", "backend", "gb_per_s_a", "gb_per_s_b", "ratio", "ratio_low",
                "ratio_high", "p", "p_corrected", "verdict");
        for (BenchComparison.Row row : comparison.rows()) {
            RankSum ranks = row.ranks();
            boolean bounded = !Double.isInfinite(ranks.high());
            table.add(Cell.text(BenchArm.word(row.a().part())), Cell.text(BenchArm.word(row.a().state())),
                    Cell.text(row.a().backend()), rate(row.a().median()), rate(row.b().median()),
                    decimal(ranks.ratio()), bounded ? decimal(ranks.low()) : Cell.text(""),
                    bounded ? decimal(ranks.high()) : Cell.text(""), decimal(ranks.p()),
                    decimal(row.ranks().corrected()),
                    Cell.text(BenchArm.word(row.verdict())));
        }
        table.print(format, screen);
    }

    private static void sentences(List<String> sentences, String heading, Screen screen) {
        Table table = new Table(heading).wrapLast();
        sentences.forEach(sentence -> table.add(Cell.text(sentence)));
        table.print(Table.Format.TEXT, screen);
    }

    private static Cell rate(double gigabytesPerSecond) {
        return Cell.decimal(gigabytesPerSecond, BenchVerdict.number(gigabytesPerSecond));
    }

    private static Cell decimal(double value) {
        return Cell.decimal(value, Sizes.fixed(value, 3));
    }
}
