package io.fastsafetensors.core.collective;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.core.distribute.FileOwners;
import io.fastsafetensors.core.distribute.LoadFingerprint;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.distribute.StripedExchange;
import io.fastsafetensors.core.group.Consensus;
import io.fastsafetensors.core.group.Consensus.Reached;
import io.fastsafetensors.core.group.Consensus.Told;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.load.LoadTarget;
import io.fastsafetensors.core.load.LoadedWeights;
import io.fastsafetensors.core.load.PreparedLoad;
import io.fastsafetensors.core.memory.Resources;
import io.fastsafetensors.core.transfer.ReaderThreads;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/// Loads of several ranks: agrees on what is loaded and how before the first byte is read. What one rank cannot do is an
/// error on all. One load or collective call of a loader uses the group at a time.
///
/// The turn is a permit rather than a lock: a striped load keeps it until the exchange has ended, which another thread
/// finds out.
///
/// A load takes up to three steps of agreement: the checkpoint and the options are the same; every rank can plan it;
/// and, where ranks move data, every rank has started. A rank that fails in one tells the others, who give back what
/// they have.
public final class SharedLoads {
    private static final String STARTING = "the start of a load";

    private final LoadTarget target;
    private final LoadOptions options;
    private final ProcessGroup group;
    /// One for all loads of a loader, because it counts the steps that the ranks have taken together.
    private final Consensus agreement;
    private final Semaphore turn;

    /// @param group used by these loads alone, for as long as the loader is open
    public SharedLoads(LoadTarget target, LoadOptions options, ProcessGroup group) {
        this(target, options, group, new Consensus(group), new Semaphore(1, true));
    }

    private SharedLoads(LoadTarget target, LoadOptions options, ProcessGroup group, Consensus agreement,
            Semaphore turn) {
        this.target = target;
        this.options = options;
        this.group = group;
        this.agreement = agreement;
        this.turn = turn;
    }

    /// The same ranks, taking turns with these loads, for loads by other options.
    public SharedLoads with(LoadOptions other) {
        return new SharedLoads(target, other, group, agreement, turn);
    }

    /// Loads together with the other ranks, which call this too.
    ///
    /// @param headers reads them
    /// @param owners the files of each rank, if the caller said so
    /// @param startNanos when the user asked for it, in `System.nanoTime()`
    public Weights load(Supplier<ParsedCheckpoint> headers, Map<Integer, List<Location>> owners, long startNanos) {
        ReaderThreads.requireMayWait("the other ranks");
        turn.acquireUninterruptibly();
        try (Resources held = new Resources()) {
            held.add(turn::release);
            try (PreparedLoad load = prepare("load", headers, owners, startNanos)) {
                return switch (load.layout().distribution()) {
                    case STRIPED -> striped(load, held);
                    case OWNER -> owned(load, owners);
                    default -> load.start(options.progress(), null);
                };
            }
        }
    }

    /// Starts a load whose blocks are exchanged in the background; its end gives the group free.
    ///
    /// The turn is given back by whichever of the two users of the group ends last.
    private Weights striped(PreparedLoad load, Resources held) {
        Resources turns = held.handOver();
        // The exchange uses the group until the load ends, and this method until every rank has begun.
        AtomicInteger users = new AtomicInteger(2);
        Runnable done = () -> {
            if (users.decrementAndGet() == 0) {
                turns.close();
            }
        };
        StripedExchange exchange = new StripedExchange(load.plan(), group, agreement,
                target.backend().get()::openCopyStream, done);
        try {
            Weights weights = agreement.reach(STARTING, () -> load.start(options.progress(), exchange),
                    _ -> Told.NOTHING, started -> {
                        exchange.abandon();
                        started.close();
                    }).value();
            exchange.begin();
            return weights;
        } catch (RuntimeException | Error e) {
            exchange.abandon();
            new Releases().run(exchange::close).because(e);
            throw e;
        } finally {
            done.run();
        }
    }

    /// Starts a load of this rank's files. That a rank had no memory for its own is known before the first call.
    private Weights owned(PreparedLoad load, Map<Integer, List<Location>> given) {
        ParsedCheckpoint checkpoint = load.checkpoint();
        return agreement.reach(STARTING, () -> {
            Map<String, TensorInfo> tensors = new LinkedHashMap<>();
            checkpoint.tensors().stream().filter(options.selection()::test).forEach(t -> tensors.put(t.name(), t));
            FileOwners files = owners(checkpoint, given);
            LoadedWeights own = load.start(options.progress(), null);
            return new OwnedWeights(own, checkpoint, tensors, files, load.layout(),
                    new Deliveries(own, files, tensors.values(), load.layout(), group, agreement, target.backend(),
                            turn));
        }, _ -> Told.NOTHING, OwnedWeights::close).value();
    }

    /// As the caller said, or else dealt by size; the same on every rank either way.
    private FileOwners owners(ParsedCheckpoint checkpoint, Map<Integer, List<Location>> given) {
        return given.isEmpty() ? FileOwners.dealt(checkpoint.headers(), options.selection(), group.size())
                : FileOwners.given(checkpoint.headers(), given);
    }

    /// What this rank reads: with owners, the tensors of its own files.
    private Selection selection(RankLayout layout, ParsedCheckpoint checkpoint, Map<Integer, List<Location>> given) {
        if (layout.distribution() != Distribution.OWNER) {
            return options.selection();
        }
        FileOwners files = owners(checkpoint, given);
        return options.selection().and(tensor -> files.owner(tensor) == group.rank());
    }

    /// What [#load] would do; the other ranks call this too.
    public LoadPlan plan(Supplier<ParsedCheckpoint> headers) {
        ReaderThreads.requireMayWait("the other ranks");
        turn.acquireUninterruptibly();
        try (PreparedLoad load = prepare("plan", headers, Map.of(), System.nanoTime())) {
            return load.plan();
        } finally {
            turn.release();
        }
    }

    /// Agrees in two steps: that all have the same checkpoint and options, which decides how it is shared, and that all can
    /// plan and have room for it.
    private PreparedLoad prepare(String what, Supplier<ParsedCheckpoint> headers, Map<Integer, List<Location>> owners,
            long startNanos) {
        Reached<ParsedCheckpoint> opened = agreement.reach(what, headers,
                checkpoint -> new Told(LoadFingerprint.of(checkpoint, owners, options),
                        RankLayout.own(group, target.device(), options.deviceBudget())),
                _ -> {
                });
        // Every rank knows the same of every rank, and chooses the same.
        RankLayout layout = RankLayout.choose(options, group, !owners.isEmpty(), opened.own());
        return agreement.reach("the planning of a " + what,
                () -> PreparedLoad.of(target, options, opened.value(), layout,
                        selection(layout, opened.value(), owners),
                        RankLayout.budget(opened.own()), startNanos),
                load -> Told.same(layout.distribution() == Distribution.STRIPED ? LoadFingerprint.ofPlaces(load.plan())
                        : Map.of()),
                PreparedLoad::close).value();
    }
}
