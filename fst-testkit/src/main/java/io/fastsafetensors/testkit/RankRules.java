package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.testkit.group.BrokenScripts;
import io.fastsafetensors.testkit.group.RankBench;
import io.fastsafetensors.testkit.group.RankScript;
import io.fastsafetensors.testkit.group.RankScripts;
import io.fastsafetensors.testkit.group.ShardedLoads;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.testkit.leak.ProcessSnapshot;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;

/// Ranks that do things together, and one that does not.
abstract class RankRules {
    private static final Duration PATIENT = Duration.ofSeconds(60);
    private static final Duration SHORT = Duration.ofMillis(1500);
    /// Rules that need no transport that works here.
    private static final String ANYWHERE = "anywhere";

    /// Threads are counted by [OpenResources] already.
    private static final String NO_THREAD = "no thread has this name";

    private final ProcessGroupConformance suite;

    RankRules(ProcessGroupConformance suite) {
        this.suite = suite;
    }

    @BeforeEach
    void needTransport(TestInfo info) {
        if (info.getTags().contains(ANYWHERE)) {
            return;
        }
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
        assertEquals(size, groups.size(), "groups of " + size + " ranks");
        CountDownLatch others = new CountDownLatch(size - 1);
        Threads.together(size, rank -> {
            try (Backend backend = suite.open(rank);
                    RankBench bench = new RankBench(groups.get(rank), backend, others::await);
                    ProcessGroup _ = bench.group()) {
                script.run(bench);
            } finally {
                others.countDown();
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
        for (int size : suite.sizes()) {
            List<ProcessGroup> groups = suite.groups(size, PATIENT);
            for (int rank = 0; rank < size; rank++) {
                try (ProcessGroup group = groups.get(rank)) {
                    assertEquals(rank, group.rank(), "the rank, by its place in the list");
                    assertEquals(size, group.size());
                    assertEquals(PATIENT, group.timeout());
                    assertEquals(suite.transport(), group.transport());
                }
            }
        }
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
        withSeveral(SHORT, BrokenScripts::skips);
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

    /// The provider is found by [java.util.ServiceLoader] by its name, which is a word, as are its device types.
    /// `unavailable()` says the same each time, throws nothing and prints nothing; nor does forming a group print.
    ///
    /// If it fails: the class is named in `META-INF/services/io.fastsafetensors.group.ProcessGroupProvider` and, in a module,
    /// by `provides … with …`; catch [LinkageError] too around everything that loads native code.
    @Test
    @DisplayName("R-19 the provider is registered and answers")
    @Tag(ANYWHERE)
    void r_19_the_provider_is_registered_and_answers() throws Exception {
        ProcessGroupProvider provider = suite.provider().orElseGet(() -> fail("no provider \"" + suite.transport()
                + "\" is registered"));
        assertEquals(suite.transport(), provider.name(), "the name");
        assertTrue(provider.name().matches("[a-z0-9]+(-[a-z0-9]+)*"), () -> "name \"" + provider.name() + "\"");
        for (String type : provider.deviceTypes()) {
            assertTrue(type.matches("[a-z][a-z0-9]*"), () -> "device type \"" + type + "\"");
        }
        assertEquals(Optional.empty(), SpiVersion.refusal(provider.spiVersion()), "programs do not use it");
        StandardStreams.Captured<Optional<String>> said = StandardStreams.capture(provider::unavailable);
        assertEquals("", said.text(), "unavailable() printed");
        for (int i = 0; i < 20; i++) {
            assertEquals(said.result(), provider.unavailable(), "unavailable() when asked again");
        }
        said.result().ifPresent(reason -> assertFalse(reason.isBlank(), "the reason is blank"));
        if (suite.obstacle().isEmpty()) {
            StandardStreams.Captured<List<ProcessGroup>> formed = StandardStreams.capture(() -> {
                try {
                    return suite.groups(suite.sizes().getLast(), PATIENT);
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            formed.result().forEach(ProcessGroup::close);
            assertEquals("", formed.text(), "forming a group printed");
        }
    }

    /// A rank whose others never come gets a `GroupException` after the timeout; where ranks are threads only, joining is
    /// refused with [UnsupportedFeatureException]. Needs the suite's [ProcessGroupConformance#alone(Duration)].
    ///
    /// If it fails: the first meeting of the ranks needs a limit too; leave `join` as it is where ranks are threads.
    @Test
    @DisplayName("R-20 a rank that is alone does not wait for ever")
    void r_20_a_rank_that_is_alone_does_not_wait_for_ever() throws Exception {
        Bootstrap alone = suite.alone(SHORT)
                .orElseThrow(() -> new NotApplicable("alone() of the suite describes no rank without others"));
        ProcessGroupProvider provider = suite.provider().orElseThrow();
        AtomicReference<Throwable> thrown = new AtomicReference<>(new AssertionError("it joined a group"));
        Thread joining = Thread.ofPlatform().daemon().name("testkit-alone").unstarted(() -> {
            provider.join(alone).close();
        });
        joining.setUncaughtExceptionHandler((_, e) -> thrown.set(e));
        joining.start();
        assertTrue(joining.join(Workbench.patience()), "it waits without a limit");
        boolean right = thrown.get() instanceof GroupException || thrown.get() instanceof UnsupportedFeatureException;
        assertTrue(right, () -> "joining alone: " + thrown.get());
    }

    /// Groups that live at the same time know nothing of each other: what is told in one is not heard in the other one, and
    /// the end of one is not the end of the other.
    ///
    /// If it fails: messages carry their group; what the library needs once is counted, not owned by a group.
    @Test
    @DisplayName("R-21 groups that live at once are apart")
    void r_21_groups_that_live_at_once_are_apart() throws Exception {
        int size = suite.sizes().getLast();
        List<ProcessGroup> first = suite.groups(size, PATIENT);
        List<ProcessGroup> second = suite.groups(size, PATIENT);
        Threads.together(2 * size, thread -> {
            ProcessGroup group = thread < size ? first.get(thread) : second.get(thread - size);
            for (int round = 0; round < 50; round++) {
                byte name = (byte) (thread < size ? 1 : 2);
                for (byte[] message : group.exchange(new byte[] {name, (byte) round})) {
                    assertArrayEquals(new byte[] {name, (byte) round}, message, "a message of one of two groups");
                }
            }
        });
        first.forEach(ProcessGroup::close);
        Threads.together(size, rank -> {
            try (Backend backend = suite.open(rank); RankBench bench = new RankBench(second.get(rank), backend);
                    ProcessGroup _ = bench.group()) {
                RankScripts.transfer(bench);
            }
        });
    }

    /// Groups that were formed, used and closed leave no thread, socket or other descriptor, mapping or memory; the tables of
    /// the process are compared.
    ///
    /// If it fails: the message lists what is left; `close` of the mover frees what the group holds.
    @Test
    @DisplayName("R-22 many groups leave nothing behind")
    void r_22_many_groups_leave_nothing_behind() throws Exception {
        int size = suite.sizes().stream().filter(ranks -> ranks > 1).findFirst().orElse(1);
        int rounds = 16;
        use(size);
        OpenResources resources = OpenResources.now(suite::stays);
        ProcessSnapshot before = ProcessSnapshot.take(NO_THREAD);
        for (int round = 0; round < rounds; round++) {
            use(size);
        }
        assertEquals(List.of(), resources.moreNow(rounds / 2), "left behind by " + rounds + " groups");
        assertEquals(List.of(),
                LeakExtension.strict().threads(NO_THREAD).patience(OpenResources.patience()).leaksSince(before),
                "left behind by " + rounds + " groups");
    }

    private void use(int size) throws Exception {
        run(size, PATIENT, RankScripts::order);
    }
}
