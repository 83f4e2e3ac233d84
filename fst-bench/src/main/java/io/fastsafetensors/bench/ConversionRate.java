package io.fastsafetensors.bench;

import io.fastsafetensors.cli.Medians;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// `fst convert` of an F32 checkpoint to BF16 beside what fio reads and writes on the same disk, arms interleaved, nothing
/// cached.
///
/// Arguments: the launcher, the checkpoint (one file), the number of rounds. fio takes its memory from huge pages, which
/// the system must have (`sysctl vm.nr_hugepages`). Prints one line an arm and round, then medians and ratios.
public final class ConversionRate {
    private static final long PREWARM = 4L << 30;
    private static final Pattern TOOK = Pattern.compile("\"job_runtime\" : ([0-9]+)");
    private static final Pattern RESIDENT = Pattern.compile("Maximum resident set size \\(kbytes\\): ([0-9]+)");

    private final String launcher;
    private final Path source;
    private final Path written;
    private final Path target;
    private final long bytes;
    private final Map<String, List<Double>> arms = new LinkedHashMap<>();

    private ConversionRate(String launcher, Path source) {
        this.launcher = launcher;
        this.source = source;
        this.written = source.resolveSibling("fio.bin");
        this.target = source.resolveSibling("converted.safetensors");
        this.bytes = source.toFile().length() >> 23 << 23;
    }

    /// Runs it.
    public static void main(String[] args) throws IOException, InterruptedException {
        ConversionRate bench = new ConversionRate(args[0], Path.of(args[1]));
        for (int round = 0; round < Integer.parseInt(args[2]); round++) {
            bench.round();
        }
        bench.report();
    }

    private void round() throws IOException, InterruptedException {
        prepare();
        arm("fio reads, GB/s", bytes / 1e9 / finish(fio(true)));
        prepare();
        arm("fio writes half as much, GB/s", bytes / 2e9 / finish(fio(false)));
        prepare();
        long start = System.nanoTime();
        Process reading = fio(true);
        Process writing = fio(false);
        finish(reading);
        finish(writing);
        arm("fio does both at once, s", (System.nanoTime() - start) / 1e9);
        prepare();
        start = System.nanoTime();
        String said = finishText(new ProcessBuilder("/usr/bin/time", "-v", launcher, "convert", "--dtype", "BF16",
                source.toString(), target.toString()).redirectErrorStream(true).start());
        double seconds = (System.nanoTime() - start) / 1e9;
        arm("fst convert, s", seconds);
        arm("fst convert, GB/s read", bytes / 1e9 / seconds);
        arm("fst convert, MiB resident", find(RESIDENT, said) / 1024);
        prepare();
    }

    private void prepare() throws IOException {
        Files.deleteIfExists(written);
        Files.deleteIfExists(target);
        Baselines.dropCache(source);
        Baselines.prewarm(PREWARM);
    }

    private void arm(String name, double value) {
        arms.computeIfAbsent(name, _ -> new ArrayList<>()).add(value);
        System.out.printf(Locale.ROOT, "%-32s %8.2f%n", name, value);
    }

    private Process fio(boolean read) throws IOException {
        List<String> command = new ArrayList<>(List.of("fio", "--name=fst", "--direct=1", "--bs=4M",
                "--ioengine=io_uring", "--iodepth=16", "--iomem=mmaphuge", "--output-format=json"));
        command.addAll(read ? List.of("--rw=read", "--readonly", "--filename=" + source, "--size=" + bytes)
                : List.of("--rw=write", "--filename=" + written, "--size=" + bytes / 2, "--end_fsync=1"));
        return new ProcessBuilder(command).redirectErrorStream(true).start();
    }

    /// @return seconds, by fio's clock
    private static double finish(Process fio) throws InterruptedException {
        return find(TOOK, finishText(fio)) / 1e3;
    }

    private static String finishText(Process process) throws InterruptedException {
        try {
            String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new IllegalStateException("a program failed: " + out);
            }
            return out;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static double find(Pattern pattern, String text) {
        Matcher match = pattern.matcher(text);
        if (!match.find()) {
            throw new IllegalStateException("unexpected output: " + text);
        }
        return Double.parseDouble(match.group(1));
    }

    private void report() {
        System.out.println();
        arms.forEach((name, values) -> System.out.printf(Locale.ROOT, "%-32s median %8.2f  min %8.2f  max %8.2f%n",
                name, median(name), values.stream().mapToDouble(d -> d).min().orElse(0),
                values.stream().mapToDouble(d -> d).max().orElse(0)));
        double disk = Math.min(median("fio reads, GB/s"), median("fio writes half as much, GB/s"));
        System.out.printf(Locale.ROOT, "%-32s %8.3f%n", "rate of min(read, write)",
                median("fst convert, GB/s read") / disk);
        System.out.printf(Locale.ROOT, "%-32s %8.3f%n", "fio's time of fst's",
                median("fio does both at once, s") / median("fst convert, s"));
    }

    private double median(String arm) {
        return Medians.median(arms.getOrDefault(arm, List.of()), Double::doubleValue);
    }
}
