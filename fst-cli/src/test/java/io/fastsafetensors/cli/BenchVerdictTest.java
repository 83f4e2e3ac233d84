package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Conclusions on the page that is made of a result.
class BenchVerdictTest {
    @TempDir
    private Path directory;

    /// The page of a result in which all rounds of an arm have one rate.
    ///
    /// @param storage GB/s, 0 without that arm
    /// @param mapped whether loads map
    private String page(long bytes, double storage, double copy, double load, String mapped) throws IOException {
        String text = "fst-bench\t1\nfact\tbytes\t" + bytes + "\nfact\tdevice\tcpu\nfact\tdevice_name\tx\n"
                + "fact\tmapped_bytes cpu\t" + mapped + "\n"
                + (storage == 0 ? "" : "arm\tstorage\twarm\t\t" + bytes + "\tGB/s\t" + storage + "\n")
                + "arm\tcopy\tnone\tcpu\t-1\tGB/s\t" + copy + "\narm\tload\twarm\tcpu\t" + bytes + "\tGB/s\t" + load
                + "\n";
        Path file = Files.writeString(directory.resolve("r.txt"), text + "end\t" + text.lines().count() + "\n");
        Path page = directory.resolve("page.html");
        Cli.Result result = Cli.run("bench", "compare", file, file, "--html", page);
        assertEquals(0, result.status(), result.err());
        return Files.readString(page);
    }

    private static final long BYTES = 1_000_000_000;

    private void assertSays(String sentence, double storage, double copy, double load) throws IOException {
        String page = page(BYTES, storage, copy, load, "none");
        assertTrue(page.contains(sentence), page);
    }

    @Test
    void the_slower_part_bounds_a_load_that_reaches_it() throws IOException {
        assertSays("95 % of storage alone, warm. Storage bounds it.", 2, 10, 1.9);
        assertSays("95 % of copy alone, cpu. The copy to the device bounds it.", 10, 2, 1.9);
        assertSays("bound it together", 2, 2.1, 1.9);
    }

    @Test
    void nothing_is_said_to_bound_a_load_that_exceeds_it() throws IOException {
        assertSays("150 % of storage alone, warm. The load exceeds what storage alone, warm reached", 2, 10, 3);
        assertSays("105 % of storage alone, warm. Storage bounds it.", 2, 10, 2.1);
    }

    @Test
    void a_load_far_from_both_is_bounded_by_neither() throws IOException {
        assertSays("reads alone take 0.50 s, copies alone 0.50 s. The load takes about the sum", 2, 2, 1);
        assertSays("reads alone take 0.50 s, copies alone 0.50 s. The rest is what only a load does", 2, 2, 0.5);
        // The sum of a long part and a short one is nearly the long one.
        assertSays("The rest is what only a load does", 2, 50, 1.75);
    }

    @Test
    void without_storage_the_copy_is_the_only_limit() throws IOException {
        assertSays("The copy to the device bounds it. Storage alone was not measured.", 0, 2, 1.9);
    }

    @Test
    void no_limit_applies_to_mapped_pages() throws IOException {
        String page = page(BYTES, 5, 5, 300, "all");
        assertTrue(page.contains("nothing is read or copied, so neither limit applies"), page);
        assertTrue(page(BYTES, 5, 50, 4.9, "some").contains("Storage bounds it."));
    }

    @Test
    void little_says_little() throws IOException {
        assertTrue(page(1000, 2, 10, 1.9, "none").contains("Less than 64.0 MiB says little"));
    }
}
