package io.fastsafetensors.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/// Compares two results arm by arm.
///
/// @param rows one for each arm that both results have
/// @param alone names of arms that one result has alone, with which one
record BenchComparison(List<Row> rows, List<String> alone) {
    /// One arm of both results.
    ///
    /// @param a the arm in the first result
    /// @param b the arm in the second result
    /// @param ranks the ranks of their rounds
    /// @param verdict what that means
    record Row(BenchArm a, BenchArm b, RankSum ranks, Verdict verdict) {
    }

    /// The meaning of a difference.
    enum Verdict {
        /// The second result is faster, and not by chance.
        FASTER("faster", Screen.Style.GOOD),
        /// The second result is slower, and not by chance.
        SLOWER("slower", Screen.Style.BAD),
        /// The difference may be chance.
        NO_DIFFERENCE("no significant difference", Screen.Style.PLAIN),
        /// No difference could be significant with so few rounds.
        TOO_FEW_ROUNDS("too few rounds to tell", Screen.Style.PLAIN);

        private final String words;
        private final Screen.Style style;

        Verdict(String words, Screen.Style style) {
            this.words = words;
            this.style = style;
        }

        String words() {
            return words;
        }

        Screen.Style style() {
            return style;
        }
    }

    /// Compares the arms that both results have.
    ///
    /// @throws CommandException if the results are of different devices, bytes or dtypes, or have no arm in common
    static BenchComparison of(BenchResult a, BenchResult b) {
        requireComparable(a.facts(), b.facts());
        List<BenchArm> both = a.arms().stream().filter(arm -> b.arm(arm.name()).isPresent()).toList();
        if (both.isEmpty()) {
            throw new CommandException("the two results have no arm in common: " + names(a) + " and " + names(b), null);
        }
        List<RankSum> ranks = both.stream()
                .map(arm -> RankSum.of(arm.samples().values(), b.arm(arm.name()).orElseThrow().samples().values(),
                        both.size()))
                .toList();
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < both.size(); i++) {
            BenchArm other = b.arm(both.get(i).name()).orElseThrow();
            rows.add(new Row(both.get(i), other, ranks.get(i), verdict(ranks.get(i))));
        }
        List<String> alone = new ArrayList<>();
        a.arms().stream().filter(arm -> b.arm(arm.name()).isEmpty()).forEach(arm -> alone.add(arm.name() + " (first)"));
        b.arms().stream().filter(arm -> a.arm(arm.name()).isEmpty())
                .forEach(arm -> alone.add(arm.name() + " (second)"));
        return new BenchComparison(rows, alone);
    }

    /// Refuses to compare results that differ in a fact on which every rate depends.
    ///
    /// @throws CommandException naming the fact and both its values
    static void requireComparable(Map<String, String> a, Map<String, String> b) {
        for (String fact : List.of(BenchResult.DEVICE, BenchResult.DEVICE_NAME, BenchResult.BYTES,
                BenchResult.DTYPES)) {
            String first = a.getOrDefault(fact, "");
            String second = b.getOrDefault(fact, "");
            if (!first.equals(second)) {
                throw new CommandException("the two results cannot be compared: " + fact.replace('_', ' ') + " is \""
                        + first + "\" in one and \"" + second + "\" in the other", null);
            }
        }
    }

    private static Verdict verdict(RankSum ranks) {
        if (ranks.corrected() <= RankSum.ALPHA) {
            return ranks.ratio() > 1 ? Verdict.FASTER : Verdict.SLOWER;
        }
        return ranks.leastCorrected() > RankSum.ALPHA ? Verdict.TOO_FEW_ROUNDS : Verdict.NO_DIFFERENCE;
    }

    private static String names(BenchResult result) {
        return result.arms().stream().map(BenchArm::name).collect(Collectors.joining("; "));
    }

    /// The row of an arm.
    Optional<Row> row(String arm) {
        return rows.stream().filter(row -> row.a().name().equals(arm)).findFirst();
    }

    /// Everything in a sentence.
    String sentence() {
        long faster = rows.stream().filter(row -> row.verdict == Verdict.FASTER).count();
        long slower = rows.stream().filter(row -> row.verdict == Verdict.SLOWER).count();
        long few = rows.stream().filter(row -> row.verdict == Verdict.TOO_FEW_ROUNDS).count();
        return "Of " + Sizes.count(rows.size(), "arm") + ", " + faster + " faster, " + slower + " slower, "
                + (rows.size() - faster - slower - few) + " without a significant difference"
                + (few == 0 ? "" : ", " + few + " with too few rounds to tell") + " (95 %, corrected for "
                + Sizes.count(rows.size(), "arm") + ")."
                + (alone.isEmpty() ? "" : " Only in one result: " + String.join("; ", alone) + ".");
    }

    /// The confidence interval of a row's ratio, for people.
    static String interval(RankSum ranks) {
        return Double.isInfinite(ranks.high()) ? "–" : Sizes.fixed(ranks.low(), 3) + "–"
                + Sizes.fixed(ranks.high(), 3);
    }
}
