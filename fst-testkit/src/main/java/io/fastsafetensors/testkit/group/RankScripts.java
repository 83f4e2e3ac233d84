package io.fastsafetensors.testkit.group;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.group.PendingCollective;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.RankSlice;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.testkit.fixture.Seed;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/// Scripts of ranks for groups where every rank behaves. The group works on afterwards.
public final class RankScripts {
    private static final int[] SIZES = {0, 1, 4096, 70_001, (3 << 20) + 13};
    private static final int MANY = 100;
    private static final int AHEAD = 16;

    private RankScripts() {
    }

    /// All of them, by name.
    public static Map<String, RankScript> all() {
        Map<String, RankScript> all = new LinkedHashMap<>();
        all.put("place", RankScripts::place);
        all.put("exchange", RankScripts::exchange);
        all.put("barrier", RankScripts::barrier);
        all.put("broadcast", RankScripts::broadcast);
        all.put("scatter", RankScripts::scatter);
        all.put("allGather", RankScripts::allGather);
        all.put("pieces", RankScripts::pieces);
        all.put("transfer", RankScripts::transfer);
        all.put("order", RankScripts::order);
        all.put("many", RankScripts::many);
        all.put("misuse", RankScripts::misuse);
        return all;
    }

    /// Facts of the group.
    public static void place(RankBench bench) {
        ProcessGroup group = bench.group();
        assertTrue(group.transport().matches("[a-z][a-z0-9-]*"), group.transport());
        assertTrue(group.rank() >= 0 && group.rank() < group.size(), group.rank() + " of " + group.size());
        assertTrue(group.timeout().isPositive());
        assertTrue(group.moves(bench.deviceType()));
        assertFalse(group.moves("no-such-device-type"), "it moves whatever there is");
        List<byte[]> ranks = group.exchange(new byte[] {(byte) group.rank()});
        assertArrayEquals(new byte[] {(byte) group.rank()}, ranks.get(group.rank()));
    }

    /// Messages of many lengths.
    public static void exchange(RankBench bench) {
        for (int length : new int[] {0, 1, 1019, 1020, 1021, 5000, (1 << 20) - 1}) {
            List<byte[]> all = bench.group().exchange(message(bench.rank(), length));
            assertEquals(bench.size(), all.size());
            for (int r = 0; r < bench.size(); r++) {
                assertArrayEquals(message(r, length), all.get(r), () -> "message" + Seed.note());
            }
        }
    }

    private static byte[] message(int rank, int length) {
        return RankBench.bytes(rank, Math.max(0, length - rank));
    }

    /// Nobody leaves before the last one came; clocks of one host agree.
    public static void barrier(RankBench bench) throws InterruptedException {
        for (int late = 0; late < bench.size(); late++) {
            Thread.sleep(bench.rank() == late ? 30 : 0);
            long before = System.nanoTime();
            bench.group().barrier();
            long after = System.nanoTime();
            List<Long> came = longs(bench, before);
            List<Long> left = longs(bench, after);
            assertTrue(left.stream().allMatch(l -> came.stream().allMatch(c -> l - c >= 0)),
                    () -> "came " + came + ", left " + left);
        }
    }

    private static List<Long> longs(RankBench bench, long value) {
        return bench.group().exchange(ByteBuffer.allocate(Long.BYTES).putLong(value).array()).stream()
                .map(bytes -> ByteBuffer.wrap(bytes).getLong()).toList();
    }

    /// From every root.
    public static void broadcast(RankBench bench) {
        for (int root = 0; root < bench.size(); root++) {
            for (int length : SIZES) {
                byte[] expected = RankBench.bytes(root, length);
                BufferSlice slice = bench.rank() == root ? bench.of(expected) : bench.zeros(length);
                bench.group().broadcast(slice, root, bench.stream());
                assertBytes(expected, bench, slice, "broadcast of " + length + " bytes from rank " + root);
            }
        }
    }

