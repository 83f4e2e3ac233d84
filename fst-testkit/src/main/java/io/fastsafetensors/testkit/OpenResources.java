package io.fastsafetensors.testkit;

import io.fastsafetensors.testkit.ffm.NativeHeap;
import io.fastsafetensors.testkit.leak.ProcessSnapshot;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.stream.Stream;

/// The descriptors, mappings and threads of this process at one moment, those of the virtual machine left out.
///
/// @param files files and mappings
/// @param others descriptors of sockets, pipes, device nodes and the like, counted by kind
/// @param threads live platform threads
/// @param heapBytes what was allocated of the C library's heap, or else its size, which [ProcessSnapshot] does not count
/// @param owned tells which threads are expected
record OpenResources(ProcessSnapshot files, Map<String, Integer> others, Set<Thread> threads, long heapBytes,
        Predicate<Thread> owned) {
    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");
    private static final Path MAPS = Path.of("/proc/self/maps");
    private static final long HEAP_TOLERANCE = 64 << 20;
    private static final Duration LONGEST = Duration.ofSeconds(10);
    private static final Duration STEP = Duration.ofMillis(5);

    static OpenResources now(Predicate<Thread> owned) {
        return new OpenResources(ProcessSnapshot.take("fst-"), otherDescriptors(),
                Set.copyOf(Thread.getAllStackTraces().keySet()),
                NativeHeap.usedBytes().orElseGet(OpenResources::heapOfTheCLibrary), owned);
    }

    /// How long to wait for what ends by itself.
    static Duration patience() {
        return Workbench.patience().compareTo(LONGEST) < 0 ? Workbench.patience() : LONGEST;
    }

    /// What is there now and was not then, in words; waits a while for what ends by itself. Collects no garbage: what
    /// only a cleaner closes was not closed.
    List<String> moreNow() {
        return moreNow(1);
    }

    /// As above, of what is there so many times more at least.
    List<String> moreNow(int least) {
        long end = System.nanoTime() + patience().toNanos();
        List<String> more = more(least);
        while (!more.isEmpty() && System.nanoTime() < end) {
            LockSupport.parkNanos(STEP.toNanos());
            more = more(least);
        }
        return more;
    }

    private List<String> more(int least) {
        OpenResources now = now(owned);
        List<String> more = new ArrayList<>();
        compare("open file", files.files(), now.files.files(), least, more);
        compare("mapping of", files.mappings(), now.files.mappings(), least, more);
        compare("descriptor of kind", others, now.others, least, more);
        List<String> started = now.threads.stream()
                .filter(t -> !threads.contains(t) && t.isAlive() && !isMachines(t) && !owned.test(t))
                .map(t -> "thread " + t.getName()).toList();
        long grown = now.heapBytes - heapBytes;
        if (grown > HEAP_TOLERANCE) {
            more.add("the C library's heap grew by " + grown + " bytes");
        }
        if (started.size() >= least) {
            more.addAll(started);
        }
        return more;
    }

    private static void compare(String what, Map<String, Integer> then, Map<String, Integer> now, int least,
            List<String> more) {
        int reported = more.size();
        now.forEach((name, count) -> {
            int added = count - then.getOrDefault(name, 0);
            if (added >= least) {
                more.add(what + " " + name + (added > 1 ? " (" + added + " times)" : ""));
            }
        });
        // Each may have a name of its own.
        List<String> fresh = now.keySet().stream().filter(name -> !then.containsKey(name)).sorted().toList();
        if (more.size() == reported && fresh.size() >= least) {
            more.add(fresh.size() + " times " + what + " such as " + fresh.getFirst());
        }
    }

    private static boolean isMachines(Thread thread) {
        ThreadGroup group = thread.getThreadGroup();
        return group == null || group.getName().equals("system")
                || thread.getClass().getName().startsWith("jdk.internal.");
    }

    private static Map<String, Integer> otherDescriptors() {
        Map<String, Integer> others = new HashMap<>();
        if (!Files.isDirectory(DESCRIPTORS)) {
            return others;
        }
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(DESCRIPTORS)) {
            for (Path descriptor : descriptors) {
                String target = target(descriptor);
                // Such as socket:[4711] and /dev/acme0; what files there are is counted by path elsewhere.
                if (target.startsWith("/dev/")) {
                    others.merge(target, 1, Integer::sum);
                } else if (target.indexOf(':') > 0 && !target.startsWith("/")) {
                    others.merge(target.replaceAll("\\[\\d+\\]", "").replace(":", ""), 1, Integer::sum);
                }
            }
        } catch (IOException _) {
            return Map.of();
        }
        return others;
    }

    /// The size of the mapping that the C library extends as it needs.
    private static long heapOfTheCLibrary() {
        try (Stream<String> lines = Files.lines(MAPS)) {
            return lines.filter(line -> line.endsWith("[heap]")).map(line -> line.split("[- ]", 3))
                    .mapToLong(ends -> Long.parseUnsignedLong(ends[1], 16) - Long.parseUnsignedLong(ends[0], 16)).sum();
        } catch (IOException | UncheckedIOException _) {
            return 0;
        }
    }

    /// Where a descriptor points to; empty if it was closed meanwhile.
    private static String target(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (IOException _) {
            return "";
        }
    }
}
