package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.cli.Screen;
import io.fastsafetensors.cli.Sizes;
import io.fastsafetensors.cli.UsageException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.DeviceInfo;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// Measures a device: every section in turn, then one table with a row for each bar. Options are those of [BenchSettings].
///
/// Exit status: 0 every row holds, 1 some row does not, 2 wrong usage.
public final class GpuBench {
    private static final Map<String, Section> SECTIONS = sections();

    private GpuBench() {
    }

    /// In this order, since the last ones leave the page cache and the first ones want it their way.
    private static Map<String, Section> sections() {
        Map<String, Section> sections = new LinkedHashMap<>();
        sections.put("warm", new WarmSection());
        sections.put("together", new TogetherSection());
        sections.put("first", new FirstLoadSection());
        sections.put("process", new ProcessSection());
        sections.put("cold", new ColdSection());
        sections.put("layouts", new LayoutSection());
        sections.put("convert", new ConvertSection());
        sections.put("dequantize", new DequantizeSection());
        sections.put("budget", new BudgetSection());
        sections.put("kernels", new KernelSection());
        sections.put("ranks", new RanksSection());
        sections.put("remote", new RemoteSection());
        sections.put("mapped", new MappedSection());
        sections.put("faults", new FaultSection());
        return sections;
    }

    /// Runs it.
    public static void main(String[] args) {
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        try {
            System.exit(run(BenchSettings.parse(args, List.copyOf(SECTIONS.keySet())), Screen.unwatched(out, out)));
        } catch (UsageException e) {
            System.err.println(e.getMessage());
            System.exit(2);
        } catch (IOException | FstException e) {
            System.err.println(e.getMessage());
            System.exit(1);
        }
    }

    private static int run(BenchSettings settings, Screen screen) throws IOException {
        Report report = new Report(screen);
        try (Bench bench = new Bench(settings, report)) {
            describe(bench);
            for (String name : settings.sections()) {
                long start = System.nanoTime();
                report.say(name);
                run(name, bench);
                report.say("  took " + Sizes.time((System.nanoTime() - start) / 1e9));
            }
        }
        report.finish(settings.results());
        if (settings.bytes() != BenchSettings.FULL_BYTES) {
            report.say(
                    "The bars were set for " + BenchSettings.FULL_BYTES + " bytes; at another size they are a hint.");
        }
        return report.isFailed() ? 1 : 0;
    }

    @SuppressWarnings("CallToPrintStackTrace")
    private static void run(String name, Bench bench) {
        try {
            SECTIONS.getOrDefault(name, _ -> {
                throw new IllegalArgumentException(name);
            }).run(bench);
        } catch (UnsupportedFeatureException e) {
            bench.report().notApplicable(name, String.valueOf(e.getMessage()));
        } catch (RuntimeException e) {
            e.printStackTrace();
            bench.report().row(name, "can be measured", e.getClass().getSimpleName() + ": " + e.getMessage(), false);
        }
    }

    private static void describe(Bench bench) throws IOException {
        BenchSettings settings = bench.settings();
        DeviceInfo device = bench.backend().info();
        bench.report().say(device.device() + " " + device.name() + " through " + bench.backend().name() + ", "
                + Sizes.human(device.totalBytes()) + " " + new TreeMap<>(device.attributes()));
        bench.report().say("Linux " + Files.readString(Path.of("/proc/sys/kernel/osrelease")).strip() + ", "
                + Runtime.getRuntime().availableProcessors() + " cores, Java " + Runtime.version() + "; checkpoints of "
                + settings.bytes() + " bytes in " + settings.directory().toAbsolutePath() + ", " + settings.rounds()
                + " rounds; medians (least–most)");
    }
}
