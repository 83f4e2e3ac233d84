package io.fastsafetensors.core.group;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.ProcessGroup;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(600)
class ConsensusTest {
    /// What became of each rank: its value or its exception.
    private static List<Object> ranks(int size, Duration timeout, BiFunction<ProcessGroup, Consensus, Object> work) {
        try (ExecutorService threads = Executors.newFixedThreadPool(size)) {
            List<Future<Object>> futures = new ArrayList<>();
            for (ProcessGroup group : LocalGroup.of(size, timeout)) {
                Callable<Object> rank = () -> work.apply(group, new Consensus(group));
                futures.add(threads.submit(rank));
            }
            List<Object> outcomes = new ArrayList<>();
            for (Future<Object> future : futures) {
                try {
                    outcomes.add(future.get());
                } catch (ExecutionException e) {
                    outcomes.add(e.getCause());
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            }
            return outcomes;
        }
    }

    private static List<Map<String, String>> reach(Consensus agreement, String what, Map<String, String> facts,
            Map<String, String> own) {
        return agreement.reach(what, () -> what, _ -> new Consensus.Told(facts, own), _ -> {
        }).own();
    }

    private static void assertAllSay(List<Object> outcomes, String... words) {
        for (Object outcome : outcomes) {
            GroupException e = (GroupException) outcome;
            for (String word : words) {
                assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage());
            }
        }
    }

    @Test
    void what_ranks_have_of_their_own_reaches_everybody() {
        List<Object> outcomes = ranks(4, Duration.ofSeconds(20), (group, agreement) -> reach(agreement, "a step",
                Map.of("same", "é"), Map.of("rank", Integer.toString(group.rank()))));
        for (Object outcome : outcomes) {
            assertEquals(List.of(Map.of("rank", "0"), Map.of("rank", "1"), Map.of("rank", "2"), Map.of("rank", "3")),
                    outcome);
        }
    }

    @Test
    void differences_are_named_the_first_three() {
        assertAllSay(ranks(3, Duration.ofSeconds(20), (group, agreement) -> {
            Map<String, String> facts = new LinkedHashMap<>();
            for (int i = 0; i < 5; i++) {
                facts.put("fact " + i, "v" + (group.rank() == 2 ? i + 1 : i));
            }
            return reach(agreement, "a step", facts, Map.of());
        }), "the ranks disagree in a step: fact 0: rank 0 has v0, rank 2 has v1; fact 1", "and 2 more");
    }

    @Test
    void a_fact_that_one_rank_lacks_is_a_difference() {
        assertAllSay(
                ranks(2, Duration.ofSeconds(20),
                        (group, agreement) -> reach(agreement, "a step",
                                group.rank() == 0 ? Map.of() : Map.of("x", "1"), Map.of())),
                "x: rank 0 has nothing, rank 1 has 1");
    }

    @Test
    void facts_too_long_to_tell_are_compared_by_digest() {
        Map<String, String> facts = new LinkedHashMap<>();
        for (int i = 0; i < 20_000; i++) {
            facts.put("file " + i, "of many bytes with header " + i);
        }
        assertAllSay(ranks(2, Duration.ofSeconds(20), (group, agreement) -> {
            Map<String, String> mine = new LinkedHashMap<>(facts);
            assertEquals(2, reach(agreement, "the first step", facts, Map.of()).size());
            mine.put("file 7", "of " + group.rank());
            return reach(agreement, "a step", mine, Map.of());
        }), "digest of 20000 facts");
    }

    @Test
    void a_rank_that_cannot_tells_why_and_the_group_goes_on() {
        List<Object> outcomes = ranks(3, Duration.ofSeconds(20), (group, agreement) -> {
            if (group.rank() == 1) {
                IllegalStateException full = new IllegalStateException("no room");
                assertSame(full, assertThrows(IllegalStateException.class, () -> agreement.reach("a step", () -> {
                    throw full;
                })));
            } else {
                GroupException e = assertThrows(GroupException.class, () -> agreement.reach("a step", () -> {
                }));
                assertTrue(e.getMessage().contains("rank 1 failed in a step: IllegalStateException: no room"),
                        e.getMessage());
            }
            agreement.reach("the next step", () -> {
            });
            return "went on";
        });
        assertEquals(List.of("went on", "went on", "went on"), outcomes);
    }

    @Test
    void a_step_that_the_others_took_already_is_another_step() {
        assertAllSay(ranks(2, Duration.ofSeconds(20), (group, agreement) -> {
            if (group.rank() == 1) {
                group.exchange(new Consensus.Message(1, "get(a)", null, Map.of(), Map.of()).encode());
                group.exchange(new Consensus.Message(2, "get(b)", null, Map.of(), Map.of()).encode());
                throw new GroupException("rank 0 calls get(c) as step 2", Where.nowhere());
            }
            agreement.reach("get(a)", () -> {
            });
            agreement.reach("get(c)", () -> {
            });
            return true;
        }), "rank 0 calls get(c) as step 2");
    }

    @Test
    void a_rank_that_does_not_come_is_named_with_the_step() {
        List<Object> outcomes = ranks(2, Duration.ofMillis(200), (group, agreement) -> {
            if (group.rank() == 0) {
                agreement.reach("get(\"w\")", () -> {
                });
            }
            return true;
        });
        assertAllSay(outcomes.subList(0, 1), "get(\"w\"): ", "rank 1 did not come within 0.2 s");
    }

    @Test
    void noise_is_refused() {
        assertThrows(GroupException.class, () -> Consensus.Message.decode(new byte[] {1, 2, 3}));
        byte[] cut = Consensus.Message.ready(1, "a step", Map.of("a", "b"), Map.of()).encode();
        cut[11] = 127;
        assertThrows(GroupException.class, () -> Consensus.Message.decode(cut));
    }
}
