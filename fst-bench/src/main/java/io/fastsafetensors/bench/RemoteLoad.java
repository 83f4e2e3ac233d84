package io.fastsafetensors.bench;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.cli.Samples;
import io.fastsafetensors.types.Location;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A load over HTTP from a server on the loopback interface beside as many parallel `curl` range reads as readers, which drop
/// what they read, or write it into fresh memory (`/dev/shm`), arms interleaved. First without a delay, then with one before
/// each answer, then with one that appears or ends in the middle.
///
/// Arguments: a directory with one checkpoint, the number of rounds, numbers of curl processes separated by commas, the delay in
/// milliseconds. Before each arm as much memory as the checkpoint has is touched and freed, since a virtual machine's host gives it
/// slowly the first time. Prints one line an arm and round, then medians and ratios. The server is another process, so that its CPU
/// time is nobody's.
public final class RemoteLoad {
    private static final long RANGE = 8L << 20;
    private static final int BIN_MILLIS = 250;
    private static final int BINS = 4096;
    private static final Pattern TIME = Pattern.compile("([0-9]+)m([0-9.]+)s");

    private final String address;
    private final Writer control;
    private final List<Path> files;
    private final double bytes;
    private final Map<String, Samples> arms = new LinkedHashMap<>();
    private final AtomicLongArray reached = new AtomicLongArray(BINS);
    private volatile long began;
    /// When this share of the bytes is there, the delay changes.
    private volatile double changeAt = 2;
    private volatile String change = "0";

    private RemoteLoad(Path directory, String address, Writer control) throws IOException {
        this.address = address;
        this.control = control;
        try (Stream<Path> all = Files.list(directory)) {
            this.files = all.filter(file -> file.toString().endsWith(".safetensors")).sorted().toList();
        }
        this.bytes = files.stream().mapToDouble(file -> file.toFile().length()).sum();
    }

