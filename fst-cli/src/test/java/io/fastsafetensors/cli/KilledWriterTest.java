package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.test.ChildProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Writers that are killed (SIGKILL) somewhere on their way.
@Timeout(1800)
@Tag("slow")
class KilledWriterTest {
    private static final long SEED = Long.getLong("fst.seed", System.nanoTime());
    private static final int LONGEST_MILLIS = 80;
    private static final String[] QUICK_START = {"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m"};

    @TempDir
    private Path directory;

    @Test
    void a_file_is_old_or_new_and_the_next_write_tidies_up() throws Exception {
        int interrupted = kill(RewriteLoop.Way.WRITE, 50) + kill(RewriteLoop.Way.REWRITE, 50);
        assertTrue(interrupted >= 10, "of 100 kills only " + interrupted + " came while a file was being written");
    }

    @Test
    void of_shards_each_file_is_old_or_new() throws Exception {
        assertTrue(kill(RewriteLoop.Way.SHARDS, 20) > 0, "no kill came while a file was being written");
    }

    /// @return how many of the kills left a temporary file behind
    private int kill(RewriteLoop.Way way, int rounds) throws Exception {
        Random random = new Random(SEED);
        boolean shards = way == RewriteLoop.Way.SHARDS;
        Path folder = Files.createDirectories(directory.resolve(way.name()));
        Path target = shards ? folder : folder.resolve("x.safetensors");
        if (way == RewriteLoop.Way.REWRITE) {
            RewriteLoop.write(RewriteLoop.Way.WRITE, target, 0);
        }
        RewriteLoop.write(way, target, 0);
        Map<String, byte[]> old = contents(folder);
        RewriteLoop.write(way, target, 1);
        Map<String, byte[]> fresh = contents(folder);
        int interrupted = 0;
        for (int round = 0; round < rounds; round++) {
            String hint = way + ", round " + round + ", -Dfst.seed=" + SEED;
            killWithin(random.nextInt(LONGEST_MILLIS), way, target);
            Map<String, byte[]> found = contents(folder);
            Set<String> left = new HashSet<>(found.keySet());
            left.removeAll(old.keySet());
            assertTrue(left.stream().allMatch(name -> name.endsWith(".fst-tmp")), left + ", " + hint);
            interrupted += left.isEmpty() ? 0 : 1;
            old.keySet().forEach(name -> assertTrue(
                    Stream.of(old, fresh).anyMatch(version -> same(version.get(name), found.get(name))),
                    name + " is neither the old file nor the new one, " + hint));
            assertEquals(6, Safetensors.open(target).tensors().size(), hint);
            RewriteLoop.write(way, target, round % 2);
            assertEquals(old.keySet(), contents(folder).keySet(), hint);
        }
        return interrupted;
    }

    private static boolean same(byte[] expected, byte[] found) {
        return found != null && Arrays.equals(expected, found);
    }

    private static void killWithin(int millis, RewriteLoop.Way way, Path target) throws Exception {
        try (ChildProcess.Running child = ChildProcess.java(RewriteLoop.class, way, target).options(QUICK_START)
                .start()) {
            child.awaitLine("writing");
            Thread.sleep(millis);
            assertTrue(child.isAlive(), "the writer ended by itself");
            child.kill();
            child.end().withStatus(128 + 9);
        }
    }

    private static Map<String, byte[]> contents(Path folder) throws IOException {
        Map<String, byte[]> contents = new TreeMap<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                contents.put(file.getFileName().toString(), Files.readAllBytes(file));
            }
        }
        return contents;
    }
}
