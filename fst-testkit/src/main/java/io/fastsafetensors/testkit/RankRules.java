package io.fastsafetensors.testkit;

import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.testkit.group.BrokenScripts;
import io.fastsafetensors.testkit.group.RankBench;
import io.fastsafetensors.testkit.group.RankScript;
import io.fastsafetensors.testkit.group.RankScripts;
import io.fastsafetensors.testkit.group.ShardedLoads;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// Ranks that do things together, and one that does not.
abstract class RankRules {
    private static final Duration PATIENT = Duration.ofSeconds(60);

    private final ProcessGroupConformance suite;

    RankRules(ProcessGroupConformance suite) {
        this.suite = suite;
    }

    @BeforeEach
    void needTransport() {
        suite.obstacle().ifPresent(reason -> {
            throw Requirement.unavailable("transport", suite.transport(), reason);
        });
    }

    private void withAll(RankScript script) throws Exception {
        for (int size : suite.sizes()) {
            run(size, PATIENT, script);
        }
    }

    private void withSeveral(Duration timeout, RankScript script) throws Exception {
        for (int size : suite.sizes()) {
            if (size > 1) {
                run(size, timeout, script);
            }
        }
    }

    private void run(int size, Duration timeout, RankScript script) throws Exception {
        List<ProcessGroup> groups = suite.groups(size, timeout);
        Threads.together(size, rank -> {
            try (Backend backend = suite.open(rank); RankBench bench = new RankBench(groups.get(rank), backend);
                    ProcessGroup _ = bench.group()) {
                script.run(bench);
            }
        });
    }

    /// Rank, size, timeout and transport's name are as joined, and the device's memory is moved.
    ///
    /// If it fails: the bootstrap's rank and size are to be used as they are.
    @Test
    @DisplayName("R-01 a rank knows its place")
    void r_01_a_rank_knows_its_place() throws Exception {
        withAll(RankScripts::place);
    }

    /// `exchange` gives every rank all messages, by rank, whatever their lengths from 0 to just under 1 MiB.
    ///
    /// If it fails: messages longer than a transport's short ones usually take another way.
    @Test
    @DisplayName("R-02 every rank gets every message")
    void r_02_every_rank_gets_every_message() throws Exception {
        withAll(RankScripts::exchange);
    }

    /// No rank returns from `barrier` before the last one has called it.
    ///
    /// If it fails: one round of messages from each rank to each is a barrier; one from each to its neighbour is none.
    @Test
    @DisplayName("R-03 nobody leaves a barrier before the last one came")
    void r_03_nobody_leaves_a_barrier_before_the_last_one_came() throws Exception {
        withAll(RankScripts::barrier);
    }

    /// `broadcast` brings the root's bytes to every rank and touches nothing beside them.
    ///
    /// If it fails: for large sizes only: counts are often of 32 bits, and steps must not overlap.
    @Test
    @DisplayName("R-04 a broadcast from every root")
    void r_04_a_broadcast_from_every_root() throws Exception {
        withAll(RankScripts::broadcast);
    }

    /// `scatter` gives each rank its part, of whatever size, and the root its own.
    ///
    /// If it fails: the root's own part is easily forgotten, as is that an empty part has no message.
    @Test
    @DisplayName("R-05 ragged and empty parts from every root")
    void r_05_ragged_and_empty_parts_from_every_root() throws Exception {
        withAll(RankScripts::scatter);
    }

    /// `allGather` puts all parts in order, whether `part` is in `all` already or elsewhere.
    ///
    /// If it fails: compare addresses, not buffers, to see whether it is in place.
    @Test
    @DisplayName("R-06 an all-gather, in place or not")
    void r_06_an_all_gather_in_place_or_not() throws Exception {
        withAll(RankScripts::allGather);
    }

    /// `send` and `receive` concern two ranks only.
    ///
    /// If it fails: a transfer must not wait for the other ranks.
    @Test
    @DisplayName("R-07 transfers from each to each")
    void r_07_transfers_from_each_to_each() throws Exception {
        withAll(RankScripts::transfer);
    }

    /// What was queued on the stream before an operation is done before it, what is queued after comes after.
    ///
    /// If it fails: wait for the stream, or let the transport's stream wait for it, at both ends.
    @Test
    @DisplayName("R-08 operations keep the order of their stream")
    void r_08_operations_keep_the_order_of_their_stream() throws Exception {
        withAll(RankScripts::order);
    }

