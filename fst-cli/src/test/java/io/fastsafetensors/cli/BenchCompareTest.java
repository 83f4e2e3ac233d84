package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `fst bench compare`: on fixed results, on hostile ones, and its statistics.
class BenchCompareTest {
    @TempDir
    private Path directory;

    /// A result of two arms whose rounds lie around two rates.
    static String result(int rounds, double load, double copy) {
        StringBuilder text = new StringBuilder("""
                fst-bench\t1
                fact\tbytes\t1000000000
                fact\tdevice\tcuda:0
                fact\tdevice_name\tTest GPU
                note\tnothing to add
                """);
        text.append("arm\tload\twarm\tcuda\t1000000000\tGB/s");
        for (int i = 0; i < rounds; i++) {
            text.append('\t').append(load * (1 + i / 1000.0));
        }
        text.append("\narm\tcopy\tnone\tcuda\t-1\tGB/s");
        for (int i = 0; i < rounds; i++) {
            text.append('\t').append(copy * (1 + (i * 5 % rounds) / 1000.0));
        }
        return text.append("\nend\t7\n").toString();
    }

    private Path write(String name, String text) throws IOException {
        return Files.writeString(directory.resolve(name), text);
    }

    private Map<String, List<String>> compare(String a, String b) throws IOException {
        Cli.Result result = Cli.run("bench", "compare", "--format", "tsv", write("a.txt", a), write("b.txt", b));
        assertEquals(0, result.status(), result.err());
        Map<String, List<String>> rows = new TreeMap<>();
        result.rows().forEach(row -> rows.put(row.getFirst(), row));
        return rows;
    }

    @Test
    void differences_are_told_with_ratio_interval_and_corrected_p() throws IOException {
        Map<String, List<String>> rows = compare(result(7, 1, 2), result(7, 3, 2));
        List<String> load = rows.get("load");
        assertEquals(3, Double.parseDouble(load.get(5)), 1e-3);
        assertTrue(Double.parseDouble(load.get(6)) > 2.9 && Double.parseDouble(load.get(7)) < 3.1, load::toString);
        // All 7 below all 7: one of C(14, 7) = 3432 divisions at either side.
        assertEquals(2.0 / 3432, Double.parseDouble(load.get(8)), 1e-6);
        assertEquals(4.0 / 3432, Double.parseDouble(load.get(9)), 1e-6);
        assertEquals("faster", load.get(10));
        assertEquals("no_difference", rows.get("copy").get(10));
        assertEquals("1.000000", rows.get("copy").get(8));
        assertEquals("slower", compare(result(7, 3, 2), result(7, 1, 2)).get("load").get(10));
    }

    @Test
    void few_rounds_tell_nothing() throws IOException {
        List<String> load = compare(result(3, 1, 2), result(3, 3, 2)).get("load");
        assertEquals("too_few_rounds", load.get(10));
        assertEquals("", load.get(6));
    }

    @Test
    void text_sums_up() throws IOException {
        Cli.Result result =
                Cli.run("bench", "compare", write("a.txt", result(7, 1, 2)), write("b.txt", result(7, 3, 2)));
        assertTrue(result.lines().getLast().startsWith("Of 2 arms, 1 faster, 0 slower, 1 without"), result.out());
    }

    @Test
    void what_is_not_comparable_is_refused() throws IOException {
        Path a = write("a.txt", result(7, 1, 2));
        Map<String, String> others = Map.of("device", result(7, 1, 2).replace("cuda:0", "cuda:1"), "device name",
                result(7, 1, 2).replace("Test GPU", "Other GPU"), "bytes",
                result(7, 1, 2).replace("bytes\t1000000000", "bytes\t1000000001"), "no arm in common",
                result(7, 1, 2).replace("warm\tcuda", "warm\thip").replace("none\tcuda", "none\thip"));
        for (Map.Entry<String, String> other : others.entrySet()) {
            assertRefused(other.getKey(), a, write("b.txt", other.getValue()));
        }
    }

    @Test
    void arms_of_one_result_alone_are_named() throws IOException {
        String without = result(7, 1, 2).replaceAll("arm\tcopy.*\n", "").replace("end\t7", "end\t6");
        Cli.Result result = Cli.run("bench", "compare", write("a.txt", result(7, 1, 2)), write("b.txt", without));
        assertTrue(result.lines().getLast().contains("Only in one result: copy alone, cuda (first)"), result.out());
    }

    private static void assertRefused(String hint, Path a, Path b) {
        Cli.Result result = Cli.run("bench", "compare", a, b);
        assertEquals(1, result.status(), hint);
        assertEquals("", result.out());
        assertEquals(1, result.errors().size(), result.err());
        assertTrue(result.err().contains(hint), hint + ": " + result.err());
        assertFalse(result.err().contains("internal error") || result.err().contains("null"), result.err());
        assertFalse(result.err().contains("\u001b"), result.err());
    }

    @Test
    void every_cut_result_is_refused() throws IOException {
        Path a = write("a.txt", result(3, 1, 2));
        byte[] whole = result(3, 1, 2).getBytes(StandardCharsets.UTF_8);
        for (int length = 0; length < whole.length; length++) {
            Path cut = Files.write(directory.resolve("cut.txt"), Arrays.copyOf(whole, length));
            assertRefused(cut.toString(), a, cut);
            assertRefused(cut.toString(), cut, a);
        }
    }

