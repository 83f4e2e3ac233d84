package io.fastsafetensors.cli;

import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.Device;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// `fst demo`: the whole way on made-up weights, from writing to a check of every byte.
final class DemoCommand implements Command {
    @Override
    public void describe(Syntax syntax) {
        syntax.value("--dir", "DIR", "the directory to write to (default: the temporary directory)");
        syntax.value("--size", "SIZE", "the size of the checkpoint (default 1GiB)");
        syntax.value("--device", "DEVICE", "the device to load to (default auto: a GPU or accelerator, else the CPU)");
        syntax.flag("--keep", "keep the checkpoint");
    }

    @Override
    public int run(Line line, Screen screen) {
        Path parent = Line.path(line.value("--dir", System.getProperty("java.io.tmpdir")));
        Device device = line.read("--device", "auto", Device::parse);
        boolean keep = line.isSet("--keep");
        DemoCheckpoint checkpoint = new DemoCheckpoint(
                line.read("--size", "1GiB", text -> Sizes.parse("--size", text)));
        requireRoom(parent, checkpoint.byteSize());
        try (TemporaryDirectory directory = TemporaryDirectory.create(parent, keep)) {
            return run(checkpoint, directory.path(), device, keep, screen);
        }
    }

    private static int run(DemoCheckpoint checkpoint, Path directory, Device device, boolean keep, Screen screen) {
        long bytes = checkpoint.byteSize();
        screen.out().println("Llama-shaped BF16 checkpoint: " + Sizes.count(checkpoint.parts().size(), "tensor") + ", "
                + Sizes.human(bytes) + ", in " + directory);
        screen.out().flush();

        DemoCheckpoint.Written written;
        try (ProgressBar bar = new ProgressBar("writing", screen)) {
            written = checkpoint.write(directory, bar);
        }
        step(screen, "wrote", bytes, written.seconds(), written.files().size() - 1 + " shards and an index, on disk");

        List<String> wrong = loadAndCompare(written, directory, bytes, device, screen);
        if (!wrong.isEmpty()) {
            throw new CommandException(
                    Sizes.count(wrong.size(), "tensor") + " came back with other bytes, the first is "
                            + wrong.getFirst(),
                    null);
        }
        String place = keep ? directory.toString() : "PATH";
        screen.out().println(keep ? "The checkpoint stays in " + directory
                : "Every byte is right, and everything is cleaned up again.");
        screen.out().println();
        screen.out().println("Next, with a checkpoint of your own"
                + (keep ? " or this one:" : " (fst demo --keep leaves this one for you):"));
        screen.out().println("  fst ls " + place);
        screen.out().println("      what is in it");
        screen.out().println("  fst load --drop-cache --repeat 3 " + place);
        screen.out().println("      how fast it loads from the disk itself");
        screen.out().println("  fst doctor " + place);
        screen.out().println("      what this machine can do, and how it would read it");
        return 0;
    }

    private static List<String> loadAndCompare(DemoCheckpoint.Written written, Path directory, long bytes,
            Device device, Screen screen) {
        ProgressBar bar = new ProgressBar("loading", screen);
        try (Loader loader = Loader.builder().device(device).progress(bar).build()) {
            long start = System.nanoTime();
            try (Weights weights = loader.load(directory)) {
                try (bar) {
                    weights.awaitAll();
                }
                double seconds = since(start);
                LoadStats stats = weights.stats();
                step(screen, "loaded", bytes, seconds,
                        "to " + loader.device() + " through " + loader.backend().name() + ", first tensor after "
                                + Sizes.time(stats.secondsFirstTensor()) + ", " + percent(stats.bytesFromCache(), stats)
                                + " from the page cache");
                start = System.nanoTime();
                List<String> wrong = compare(written.digests(), DigestList.sha256(weights));
                step(screen, "verified", bytes, since(start),
                        Sizes.count(written.digests().size() - wrong.size(), "SHA-256 digest") + " right");
                return wrong;
            }
        }
    }

    private static void step(Screen screen, String verb, long bytes, double seconds, String detail) {
        String padded = verb + " ".repeat(9 - verb.length());
        screen.out().println("  " + screen.styled(Screen.Style.STRONG, padded) + " " + Sizes.human(bytes) + " in "
                + Sizes.time(seconds) + ", " + screen.styled(Screen.Style.GOOD, Sizes.speed(bytes, seconds)) + "  ("
                + detail + ")");
        screen.out().flush();
    }

    private static List<String> compare(Map<String, String> expected, Map<String, String> found) {
        List<String> wrong = new ArrayList<>();
        expected.forEach((name, digest) -> {
            if (!digest.equals(found.get(name))) {
                wrong.add(name);
            }
        });
        return wrong;
    }

    private static void requireRoom(Path parent, long bytes) {
        long needed = bytes + bytes / 16;
        if (!Files.isDirectory(parent)) {
            throw new CommandException("there is no directory " + parent + "; --dir names another place", null);
        }
        // Of the directory itself: a file store is looked for among the mounts, which a container may not see.
        long free = parent.toFile().getUsableSpace();
        if (free < needed) {
            throw new CommandException(parent + " has only " + Sizes.human(free) + " free, the demo needs "
                    + Sizes.human(needed) + "; --dir names another place, --size asks for less", null);
        }
    }

    private static String percent(long part, LoadStats stats) {
        return (stats.bytesRead() == 0 ? 0 : Math.round(100.0 * part / stats.bytesRead())) + " %";
    }

    private static double since(long start) {
        return (System.nanoTime() - start) / 1e9;
    }
}
