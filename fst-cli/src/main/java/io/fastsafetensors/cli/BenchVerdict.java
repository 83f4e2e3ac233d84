package io.fastsafetensors.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The conclusion from the load arm of a result: the part that bounds it.
///
/// @param load the arm
/// @param bound what bounds it
/// @param limit the rate that this part alone has; 0 if none was measured
/// @param sentence all of that in words
record BenchVerdict(BenchArm load, Bound bound, double limit, String sentence) {
    /// From so much of a limit on, the limit is what bounds a load.
    private static final double BOUND_SHARE = 0.9;
    /// In less, the fixed costs of a load hide the rates.
    private static final long SMALLEST = 64L << 20;
    private static final double NOISY_SPREAD = 0.3;
    /// A part of less than this of both says nothing on whether they overlap.
    private static final double NOTABLE_SHARE = 0.2;
    private static final double PERCENT = 100;

    /// Parts that a load can be bounded by.
    enum Bound {
        /// Reads.
        STORAGE,
        /// Copies.
        COPY,
        /// Both alike.
        BOTH,
        /// None of them.
        NEITHER,
        /// Cannot be told.
        UNKNOWN
    }

    /// The conclusions for every load arm.
    static List<BenchVerdict> of(BenchResult result) {
        return result.arms().stream().filter(arm -> arm.part() == BenchArm.Part.LOAD).map(arm -> of(result, arm))
                .toList();
    }

    private static BenchVerdict of(BenchResult result, BenchArm load) {
        Optional<BenchArm> storage = result.arm(BenchArm.Part.STORAGE, load.state(), "");
        boolean mapped = result.fact(BenchResult.MAPPED + " " + load.backend()).equals("all");
        Optional<BenchArm> copy = mapped ? Optional.empty()
                : result.arm(BenchArm.Part.COPY, BenchArm.State.NONE, load.backend());
        String head = load.name() + ": " + rate(load.median()) + ", " + Sizes.time(result.seconds(load)) + " for "
                + Sizes.human(result.byteSize());
        if (mapped && load.state() == BenchArm.State.WARM) {
            return new BenchVerdict(load, Bound.NEITHER, 0, head
                    + ". The files' own pages are mapped: nothing is read or copied, so neither limit applies."
                    + noise(load, load));
        }
        Optional<BenchArm> slower = slower(storage, copy);
        if (slower.isEmpty()) {
            return new BenchVerdict(load, Bound.UNKNOWN, 0, head + ". No limit was measured.");
        }
        BenchArm limit = slower.get();
        double share = load.median() / limit.median();
        String part = ", " + Sizes.fixed(PERCENT * share, 0) + " % of " + limit.name();
        if (result.byteSize() < SMALLEST) {
            return new BenchVerdict(load, Bound.UNKNOWN, limit.median(), head + part + ". Less than "
                    + Sizes.human(SMALLEST) + " says little: fixed costs hide what bounds the load.");
        }
        if (share > 1 / BOUND_SHARE) {
            // What a load exceeds is no limit of it: saying that it bounds the load would be untrue.
            return new BenchVerdict(load, Bound.UNKNOWN, limit.median(), head + part + ". The load exceeds what "
                    + limit.name() + " reached, so what bounds it cannot be told; measure with more rounds."
                    + noise(load, limit));
        }
        Bound bound = share < BOUND_SHARE ? Bound.NEITHER
                : similar(storage, copy) ? Bound.BOTH
                        : limit.part() == BenchArm.Part.COPY ? Bound.COPY : Bound.STORAGE;
        return new BenchVerdict(load, bound, limit.median(), head + part + ". "
                + words(bound, result, load, storage, copy) + noise(load, limit));
    }

    private static Optional<BenchArm> slower(Optional<BenchArm> storage, Optional<BenchArm> copy) {
        if (storage.isEmpty() || copy.isEmpty()) {
            return storage.or(() -> copy);
        }
        return storage.get().median() <= copy.get().median() ? storage : copy;
    }

    private static boolean similar(Optional<BenchArm> storage, Optional<BenchArm> copy) {
        if (storage.isEmpty() || copy.isEmpty()) {
            return false;
        }
        double ratio = storage.get().median() / copy.get().median();
        return ratio >= BOUND_SHARE && ratio <= 1 / BOUND_SHARE;
    }

    private static String words(Bound bound, BenchResult result, BenchArm load, Optional<BenchArm> storage,
            Optional<BenchArm> copy) {
        String missing = storage.isEmpty() ? " Storage alone was not measured." : "";
        return switch (bound) {
            case STORAGE -> "Storage bounds it.";
            case COPY -> "The copy to the device bounds it." + missing;
            case BOTH -> "Storage and the copy to the device are as fast as each other, and bound it together.";
            case NEITHER, UNKNOWN -> neither(result, load, storage, copy) + missing;
        };
    }

    private static String neither(BenchResult result, BenchArm load, Optional<BenchArm> storage,
            Optional<BenchArm> copy) {
        List<String> alone = new ArrayList<>();
        double sum = 0;
        for (BenchArm part : storage.stream().toList()) {
            alone.add("reads alone take " + Sizes.time(result.seconds(part)));
            sum += result.seconds(part);
        }
        for (BenchArm part : copy.stream().toList()) {
            alone.add("copies alone " + (alone.isEmpty() ? "take " : "") + Sizes.time(result.seconds(part)));
            sum += result.seconds(part);
        }
        boolean both = storage.isPresent() && copy.isPresent()
                && Math.min(result.seconds(storage.get()), result.seconds(copy.get())) > sum * NOTABLE_SHARE;
        boolean oneAfterTheOther = both && Math.abs(result.seconds(load) / sum - 1) < 1 - BOUND_SHARE;
        return "Neither storage nor copies bound it: " + String.join(", ", alone) + ". "
                + (oneAfterTheOther ? "The load takes about the sum, as if one followed the other."
                        : "The rest is what only a load does: headers, plan, allocation, the first touch of memory.");
    }

    private static String noise(BenchArm load, BenchArm limit) {
        BenchArm worse = load.spread() > limit.spread() ? load : limit;
        return worse.spread() < NOISY_SPREAD ? ""
                : " Rounds of " + worse.name() + " differ by " + Sizes.fixed(PERCENT * worse.spread(), 0)
                        + " % of the median: the machine was not quiet.";
    }

    /// A rate with three digits that matter.
    static String rate(double gigabytesPerSecond) {
        return number(gigabytesPerSecond) + " " + BenchArm.UNIT;
    }

    /// A number with three digits that matter.
    static String number(double value) {
        return Sizes.fixed(value, value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : value >= 0.1 ? 3 : 5);
    }
}
