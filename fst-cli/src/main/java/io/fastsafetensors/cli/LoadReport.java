package io.fastsafetensors.cli;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.types.Device;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;

/// The costs of one or more loads of a checkpoint, under the names that scripts rely on.
///
/// @param device where it was loaded to
/// @param choice the backend and why
/// @param inBatches whether it passed through the budget rather than staying in memory
/// @param digests how many tensors were compared with their digests
/// @param rounds at least one load
record LoadReport(Device device, BackendChoice choice, boolean inBatches, int digests, List<Round> rounds) {
    /// One load.
    ///
    /// @param seconds from the call of `load` to the return of `awaitAll`, by this program's clock
    /// @param cachedBefore bytes in the page cache before, −1 if unknown
    /// @param stats what the loader says
    record Round(double seconds, long cachedBefore, LoadStats stats) {
    }

    /// Hands out every metric in the order of the report.
    void forEach(BiConsumer<String, Cell> report) {
        LoadStats last = last();
        report.accept("bytes", Cell.bytes(last.bytes()));
        report.accept("files", Cell.number(last.files()));
        report.accept("tensors", Cell.number(last.tensors()));
        report.accept("seconds_plan", seconds(round -> round.stats.secondsPlan()));
        report.accept("seconds_first_tensor", seconds(round -> round.stats.secondsFirstTensor()));
        report.accept("seconds_all", seconds(Round::seconds));
        report.accept("seconds_all_min", seconds(rounds.stream().mapToDouble(Round::seconds).min().orElse(0)));
        report.accept("seconds_all_max", seconds(rounds.stream().mapToDouble(Round::seconds).max().orElse(0)));
        report.accept("gb_per_s", Cell.decimal(gigabytesPerSecond(), Sizes.fixed(gigabytesPerSecond(), 2)));
        report.accept("repeats", Cell.number(rounds.size()));
        report.accept("read_seconds", seconds(round -> round.stats.readSeconds()));
        report.accept("place_seconds", seconds(round -> round.stats.placeSeconds()));
        report.accept("readers", Cell.number(last.readers()));
        report.accept("bytes_read", bytes(round -> round.stats.bytesRead()));
        report.accept("read_per_wanted", Cell.decimal(readPerWanted(), Sizes.fixed(readPerWanted(), 3)));
        report.accept("bytes_from_cache", bytes(round -> round.stats.bytesFromCache()));
        report.accept("bytes_direct", bytes(round -> round.stats.bytesDirect()));
        report.accept("cached_before", bytes(Round::cachedBefore));
        report.accept("peak_rss_bytes", Cell.bytes(ProcessMemory.peakResidentBytes()));
        report.accept("peak_staging_bytes", peak(round -> round.stats.stagingBytes()));
        report.accept("peak_device_bytes", peak(round -> round.stats.deviceBytes()));
        report.accept("mapped_bytes", peak(round -> round.stats.mappedBytes()));
        report.accept("in_batches", Cell.text(inBatches ? "yes" : "no"));
        report.accept("digests_checked", Cell.number(digests));
        report.accept("overflows", Cell.number(last.overflows().values().stream().mapToLong(Long::longValue).sum()));
        report.accept("device", Cell.text(device.toString()));
        report.accept("backend", Cell.text(choice.name()));
        report.accept("why", Cell.text(why()));
        report.accept("storage", Cell.text(String.join("; ", last.storage().stream().distinct().toList())));
    }

    /// The report in a sentence.
    String headline() {
        LoadStats last = last();
        return Sizes.human(last.bytes()) + " in " + Sizes.time(Medians.median(rounds, Round::seconds)) + ": "
                + Sizes.fixed(gigabytesPerSecond(), 2) + " GB/s, " + Sizes.count(last.tensors(), "tensor") + " to "
                + device + " through " + choice.name();
    }

    private LoadStats last() {
        return rounds.getLast().stats;
    }

    private double gigabytesPerSecond() {
        return last().bytes() / 1e9 / Medians.median(rounds, Round::seconds);
    }

    /// Bytes read for each byte of the tensors asked for: more than 1 by whole pages and by the gaps that were read
    /// rather than skipped.
    private double readPerWanted() {
        return last().bytes() == 0 ? 1 : (double) last().bytesRead() / last().bytes();
    }

    private String why() {
        StringBuilder text = new StringBuilder(choice.reason());
        for (BackendChoice.Rejected rejected : choice.rejected()) {
            text.append("; not ").append(rejected.name()).append(": ").append(rejected.reason());
        }
        return text.toString();
    }

    private Cell seconds(ToDoubleFunction<Round> value) {
        return seconds(Medians.median(rounds, value));
    }

    private static Cell seconds(double value) {
        return Cell.decimal(value, Sizes.time(value));
    }

    private Cell bytes(ToLongFunction<Round> value) {
        return Cell.bytes(Medians.medianLong(rounds, value));
    }

    private Cell peak(ToLongFunction<Round> value) {
        return Cell.bytes(Medians.maxLong(rounds, value));
    }
}