    /// Ragged parts and empty ones, from every root.
    public static void scatter(RankBench bench) {
        for (int root = 0; root < bench.size(); root++) {
            for (int length : SIZES) {
                int from = root;
                List<byte[]> parts = IntStream.range(0, bench.size())
                        .mapToObj(r -> RankBench.bytes(r + from, r == from + 1 ? 0 : length + 17 * r)).toList();
                scatter(bench, root, parts);
                // Parts of one size are told by their bytes alone.
                scatter(bench, root, IntStream.range(0, bench.size())
                        .mapToObj(r -> RankBench.bytes(r + from, Math.min(length, 5000))).toList());
            }
        }
    }

    private static void scatter(RankBench bench, int root, List<byte[]> parts) {
        List<BufferSlice> mine = bench.rank() == root ? parts.stream().map(bench::of).toList() : List.of();
        byte[] expected = parts.get(bench.rank());
        BufferSlice into = bench.zeros(expected.length);
        bench.group().scatter(mine, into, root, bench.stream());
        assertBytes(expected, bench, into, "scatter of " + expected.length + " bytes from rank " + root);
        for (int r = 0; r < mine.size(); r++) {
            assertBytes(parts.get(r), bench, mine.get(r), "the root's own part " + r);
        }
    }

    /// In place and from elsewhere.
    public static void allGather(RankBench bench) {
        for (int length : SIZES) {
            byte[] expected = new byte[length * bench.size()];
            for (int r = 0; r < bench.size(); r++) {
                System.arraycopy(RankBench.bytes(r, length), 0, expected, r * length, length);
            }
            byte[] mine = RankBench.bytes(bench.rank(), length);
            BufferSlice all = bench.zeros(expected.length);
            bench.group().allGather(bench.of(mine), all, bench.stream());
            assertBytes(expected, bench, all, "all-gather of " + length + " bytes");
            BufferSlice inPlace = bench.zeros(expected.length);
            BufferSlice part = inPlace.part((long) bench.rank() * length, length);
            bench.put(mine, part);
            bench.group().allGather(part, inPlace, bench.stream());
            assertBytes(expected, bench, inPlace, "all-gather in place of " + length + " bytes");
        }
    }

    /// Pieces of several buffers, of each rank and of every size, in one operation: neighbours of one size, others, empty ones.
    public static void pieces(RankBench bench) {
        for (int length : SIZES) {
            List<RankSlice> pieces = new ArrayList<>();
            List<byte[]> expected = new ArrayList<>();
            BufferSlice together = bench.zeros(length * bench.size());
            for (int root = 0; root < bench.size(); root++) {
                add(bench, root, together.part((long) root * length, length), pieces, expected);
            }
            for (int root = bench.size() - 1; root >= 0; root--) {
                add(bench, root, bench.zeros(length / 2 + 5 * root), pieces, expected);
            }
            try (PendingCollective all = bench.group().allGather(pieces, bench.stream())) {
                all.await();
                assertTrue(all.isDone());
            }
            for (int i = 0; i < pieces.size(); i++) {
                BufferSlice slice = pieces.get(i).slice();
                byte[] whole = bench.read(slice);
                assertArrayEquals(expected.get(i), whole,
                        "piece " + i + " of pieces around " + length + " bytes on rank "
                                + bench.rank() + " of " + bench.size() + Seed.note());
            }
        }
    }

    private static void add(RankBench bench, int root, BufferSlice slice, List<RankSlice> pieces,
            List<byte[]> expected) {
        byte[] bytes = RankBench.bytes(pieces.size(), (int) slice.byteSize());
        if (bench.rank() == root) {
            bench.put(bytes, slice);
        }
        pieces.add(new RankSlice(root, slice));
        expected.add(bytes);
    }

    /// Each rank to each, the others being busy elsewhere or not at all.
    public static void transfer(RankBench bench) {
        for (int from = 0; from < bench.size(); from++) {
            for (int to = 0; to < bench.size(); to++) {
                int length = SIZES[(from + 2 * to) % SIZES.length];
                byte[] expected = RankBench.bytes(from * 64 + to, length);
                if (from != to && bench.rank() == from) {
                    bench.group().send(bench.of(expected), to, bench.stream());
                } else if (from != to && bench.rank() == to) {
                    BufferSlice slice = bench.zeros(length);
                    bench.group().receive(slice, from, bench.stream());
                    assertBytes(expected, bench, slice, "transfer from rank " + from + " to rank " + to);
                }
            }
        }
    }

