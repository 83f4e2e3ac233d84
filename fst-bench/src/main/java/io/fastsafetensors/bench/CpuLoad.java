package io.fastsafetensors.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A whole load by `fst load --device cpu` beside baselines on the same file, arms interleaved.
///
/// Arguments: the launcher, the file, the number of rounds. Memory is prewarmed before every arm alike. Prints one line
/// an arm and round, then medians and ratios.
public final class CpuLoad {
    private static final long PREWARM = 10L << 30;
    private static final Pattern GB = Pattern.compile("gb_per_s\\t([0-9.]+)");
    private static final Pattern FIO = Pattern.compile("bw=.*?\\(([0-9.]+)([kMG])B/s\\)");

    private final String launcher;
    private final Path file;
    private final double gigabytes;
    private final Map<String, List<Double>> rates = new LinkedHashMap<>();

    private CpuLoad(String launcher, Path file) {
        this.launcher = launcher;
        this.file = file;
        this.gigabytes = file.toFile().length() / 1e9;
    }

    /// Runs it.
    public static void main(String[] args) throws IOException {
        CpuLoad bench = new CpuLoad(args[0], Path.of(args[1]));
        int rounds = Integer.parseInt(args[2]);
        for (int round = 0; round < rounds; round++) {
            bench.cold();
        }
        for (int round = 0; round < rounds; round++) {
            bench.warm();
        }
        bench.report();
    }

    private void cold() {
        for (int depth : new int[] {4, 16, 64}) {
            arm("cold fio io_uring depth " + depth, true, () -> fio("io_uring", depth, 1));
        }
        arm("cold fio psync 8 jobs", true, () -> fio("psync", 1, 8));
        arm("cold fst load", true, this::fst);
        arm("cold map and touch", true, () -> gigabytes / Baselines.mapTouch(file));
    }

    private void warm() {
        arm("warm 2-thread pread", false, () -> gigabytes / Baselines.twoThreadPread(file));
        arm("warm fst load", false, this::fst);
        arm("warm 2-thread memcpy", false, () -> gigabytes / Baselines.twoThreadMemcpy(file.toFile().length()));
        arm("warm map and touch", false, () -> gigabytes / Baselines.mapTouch(file));
    }

    private void arm(String name, boolean cold, DoubleSupplier rate) {
        if (cold) {
            Baselines.dropCache(file);
        } else {
            Baselines.fillCache(file);
        }
        Baselines.prewarm(PREWARM);
        double value = rate.getAsDouble();
        rates.computeIfAbsent(name, n -> new ArrayList<>()).add(value);
        System.out.printf(Locale.ROOT, "%-32s %6.2f GB/s%n", name, value);
    }

    private double fst() {
        return find(GB, run(launcher, "load", "--device", "cpu", "--format", "tsv", file.toString()));
    }

    private double fio(String engine, int depth, int jobs) {
        String out = run("fio", "--name=read", "--filename=" + file, "--rw=read", "--direct=1", "--bs=4M",
                "--ioengine=" + engine, "--iodepth=" + depth, "--numjobs=" + jobs, "--iomem=mmaphuge",
                "--group_reporting", "--readonly", "--size=" + file.toFile().length() / jobs / (4 << 20) * (4 << 20),
                "--offset_increment=" + file.toFile().length() / jobs / (4 << 20) * (4 << 20), "--thread");
        Matcher match = FIO.matcher(out);
        if (!match.find()) {
            throw new IllegalStateException("fio said: " + out);
        }
        double scale = match.group(2).equals("G") ? 1 : match.group(2).equals("M") ? 1e-3 : 1e-6;
        return Double.parseDouble(match.group(1)) * scale;
    }

    private static double find(Pattern pattern, String text) {
        Matcher match = pattern.matcher(text);
        if (!match.find()) {
            throw new IllegalStateException("unexpected output: " + text);
        }
        return Double.parseDouble(match.group(1));
    }

    private static String run(String... command) {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new IllegalStateException(String.join(" ", command) + " failed: " + out);
            }
            return out;
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private void report() throws IOException {
        System.out.printf(Locale.ROOT, "%n%s, %.2f GB, kernel %s, %d cores%n", file.getFileName(), gigabytes,
                Files.readString(Path.of("/proc/sys/kernel/osrelease")).strip(),
                Runtime.getRuntime().availableProcessors());
        rates.forEach((name, values) -> System.out.printf(Locale.ROOT, "%-32s median %6.2f  min %6.2f  max %6.2f%n",
                name, median(values), values.stream().mapToDouble(d -> d).min().orElse(0),
                values.stream().mapToDouble(d -> d).max().orElse(0)));
        double fio = rates.entrySet().stream().filter(e -> e.getKey().startsWith("cold fio"))
                .mapToDouble(e -> median(e.getValue())).max().orElse(Double.NaN);
        ratio("cold fst / best fio", median(rates.get("cold fst load")) / fio);
        ratio("cold fst / map", median(rates.get("cold fst load")) / median(rates.get("cold map and touch")));
        ratio("warm fst / 2-thread pread",
                median(rates.get("warm fst load")) / median(rates.get("warm 2-thread pread")));
        ratio("warm fst / 2-thread memcpy",
                median(rates.get("warm fst load")) / median(rates.get("warm 2-thread memcpy")));
    }

    private static void ratio(String what, double value) {
        System.out.printf(Locale.ROOT, "%-32s %6.3f%n", what, value);
    }

    private static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        return sorted.get(sorted.size() / 2);
    }
}
