import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Draws README's chart from the committed results, for light and dark pages. From the root of the repository:
///
/// ```
/// java docs/benchmarks/Chart.java            # writes docs/images/h200-light.svg and -dark.svg
/// java docs/benchmarks/Chart.java --check    # fails where a file is not what would be written
/// ```
final class Chart {
    private static final Path RESULTS = Path.of("docs/benchmarks/results/h200-2026-11-23.tsv");
    private static final String TITLE = "8.7 GB of weights from the page cache to an NVIDIA H200";
    private static final int WIDTH = 560;
    private static final int LEFT = 206;
    private static final int RIGHT = 78;
    private static final int ROW = 26;

    /// A group of bars in one unit.
    record Group(String heading, String unit, List<Bar> bars) {
    }

    /// A bar.
    ///
    /// @param arm its row in the results
    record Bar(String label, String arm, boolean ours) {
    }

    private static final List<Group> GROUPS = List.of(
            new Group("Rate, GB/s (longer is better)", "GB/s", List.of(
                    new Bar("what PCIe allows", "pinned copy, host to device", false),
                    new Bar("fst, loaded again", "load, page cache and slots warm, in turns with Python", true),
                    new Bar("safetensors (Python), again", "safetensors load_file, again in its process", false),
                    new Bar("fst, first load of a process", "fst load, page cache warm, by its own clock", true),
                    new Bar("safetensors (Python), first", "safetensors load_file, first of its process", false))),
            new Group("Process start to all resident, s (shorter is better)", "s", List.of(
                    new Bar("fst load", "fst load, whole process, in turns with Python", true),
                    new Bar("safetensors (Python)",
                            "Python with safetensors, from its start to all resident, page cache warm", false))));

    private record Look(String name, String text, String faint, String ours, String other) {
    }

    private Chart() {
    }

    public static void main(String[] args) throws IOException {
        boolean check = List.of(args).contains("--check");
        Map<String, Map.Entry<String, Double>> results = results();
        for (Look look : List.of(new Look("light", "#1f2328", "#656d76", "#0969da", "#afb8c1"),
                new Look("dark", "#e6edf3", "#8d96a0", "#4493f8", "#484f58"))) {
            Path file = Path.of("docs/images/h200-" + look.name() + ".svg");
            String svg = draw(results, look);
            if (!check) {
                Files.createDirectories(file.getParent());
                Files.writeString(file, svg);
            } else if (!Files.readString(file).equals(svg)) {
                throw new IllegalStateException(file + " is not of " + RESULTS + ": run java docs/benchmarks/Chart.java");
            }
        }
    }

    private static Map<String, Map.Entry<String, Double>> results() throws IOException {
        Map<String, Map.Entry<String, Double>> medians = new HashMap<>();
        for (String line : Files.readAllLines(RESULTS).stream().skip(1).toList()) {
            String[] cells = line.split("\t", -1);
            medians.put(cells[0], Map.entry(cells[1], Double.valueOf(cells[2])));
        }
        return medians;
    }

    private static double median(Map<String, Map.Entry<String, Double>> results, String arm, String unit) {
        Map.Entry<String, Double> result = results.get(arm);
        if (result == null || !result.getKey().equals(unit)) {
            throw new IllegalStateException(RESULTS + " has no arm \"" + arm + "\" in " + unit);
        }
        return result.getValue();
    }

    private static String draw(Map<String, Map.Entry<String, Double>> results, Look look) {
        List<String> parts = new ArrayList<>();
        int y = 24;
        parts.add(text(0, y, "start", look.text(), "font-weight=\"600\" font-size=\"17\"", TITLE));
        for (Group group : GROUPS) {
            y += 34;
            parts.add(text(0, y, "start", look.faint(), "", group.heading()));
            double most = group.bars().stream().mapToDouble(bar -> median(results, bar.arm(), group.unit())).max()
                    .orElseThrow();
            double scale = (WIDTH - LEFT - RIGHT) / most;
            for (Bar bar : group.bars()) {
                double value = median(results, bar.arm(), group.unit());
                y += ROW;
                parts.add(text(LEFT - 8, y, "end", look.text(), bar.ours() ? "font-weight=\"600\"" : "", bar.label()));
                parts.add(String.format(Locale.ROOT,
                        "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"18\" rx=\"3\" fill=\"%s\"/>", LEFT, y - 14,
                        value * scale, bar.ours() ? look.ours() : look.other()));
                parts.add(text((int) (LEFT + value * scale) + 6, y, "start", look.text(), "", number(value)));
            }
        }
        return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + WIDTH + " " + (y + 20)
                + "\" font-family=\"-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\" font-size=\"15\" width=\"680\" role=\"img\">\n<title>"
                + TITLE + "</title>\n" + String.join("\n", parts) + "\n</svg>\n";
    }

    private static String number(double value) {
        return value >= 10 ? String.format(Locale.ROOT, "%.1f", value) : String.format(Locale.ROOT, "%.2f", value);
    }

    private static String text(int x, int y, String anchor, String fill, String more, String content) {
        return "<text x=\"" + x + "\" y=\"" + y + "\" text-anchor=\"" + anchor + "\" fill=\"" + fill + "\""
                + (more.isEmpty() ? "" : " " + more) + ">" + content + "</text>";
    }
}
