package io.fastsafetensors.cli;

import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;

/// The costs of the ranks of a group, each and all together, as a table.
///
/// @param ranks by rank
record RankReport(List<RankRow> ranks) {
    private static final String ALL = "all";

    /// Adds a row a rank and metric, then the sums; times of all are those of the slowest.
    void addTo(Table table) {
        for (int r = 0; r < ranks.size(); r++) {
            RankRow row = ranks.get(r);
            String rank = Integer.toString(r);
            add(table, rank, "device", Cell.text(row.device()));
            add(table, rank, "backend", Cell.text(row.backend()));
            addNumbers(table, rank, row);
        }
        addNumbers(table, ALL, new RankRow("", "", "", sum(RankRow::bytes), most(RankRow::seconds),
                most(RankRow::firstTensor), sum(RankRow::bytesRead), sum(RankRow::bytesReceived),
                sum(RankRow::stagingBytes), sum(RankRow::deviceBytes)));
        add(table, ALL, "distribution", Cell.text(ranks.getFirst().way()));
        add(table, ALL, "peak_rss_bytes", Cell.bytes(ProcessMemory.peakResidentBytes()));
    }

    private static void addNumbers(Table table, String rank, RankRow row) {
        add(table, rank, "bytes", Cell.bytes(row.bytes()));
        add(table, rank, "seconds_first_tensor", Cell.decimal(row.firstTensor(), Sizes.time(row.firstTensor())));
        add(table, rank, "seconds_all", Cell.decimal(row.seconds(), Sizes.time(row.seconds())));
        double speed = row.bytes() / 1e9 / row.seconds();
        add(table, rank, "gb_per_s", Cell.decimal(speed, Sizes.fixed(speed, 2)));
        add(table, rank, "bytes_read", Cell.bytes(row.bytesRead()));
        add(table, rank, "bytes_received", Cell.bytes(row.bytesReceived()));
        add(table, rank, "peak_staging_bytes", Cell.bytes(row.stagingBytes()));
        add(table, rank, "peak_device_bytes", Cell.bytes(row.deviceBytes()));
    }

    private static void add(Table table, String rank, String metric, Cell value) {
        table.add(Cell.text(rank), Cell.text(metric), value);
    }

    /// The report in a sentence.
    String headline() {
        double seconds = most(RankRow::seconds);
        return Sizes.human(sum(RankRow::bytes)) + " on " + Sizes.count(ranks.size(), "rank") + " in "
                + Sizes.time(seconds) + ": " + Sizes.fixed(sum(RankRow::bytes) / 1e9 / seconds, 2) + " GB/s, "
                + ranks.getFirst().way();
    }

    private long sum(ToLongFunction<RankRow> value) {
        return ranks.stream().mapToLong(value).sum();
    }

    private double most(ToDoubleFunction<RankRow> value) {
        return ranks.stream().mapToDouble(value).max().orElse(0);
    }
}
