package io.fastsafetensors.bench;

import io.fastsafetensors.api.TransferPath;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.DoubleSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Whole loads into the memory of the CPU, by copying and by mapping, beside baselines on the same file, arms interleaved.
///
/// Arguments: the launcher, the file, the number of rounds. Memory is prewarmed before every arm alike. `fst load` is one
/// process a load, and its rate counts from the call of `load` to the last byte. The arms that also read every byte are
/// processes of this class path, without the launcher's cache of classes. Needs `cc` and `fio`. Prints one line an arm and
/// round, then medians and ratios.
public final class CpuLoad {
    private static final long PREWARM = 10L << 30;
    private static final Pattern GB = Pattern.compile("gb_per_s\\t([0-9.]+)");
    private static final Pattern LOADED = Pattern.compile("seconds_load\\t([0-9.E-]+)");
    private static final Pattern READ = Pattern.compile("seconds_read\\t([0-9.E-]+)");
    private static final Pattern PRIVATE = Pattern.compile("private_mib\\t([0-9.E-]+)");
    private static final Pattern FIO = Pattern.compile("bw=.*?\\(([0-9.]+)([kMG])B/s\\)");

    private static final String COLD_COPIED = "cold, fst load, copied";
    private static final String COLD_MAPPED = "cold, fst load, mapped";
    private static final String COLD_TOUCHED = "cold, map and touch";
    private static final String COLD_POPULATED = "cold, C maps and populates";
    private static final String POPULATED = "warm, C maps and populates";
    private static final String POPULATED_BY_ALL = "warm, the same by a thread for each core";
    private static final String MAPPED = "warm, fst load, mapped";
    private static final String COPIED = "warm, fst load, copied";
    private static final String PREAD = "warm, 2-thread pread";
    private static final String MEMCPY = "warm, 2-thread memcpy";
    private static final String READ_MAPPED = "warm, load mapped and read every byte";
    private static final String READ_COPIED = "warm, load copied and read every byte";
    private static final String READ_C = "warm, C maps, populates, reads every byte";

    private final String launcher;
    private final Path file;
    private final Path populate;
    private final double gigabytes;
    private final Map<String, List<Double>> rates = new LinkedHashMap<>();
    private double privateMib;

    private CpuLoad(String launcher, Path file, Path populate) {
        this.launcher = launcher;
        this.file = file;
        this.populate = populate;
        this.gigabytes = file.toFile().length() / 1e9;
    }

    /// Runs it.
    public static void main(String[] args) throws IOException {
        Path folder = Files.createTempDirectory("fst-bench-cpu");
        Path source = folder.resolve("populate.c");
        Path program = folder.resolve("populate");
        try {
            try (InputStream text = CpuLoad.class.getResourceAsStream("populate.c")) {
                Files.copy(Objects.requireNonNull(text), source);
            }
            run("cc", "-O3", "-pthread", "-o", program.toString(), source.toString());
            CpuLoad bench = new CpuLoad(args[0], Path.of(args[1]), program);
            int rounds = Integer.parseInt(args[2]);
            for (int round = 0; round < rounds; round++) {
                bench.cold();
            }
            for (int round = 0; round < rounds; round++) {
                bench.warm();
            }
            bench.report();
        } finally {
            Files.deleteIfExists(source);
            Files.deleteIfExists(program);
            Files.delete(folder);
        }
    }

    private void cold() {
        for (int depth : new int[] {4, 16, 64}) {
            arm("cold, fio io_uring depth " + depth, true, () -> fio("io_uring", depth, 1));
        }
        arm("cold, fio psync 8 jobs", true, () -> fio("psync", 1, 8));
        arm(COLD_COPIED, true, () -> fst("auto"));
        arm(COLD_MAPPED, true, () -> fst("mapped"));
        arm(COLD_POPULATED, true, () -> rate(LOADED, populate(1)));
        arm(COLD_TOUCHED, true, () -> gigabytes / Baselines.mapTouch(file));
    }

