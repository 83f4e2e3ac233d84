package io.fastsafetensors.testkit.group;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.BufferSlice;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/// Scripts of ranks for groups where the last rank misbehaves; two ranks or more. The group is broken afterwards, or
/// closed.
public final class BrokenScripts {
    /// What more than the timeout a failure may take on a busy machine.
    private static final Duration SLACK = Duration.ofSeconds(20);
    /// As above, where the timeout is short, and one that is many times as long must show.
    private static final Duration LATE = Duration.ofSeconds(10);

    private BrokenScripts() {
    }

    /// All of them, by name.
    public static Map<String, RankScript> all() {
        Map<String, RankScript> all = new LinkedHashMap<>();
        all.put("otherCall", BrokenScripts::otherCall);
        all.put("otherSize", BrokenScripts::otherSize);
        all.put("otherPart", BrokenScripts::otherPart);
        all.put("skips", BrokenScripts::skips);
        all.put("leaves", BrokenScripts::leaves);
        all.put("closes", BrokenScripts::closes);
        return all;
    }

    private static boolean isLast(RankBench bench) {
        return bench.rank() == bench.size() - 1;
    }

    /// One rank calls something else than the others.
    public static void otherCall(RankBench bench) {
        BufferSlice slice = bench.zeros(10);
        GroupException e = assertThrows(GroupException.class, () -> {
            if (isLast(bench)) {
                bench.group().barrier();
            } else {
                bench.group().broadcast(slice, 0, bench.stream());
            }
        });
        assertSaid(e, "broadcast of 10 bytes from rank 0", "barrier", "rank " + (bench.size() - 1));
        assertStaysBroken(bench);
    }

    /// One rank expects another size.
    public static void otherSize(RankBench bench) {
        BufferSlice slice = bench.zeros(isLast(bench) ? 11 : 10);
        GroupException e = assertThrows(GroupException.class,
                () -> bench.group().broadcast(slice, 0, bench.stream()));
        assertSaid(e, "10 bytes", "11 bytes", "rank " + (bench.size() - 1));
        assertStaysBroken(bench);
    }

    /// One rank expects another part than the root has for it.
    public static void otherPart(RankBench bench) {
        BufferSlice into = bench.zeros(isLast(bench) ? 11 : 10);
        List<BufferSlice> parts = bench.rank() == 0
                ? IntStream.range(0, bench.size()).mapToObj(_ -> bench.zeros(10)).toList()
                : List.of();
        GroupException e = assertThrows(GroupException.class,
                () -> bench.group().scatter(parts, into, 0, bench.stream()));
        assertSaid(e, "scatter", "rank " + (bench.size() - 1));
        assertStaysBroken(bench);
    }

    /// One rank does not come; the group's timeout is short.
    public static void skips(RankBench bench) throws InterruptedException {
        ProcessGroup group = bench.group();
        group.barrier();
        Duration longest = group.timeout().plus(LATE);
        if (isLast(bench)) {
            // Its leaving would end the others' wait.
            bench.stayAway(longest.plus(LATE));
            return;
        }
        long start = System.nanoTime();
        GroupException e = assertThrows(GroupException.class, () -> group.exchange(new byte[3]));
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        assertTrue(took.compareTo(longest) < 0, () -> "took " + took);
        assertSaid(e, "rank " + (bench.size() - 1));
        assertStaysBroken(bench);
    }

    /// One rank leaves; the others learn of it at once, the group's timeout being long.
    public static void leaves(RankBench bench) {
        ProcessGroup group = bench.group();
        group.barrier();
        if (isLast(bench)) {
            group.close();
            return;
        }
        long start = System.nanoTime();
        GroupException e = assertThrows(GroupException.class, group::barrier);
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        assertTrue(took.compareTo(SLACK) < 0, () -> "took " + took);
        assertSaid(e, "rank");
        assertStaysBroken(bench);
    }

    /// Every rank leaves, more than once, and cannot come back.
    public static void closes(RankBench bench) {
        BufferSlice slice = bench.zeros(10);
        bench.group().barrier();
        bench.group().close();
        bench.group().close();
        assertThrows(IllegalStateException.class, bench.group()::barrier);
        assertThrows(IllegalStateException.class, () -> bench.group().exchange(new byte[0]));
        assertThrows(IllegalStateException.class, () -> bench.group().broadcast(slice, 0, bench.stream()));
    }

    private static void assertSaid(GroupException e, String... words) {
        for (String word : words) {
            assertTrue(String.valueOf(e.getMessage()).contains(word), () -> word + " in: " + e.getMessage());
        }
    }

    /// Later calls fail at once with the first failure as their cause.
    private static void assertStaysBroken(RankBench bench) {
        GroupException one = assertThrows(GroupException.class, bench.group()::barrier);
        GroupException two = assertThrows(GroupException.class, () -> bench.group().exchange(new byte[0]));
        assertTrue(one.getCause() instanceof GroupException, () -> "no cause: " + one);
        assertEquals(one.getCause(), two.getCause());
    }
}
