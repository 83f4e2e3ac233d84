package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.cli.Sizes;
import io.fastsafetensors.cli.UsageException;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The options of a run.
///
/// @param device where checkpoints go
/// @param backend the backend's name, or empty for the best one
/// @param directory where checkpoints are written
/// @param results where tables are written
/// @param bytes the size of a checkpoint
/// @param tensors how many tensors the checkpoint of small ones has
/// @param rounds how often each arm runs
/// @param closes how many loads are closed half-way
/// @param launcher the `fst` command
/// @param baseline the Python program to compare with
/// @param python the Python interpreter
/// @param sections what to run
record BenchSettings(Device device, Optional<String> backend, Path directory, Path results, long bytes, int tensors,
        int rounds, int closes, Path launcher, Path baseline, String python, List<String> sections) {
    /// The size that the bars were set for.
    static final long FULL_BYTES = 8_700_000_000L;

    private static final Map<String, String> OPTIONS = options();

    private static Map<String, String> options() {
        Map<String, String> options = new LinkedHashMap<>();
        options.put("--device", "cuda:0");
        options.put("--backend", "");
        options.put("--dir", ".");
        options.put("--results", "fst-results");
        options.put("--bytes", Long.toString(FULL_BYTES));
        options.put("--tensors", "2000");
        options.put("--rounds", "7");
        options.put("--closes", "200");
        options.put("--launcher", "./fst");
        options.put("--baseline", "safetensors_baseline.py");
        options.put("--python", "python3");
        options.put("--only", "");
        return options;
    }

    /// Reads a command line.
    ///
    /// @param known the names of all sections
    /// @throws UsageException if it makes no sense
    static BenchSettings parse(String[] args, List<String> known) {
        Map<String, String> given = new LinkedHashMap<>(OPTIONS);
        for (int i = 0; i < args.length; i += 2) {
            if (!given.containsKey(args[i]) || i + 1 == args.length) {
                throw new UsageException(usage(known));
            }
            given.put(args[i], args[i + 1]);
        }
        String only = value(given, "--only");
        List<String> sections = only.isEmpty() ? known : Arrays.asList(only.split(",", -1));
        if (!known.containsAll(sections)) {
            throw new UsageException("--only " + only + ": sections are " + String.join(",", known));
        }
        String backend = value(given, "--backend");
        return new BenchSettings(Device.parse(value(given, "--device")),
                backend.isEmpty() ? Optional.empty() : Optional.of(backend), Path.of(value(given, "--dir")),
                Path.of(value(given, "--results")), Sizes.parse("--bytes", value(given, "--bytes")),
                count(given, "--tensors"), count(given, "--rounds"), count(given, "--closes"),
                Path.of(value(given, "--launcher")), Path.of(value(given, "--baseline")), value(given, "--python"),
                sections);
    }

    private static String usage(List<String> known) {
        StringBuilder text = new StringBuilder("options, each with a value, and what they are by default:");
        OPTIONS.forEach((name, value) -> text.append("\n  ").append(name).append(' ').append(value));
        return text.append("\n--only takes some of ").append(String.join(",", known)).toString();
    }

    private static String value(Map<String, String> given, String name) {
        return given.getOrDefault(name, "");
    }

    private static int count(Map<String, String> given, String name) {
        try {
            int count = Integer.parseInt(value(given, name));
            if (count > 0) {
                return count;
            }
        } catch (NumberFormatException e) {
            throw (UsageException) new UsageException(name + ": " + value(given, name) + " is no number").initCause(e);
        }
        throw new UsageException(name + ": at least 1");
    }
}