    /// The pages are those that reading ahead of a sequential read makes; who maps finds them larger or smaller
    /// otherwise.
    private void warm() {
        Baselines.dropCache(file);
        Baselines.fillCache(file);
        arm(POPULATED, false, () -> rate(LOADED, populate(1)));
        arm(MAPPED, false, () -> fst("mapped"));
        arm(POPULATED_BY_ALL, false, () -> rate(LOADED, populate(Runtime.getRuntime().availableProcessors())));
        arm(PREAD, false, () -> gigabytes / Baselines.twoThreadPread(file));
        arm(COPIED, false, () -> fst("auto"));
        arm(MEMCPY, false, () -> gigabytes / Baselines.twoThreadMemcpy(file.toFile().length()));
        arm(READ_C, false, () -> readRate(populate(1)));
        arm(READ_MAPPED, false, () -> {
            String out = firstLoad(TransferPath.MAPPED);
            privateMib = Math.max(privateMib, find(PRIVATE, out));
            return readRate(out);
        });
        arm(READ_COPIED, false, () -> readRate(firstLoad(TransferPath.AUTO)));
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
        System.out.printf(Locale.ROOT, "%-42s %8.2f GB/s%n", name, value);
    }

    private double fst(String transfer) {
        return find(GB,
                run(launcher, "load", "--device", "cpu", "--transfer", transfer, "--format", "tsv", file.toString()));
    }

    private String populate(int threads) {
        return run(populate.toString(), file.toString(), threads == 1 ? "0" : "16", Integer.toString(threads));
    }

    private String firstLoad(TransferPath transfer) {
        return run(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp", System.getProperty("java.class.path"), CpuFirstLoad.class.getName(), file.toString(),
                transfer.name());
    }

    private double rate(Pattern seconds, String out) {
        return gigabytes / find(seconds, out);
    }

    /// The file's bytes by the time for loading and reading them.
    private double readRate(String out) {
        return gigabytes / (find(LOADED, out) + find(READ, out));
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
        System.out.printf(Locale.ROOT, "%n%s, %.2f GB, kernel %s, %d cores, load %s%n", file.getFileName(), gigabytes,
                Files.readString(Path.of("/proc/sys/kernel/osrelease")).strip(),
                Runtime.getRuntime().availableProcessors(), Files.readString(Path.of("/proc/loadavg")).strip());
        rates.forEach((name, values) -> System.out.printf(Locale.ROOT, "%-42s median %8.2f  min %8.2f  max %8.2f%n",
                name, median(values), values.stream().mapToDouble(d -> d).min().orElse(0),
                values.stream().mapToDouble(d -> d).max().orElse(0)));
        double fio = rates.entrySet().stream().filter(e -> e.getKey().startsWith("cold, fio"))
                .mapToDouble(e -> median(e.getValue())).max().orElse(Double.NaN);
        ratio("cold, mapped / best fio", median(COLD_MAPPED) / fio);
        ratio("cold, mapped / C", median(COLD_MAPPED) / median(COLD_POPULATED));
        ratio("cold, copied / best fio", median(COLD_COPIED) / fio);
        ratio("cold, copied / map and touch", median(COLD_COPIED) / median(COLD_TOUCHED));
        ratio("warm, mapped / C", median(MAPPED) / median(POPULATED));
        ratio("warm, mapped / C by all cores", median(MAPPED) / median(POPULATED_BY_ALL));
        ratio("warm, copied / 2-thread pread", median(COPIED) / median(PREAD));
        ratio("warm, copied / 2-thread memcpy", median(COPIED) / median(MEMCPY));
        ratio("warm, with every byte read, mapped / copied", median(READ_MAPPED) / median(READ_COPIED));
        ratio("most private memory of a mapped load, MiB", privateMib);
    }

    private double median(String arm) {
        return median(rates.getOrDefault(arm, List.of(Double.NaN)));
    }

    private static void ratio(String what, double value) {
        System.out.printf(Locale.ROOT, "%-42s %8.3f%n", what, value);
    }

    private static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        return sorted.get(sorted.size() / 2);
    }
}