    /// A hundred operations of all kinds, the same on all ranks, keep their data apart.
    ///
    /// If it fails: messages of one operation are taken for those of the next.
    @Test
    @DisplayName("R-09 a long random sequence")
    void r_09_a_long_random_sequence() throws Exception {
        withAll(RankScripts::many);
    }

    /// Arguments that cannot be right are an `IllegalArgumentException`, and the group works on.
    ///
    /// If it fails: check before anything is sent.
    @Test
    @DisplayName("R-10 impossible arguments are refused")
    void r_10_impossible_arguments_are_refused() throws Exception {
        withAll(RankScripts::misuse);
    }

    /// If one rank calls something else than the others, every rank gets a `GroupException` that names the calls and a
    /// rank, and the group is broken.
    ///
    /// If it fails: let the ranks tell each other what they call before data moves.
    @Test
    @DisplayName("R-11 different calls are an error on every rank")
    void r_11_different_calls_are_an_error_on_every_rank() throws Exception {
        withSeveral(Duration.ofSeconds(60), BrokenScripts::otherCall);
    }

    /// If one rank expects another size, every rank gets a `GroupException` with both sizes.
    ///
    /// If it fails: as R-11.
    @Test
    @DisplayName("R-12 different sizes are an error on every rank")
    void r_12_different_sizes_are_an_error_on_every_rank() throws Exception {
        withSeveral(Duration.ofSeconds(60), BrokenScripts::otherSize);
    }

    /// If one rank expects another part of a scatter than the root has, every rank gets a `GroupException`.
    ///
    /// If it fails: the root tells all sizes, since only it knows them.
    @Test
    @DisplayName("R-13 a wrong part is an error on every rank")
    void r_13_a_wrong_part_is_an_error_on_every_rank() throws Exception {
        withSeveral(Duration.ofSeconds(60), BrokenScripts::otherPart);
    }

    /// If a rank does not come, the others get a `GroupException` that names it, after the timeout.
    ///
    /// If it fails: never call what waits without a limit.
    @Test
    @DisplayName("R-14 a rank that does not come is named")
    void r_14_a_rank_that_does_not_come_is_named() throws Exception {
        withSeveral(Duration.ofMillis(1500), BrokenScripts::skips);
    }

    /// If a rank closes its group, a rank that waits for it, now or later, gets a `GroupException` long before the
    /// timeout.
    ///
    /// If it fails: say farewell in `close()`, and listen for it while waiting.
    @Test
    @DisplayName("R-15 a rank that leaves is known at once")
    void r_15_a_rank_that_leaves_is_known_at_once() throws Exception {
        withSeveral(Duration.ofSeconds(60), BrokenScripts::leaves);
    }

    /// `close()` is idempotent; afterwards every operation is an `IllegalStateException`.
    ///
    /// If it fails: check for closed before for broken.
    @Test
    @DisplayName("R-16 a closed group stays closed")
    void r_16_a_closed_group_stays_closed() throws Exception {
        withSeveral(Duration.ofSeconds(60), BrokenScripts::closes);
    }

    /// Loads by two ranks that share the reading, in every way: each call of `Weights` gives every rank what slicing the
    /// whole tensor gives. Needs fst-core on the path.
    ///
    /// If it fails and all others pass: look at slices in the middle of a buffer, and at many operations in a row.
    @Test
    @DisplayName("R-17 loads by two ranks")
    void r_17_loads_by_two_ranks() throws Exception {
        Assumptions.assumeTrue(suite.sizes().contains(2), "the transport cannot have two ranks here");
        Requirement.loader();
        List<ProcessGroup> groups = suite.groups(2, PATIENT);
        Threads.together(2, rank -> {
            try (ProcessGroup group = groups.get(rank)) {
                ShardedLoads.run(group, deviceOf(rank));
            }
        });
    }

    private Device deviceOf(int rank) {
        try (Backend backend = suite.open(rank)) {
            return backend.info().device();
        }
    }

    /// `allGather` of pieces brings each to every rank, whatever their sizes, buffers and roots, and touches nothing beside them.
    ///
    /// If it fails: neighbours of one size may go together, but only if there is one of each rank, in the order of ranks.
    @Test
    @DisplayName("R-18 pieces of many sizes in one operation")
    void r_18_pieces_of_many_sizes_in_one_operation() throws Exception {
        withAll(RankScripts::pieces);
    }
}