    /// Runs it.
    public static void main(String[] args) throws IOException, InterruptedException {
        Path directory = Path.of(args[0]);
        Process server = new ProcessBuilder(ProcessHandle.current().info().command().orElseThrow(), "-cp",
                System.getProperty("java.class.path"), FileServer.class.getName(), directory.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (BufferedReader said = server.inputReader(StandardCharsets.UTF_8);
                Writer control = server.outputWriter(StandardCharsets.UTF_8)) {
            RemoteLoad bench = new RemoteLoad(directory, said.readLine(), control);
            bench.run(Integer.parseInt(args[1]),
                    Arrays.stream(args[2].split(",")).mapToInt(Integer::parseInt).toArray(), args[3]);
        } finally {
            server.destroy();
        }
    }

    private void run(int rounds, int[] processes, String delay) throws IOException, InterruptedException {
        try (Loader loader = Loader.builder().device("cpu").progress(this::progress).build()) {
            load(loader, "warm-up");
            for (String millis : new String[] {"0", delay}) {
                for (int round = 0; round < rounds; round++) {
                    delay(millis);
                    load(loader, millis + " ms, fst");
                    for (int count : processes) {
                        curl(count, millis + " ms, " + count + " curl", false);
                        curl(count, millis + " ms, " + count + " curl to memory", true);
                    }
                }
            }
            for (int round = 0; round < rounds; round++) {
                delay("0");
                change = delay;
                changeAt = 0.5;
                load(loader, "delay appears, fst");
                change = "0";
                changeAt = 0.5;
                load(loader, "delay ends, fst");
            }
        }
        report(processes, delay);
    }

    private synchronized void delay(String millis) {
        try {
            control.write(millis + "\n");
            control.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void progress(long done, long total) {
        int bin = (int) Math.min(BINS - 1, (System.nanoTime() - began) / 1_000_000 / BIN_MILLIS);
        reached.accumulateAndGet(bin, done, Math::max);
        if (done > changeAt * total) {
            changeAt = 2;
            delay(change);
            System.out.printf(Locale.ROOT, "the delay is %s ms from %.2f s on%n", change,
                    (System.nanoTime() - began) / 1e9);
        }
    }

    private void load(Loader loader, String arm) {
        for (int i = 0; i < BINS; i++) {
            reached.set(i, 0);
        }
        Baselines.prewarm((long) bytes);
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long cpu = system.getProcessCpuTime();
        long heap = threads.getTotalThreadAllocatedBytes();
        began = System.nanoTime();
        double seconds;
        int readers;
        try (Weights weights = loader.load(Location.of(address + "model.safetensors.index.json"))) {
            weights.awaitAll();
            seconds = (System.nanoTime() - began) / 1e9;
            readers = weights.stats().readers();
        }
        arm(arm, "GB/s", bytes / 1e9 / seconds);
        arm(arm, "CPU s", (system.getProcessCpuTime() - cpu) / 1e9);
        arm(arm, "heap MiB a GiB", (threads.getTotalThreadAllocatedBytes() - heap) * 1024.0 / bytes);
        System.out.printf(Locale.ROOT, "%s: %d readers at most, load of the machine %.1f, GB/s each %d ms: %s%n", arm,
                readers, system.getSystemLoadAverage(), BIN_MILLIS, course(seconds));
    }

    /// Rates of the intervals that are whole.
    private String course(double seconds) {
        StringBuilder text = new StringBuilder();
        long before = 0;
        for (int bin = 0; bin < seconds * 1000 / BIN_MILLIS - 1; bin++) {
            long now = Math.max(before, reached.get(bin));
            text.append(String.format(Locale.ROOT, "%.2f ", (now - before) / 1e6 / BIN_MILLIS));
            before = now;
        }
        return text.toString();
    }

    /// Each process reads an equal part of each file by one connection.
    private void curl(int count, String arm, boolean kept) throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory(Path.of("/dev/shm"), "fst-curl");
        StringBuilder script = new StringBuilder();
        for (int i = 0; i < count; i++) {
            List<String> requests = new ArrayList<>();
            for (Path file : files) {
                long size = file.toFile().length();
                long part = (size + count - 1) / count;
                long end = Math.min(size, (i + 1) * part);
                for (long at = i * part; at < end; at += RANGE) {
                    requests.add("range = \"" + at + "-" + (Math.min(end, at + RANGE) - 1) + "\"\nurl = \"" + address
                            + file.getFileName() + "\"\n" + (kept ? "" : "output = \"/dev/null\"\n"));
                }
            }
            Path config = directory.resolve("config-" + i);
            Files.writeString(config, requests.stream().collect(Collectors.joining("next\nsilent\nfail\n",
                    "silent\nfail\n", "")));
            script.append("curl -K ").append(config).append(" > ")
                    .append(kept ? directory.resolve("part-" + i) : "/dev/null").append(" & p=\"$p $!\"\n");
        }
        script.append("for each in $p; do wait $each || exit 1; done\ntimes\n");
        Baselines.prewarm((long) bytes);
        long start = System.nanoTime();
        Process shell = new ProcessBuilder("bash", "-c", script.toString()).redirectErrorStream(true).start();
        String said = new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = shell.waitFor();
        double seconds = (System.nanoTime() - start) / 1e9;
        long written = 0;
        try (Stream<Path> all = Files.list(directory)) {
            for (Path each : all.toList()) {
                written += each.getFileName().toString().startsWith("part-") ? Files.size(each) : 0;
                Files.delete(each);
            }
        }
        Files.delete(directory);
        if (status != 0 || (kept && written != bytes)) {
            throw new IllegalStateException("curl failed, with " + written + " bytes: " + said);
        }
        double cpu = 0;
        for (Matcher time = TIME.matcher(said); time.find();) {
            cpu += Integer.parseInt(time.group(1)) * 60 + Double.parseDouble(time.group(2));
        }
        arm(arm, "GB/s", bytes / 1e9 / seconds);
        arm(arm, "CPU s", cpu);
    }

    private void arm(String arm, String unit, double value) {
        String name = arm + ", " + unit;
        arms.computeIfAbsent(name, _ -> new Samples(name, unit)).add(value);
        System.out.printf(Locale.ROOT, "%-40s %8.2f%n", name, value);
    }

    private void report(int[] processes, String delay) {
        System.out.println();
        arms.forEach((name, values) -> System.out.printf(Locale.ROOT, "%-40s median %8.2f  min %8.2f  max %8.2f%n",
                name, values.median(), values.min(), values.max()));
        for (String millis : new String[] {"0", delay}) {
            for (String kind : new String[] {" curl", " curl to memory"}) {
                int best = Arrays.stream(processes).boxed()
                        .max((a, b) -> Double.compare(median(millis + " ms, " + a + kind + ", GB/s"),
                                median(millis + " ms, " + b + kind + ", GB/s")))
                        .orElseThrow();
                String curl = millis + " ms, " + best + kind;
                System.out.printf(Locale.ROOT, "%-40s %8.3f, CPU time %8.3f%n", "fst of " + curl,
                        median(millis + " ms, fst, GB/s") / median(curl + ", GB/s"),
                        median(millis + " ms, fst, CPU s") / median(curl + ", CPU s"));
            }
        }
    }

    private double median(String name) {
        return Objects.requireNonNull(arms.get(name), name).median();
    }
}