    /// What is queued on the stream before is done before, what is queued after comes after.
    public static void order(RankBench bench) {
        byte[] expected = RankBench.bytes(7, 1 << 20);
        byte[] other = RankBench.bytes(8, expected.length);
        for (int root = 0; root < bench.size(); root++) {
            BufferSlice slice = bench.zeros(expected.length);
            BufferSlice copy = bench.zeros(expected.length);
            if (bench.rank() == root) {
                // Work ahead of it, so that who does not wait for the stream is early even on a machine that pauses.
                for (int i = 0; i < AHEAD; i++) {
                    bench.put(other, slice);
                }
                bench.put(expected, slice);
            }
            bench.group().broadcast(slice, root, bench.stream());
            bench.stream().copy(slice.buffer(), slice.offset(), copy.buffer(), copy.offset(), copy.byteSize());
            if (bench.rank() == root) {
                // The memory is its own again.
                bench.put(new byte[expected.length], slice);
            }
            assertBytes(expected, bench, copy, "what was queued after the broadcast from rank " + root);
        }
    }

    /// A random sequence of operations, the same on all ranks.
    public static void many(RankBench bench) {
        SplittableRandom random = new SplittableRandom(Seed.value());
        List<Integer> done = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            int what = random.nextInt(4);
            int root = random.nextInt(bench.size());
            int length = random.nextInt(3000);
            done.add(what);
            byte[] expected = RankBench.bytes(i, length);
            if (what == 0) {
                bench.group().barrier();
            } else if (what == 1) {
                bench.group().exchange(Arrays.copyOf(expected, bench.rank()));
            } else if (what == 2) {
                BufferSlice slice = bench.rank() == root ? bench.of(expected) : bench.zeros(length);
                bench.group().broadcast(slice, root, bench.stream());
                assertBytes(expected, bench, slice, "operation " + i + " of " + done);
            } else if (bench.size() > 1) {
                int to = (root + 1) % bench.size();
                if (bench.rank() == root) {
                    bench.group().send(bench.of(expected), to, bench.stream());
                } else if (bench.rank() == to) {
                    BufferSlice slice = bench.zeros(length);
                    bench.group().receive(slice, root, bench.stream());
                    assertBytes(expected, bench, slice, "operation " + i + " of " + done);
                }
            }
        }
    }

    /// Arguments that cannot be right are refused here, and the others never hear of it.
    public static void misuse(RankBench bench) {
        ProcessGroup group = bench.group();
        BufferSlice slice = bench.of(RankBench.bytes(1, 100));
        int n = bench.size();
        assertRefused(() -> group.broadcast(slice, n, bench.stream()));
        assertRefused(() -> group.broadcast(slice, -1, bench.stream()));
        assertRefused(() -> group.scatter(List.of(), slice, bench.rank(), bench.stream()));
        assertRefused(() -> group.scatter(List.of(), slice, n, bench.stream()));
        assertRefused(() -> group.allGather(slice, slice.part(0, 99), bench.stream()));
        assertRefused(() -> group.send(slice, bench.rank(), bench.stream()));
        assertRefused(() -> group.receive(slice, n, bench.stream()));
        assertRefused(() -> group.exchange(new byte[1 << 20]));
        assertFalse(group.exchange(new byte[1]).isEmpty(), "the group works on");
    }

    private static void assertRefused(Runnable call) {
        assertThrows(IllegalArgumentException.class, call::run);
    }

    static void assertBytes(byte[] expected, RankBench bench, BufferSlice slice, String what) {
        assertArrayEquals(expected, bench.read(slice),
                () -> what + " on rank " + bench.rank() + " of " + bench.size() + Seed.note());
    }
}