    @Test
    void hostile_results_are_refused_in_one_line_that_names_the_file() throws IOException {
        Path a = write("a.txt", result(3, 1, 2));
        String good = result(3, 1, 2);
        List<String> hostile = new ArrayList<>(List.of("", "\n", "fst-bench", "{}", "fst-bench\t2\nend\t1\n",
                "fst-bench\t1\nend\t1\n", good + "\n", good + good, good.replace("\n", "\r\n"), "\uFEFF" + good,
                good.replace("note\tnothing to add", "nota\t\u001b[2J"), good.replace("note\tnothing", "note\ta\tb"),
                good.replace("fact\tdevice\t", "fact\tother\t"), good.replace("GB/s", "MB/s"),
                good.replace("load\twarm", "LOAD\twarm"), good.replace("load\twarm", "load\tluke"),
                good.replace("copy\tnone\tcuda\t-1", "load\twarm\tcuda\t-1"),
                good.replace("bytes\t1000000000", "bytes\t0"), good.replace("bytes\t1000000000", "bytes\t-5"),
                good.replace("bytes\t1000000000", "bytes\t99999999999999999999"),
                good.replace("fact\tdevice_name", "fact\tdevice"), good.replace("\t-1\t", "\t-2\t"),
                good.replace("\t-1\t", "\t\t"), good.replaceFirst("GB/s\t[^\n]*", "GB/s")));
        for (String rate : List.of("NaN", "Infinity", "-1", "0", "1e999", "1E400", "0x1p3", "1d", " 1", "", "٣",
                "1".repeat(400), "1E-400")) {
            hostile.add(good.replaceFirst("GB/s\t[^\t]*", "GB/s\t" + rate));
        }
        hostile.add(good.replaceFirst("GB/s\t", "GB/s\t" + "1.0\t".repeat(60)));
        for (String text : hostile) {
            Path file = write("hostile.txt", text);
            assertRefused(file.toString(), a, file);
        }
        Path binary = Files.write(directory.resolve("binary"), new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1});
        assertRefused("not UTF-8", binary, a);
        Path large = Files.write(directory.resolve("large"), new byte[5 << 20]);
        assertRefused("larger than 4.00 MiB", a, large);
        assertRefused("does not exist", a, directory.resolve("absent"));
        assertRefused("cannot be read", a, directory);
    }

    @Test
    void p_is_that_of_counting_every_division() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        Random random = new Random(seed);
        for (int i = 0; i < 200; i++) {
            List<Double> a = values(random, 1 + random.nextInt(5));
            List<Double> b = values(random, 1 + random.nextInt(5));
            assertEquals(counted(a, b), RankSum.of(a, b, 1).p(), 1e-9, "fst.seed=" + seed + ": " + a + " " + b);
        }
    }

    /// Few different ones, so that there are ties.
    private static List<Double> values(Random random, int count) {
        return random.ints(count, 1, 7).asDoubleStream().boxed().toList();
    }

    private static double counted(List<Double> a, List<Double> b) {
        List<Double> all = new ArrayList<>(a);
        all.addAll(b);
        double observed = wins(a, b);
        int below = 0;
        int above = 0;
        int divisions = 0;
        for (int chosen = 0; chosen < 1 << all.size(); chosen++) {
            if (Integer.bitCount(chosen) == a.size()) {
                List<Double> first = new ArrayList<>();
                List<Double> second = new ArrayList<>();
                for (int i = 0; i < all.size(); i++) {
                    ((chosen >> i & 1) == 1 ? first : second).add(all.get(i));
                }
                divisions++;
                below += wins(first, second) <= observed ? 1 : 0;
                above += wins(first, second) >= observed ? 1 : 0;
            }
        }
        return Math.min(1, 2.0 * Math.min(below, above) / divisions);
    }

    /// Mann and Whitney's U.
    private static double wins(List<Double> a, List<Double> b) {
        return a.stream().mapToDouble(x -> b.stream().mapToDouble(y -> x > y ? 1 : x.equals(y) ? 0.5 : 0).sum()).sum();
    }

    @Test
    void a_difference_is_significant_where_its_interval_leaves_out_one() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        Random random = new Random(seed);
        int significant = 0;
        for (int i = 0; i < 300; i++) {
            double shift = 1 + random.nextInt(3) * 0.3;
            List<Double> a = random.doubles(3 + random.nextInt(8), 1, 2).boxed().toList();
            List<Double> b = random.doubles(3 + random.nextInt(8), shift, shift + 1).boxed().toList();
            RankSum ranks = RankSum.of(a, b, 1 + random.nextInt(4));
            boolean found = ranks.corrected() <= RankSum.ALPHA;
            assertEquals(found, ranks.low() > 1 || ranks.high() < 1, "fst.seed=" + seed + ": " + a + " " + b);
            significant += found ? 1 : 0;
        }
        assertTrue(significant > 10 && significant < 290, "fst.seed=" + seed + ": " + significant);
    }
}
