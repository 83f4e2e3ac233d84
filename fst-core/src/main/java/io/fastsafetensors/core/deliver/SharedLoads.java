package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.core.distribute.Chooser;
import io.fastsafetensors.core.distribute.FileOwners;
import io.fastsafetensors.core.distribute.LoadFacts;
import io.fastsafetensors.core.distribute.StripedExchange;
import io.fastsafetensors.core.distribute.Way;
import io.fastsafetensors.core.group.Agreement;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;

/// Loads of several ranks: agrees on what is loaded and how before the first byte is read. What one rank cannot do is an
/// error on all. One load or collective call of a loader uses the group at a time.
final class SharedLoads {
    private final LoadTarget target;
    private final LoadOptions options;
    private final ProcessGroup group;
    private final Agreement agreement;
    private final Semaphore turn;

    SharedLoads(LoadTarget target, LoadOptions options, ProcessGroup group) {
        this(target, options, group, new Agreement(group), new Semaphore(1, true));
    }

    private SharedLoads(LoadTarget target, LoadOptions options, ProcessGroup group, Agreement agreement,
            Semaphore turn) {
        this.target = target;
        this.options = options;
        this.group = group;
        this.agreement = agreement;
        this.turn = turn;
    }

    /// The same ranks, taking turns with these loads, for loads by other options.
    SharedLoads with(LoadOptions other) {
        return new SharedLoads(target, other, group, agreement, turn);
    }

    /// Loads together with the other ranks, which call this too.
    ///
    /// @param headers reads them
    /// @param owners the files of each rank, if the caller said so
    /// @param startNanos when the user asked for it, in `System.nanoTime()`
    Weights load(Supplier<ParsedCheckpoint> headers, Map<Integer, List<Location>> owners, long startNanos) {
        turn.acquireUninterruptibly();
        boolean passedOn = false;
        try (PreparedLoad load = prepare("load", headers, owners, startNanos)) {
            if (load.way().distribution() == Distribution.STRIPED) {
                passedOn = true;
                return striped(load);
            }
            if (load.way().distribution() == Distribution.OWNER) {
                return owned(load, owners);
            }
            return load.start(options.progress(), null);
        } finally {
            if (!passedOn) {
                turn.release();
            }
        }
    }

    /// Starts a load whose blocks are exchanged in the background; its end gives the group free.
    private Weights striped(PreparedLoad load) {
        StripedExchange exchange = new StripedExchange(load.plan(), group, agreement,
                target.backend().get()::openCopyStream, turn::release);
        try {
            return load.start(options.progress(), exchange);
        } catch (RuntimeException | Error e) {
            exchange.close();
            throw e;
        }
    }

    /// Starts a load of this rank's files. That a rank had no memory for its own is known before the first call.
    private Weights owned(PreparedLoad load, Map<Integer, List<Location>> given) {
        String starting = "the start of a load";
        LoadedWeights own = orTell(starting, () -> load.start(options.progress(), null));
        try {
            agreement.reach(starting, Map.of());
        } catch (RuntimeException | Error e) {
            own.close();
            throw e;
        }
        ParsedCheckpoint checkpoint = load.checkpoint();
        Map<String, TensorInfo> tensors = new LinkedHashMap<>();
        checkpoint.tensors().stream().filter(options.selection()::test).forEach(t -> tensors.put(t.name(), t));
        FileOwners files = owners(checkpoint, given);
        return new OwnedWeights(own, checkpoint, tensors, files, load.way(), new Deliveries(own,
                new HandOuts(files, tensors.values()), load.way(), group, agreement, target.backend(), turn));
    }

    private FileOwners owners(ParsedCheckpoint checkpoint, Map<Integer, List<Location>> given) {
        return given.isEmpty() ? FileOwners.dealt(checkpoint.headers(), options.selection(), group.size())
                : FileOwners.given(checkpoint.headers(), given);
    }

    private Selection selection(Way way, ParsedCheckpoint checkpoint, Map<Integer, List<Location>> given) {
        if (way.distribution() != Distribution.OWNER) {
            return options.selection();
        }
        FileOwners files = owners(checkpoint, given);
        return options.selection().and(tensor -> files.owner(tensor) == group.rank());
    }

    /// What [#load] would do; the other ranks call this too.
    LoadPlan plan(Supplier<ParsedCheckpoint> headers) {
        turn.acquireUninterruptibly();
        try (PreparedLoad load = prepare("plan", headers, Map.of(), System.nanoTime())) {
            return load.plan();
        } finally {
            turn.release();
        }
    }

    private PreparedLoad prepare(String what, Supplier<ParsedCheckpoint> headers, Map<Integer, List<Location>> owners,
            long startNanos) {
        ParsedCheckpoint checkpoint = orTell(what, headers);
        List<Map<String, String>> ranks = agreement.reach(what, LoadFacts.of(checkpoint, owners, options),
                Chooser.own(group, target.device(), options.deviceBudget()));
        Way way = Chooser.choose(options, group, !owners.isEmpty(), ranks);
        String planning = "the planning of a " + what;
        PreparedLoad load = orTell(planning, () -> PreparedLoad.of(target, options, checkpoint, way,
                selection(way, checkpoint, owners), Chooser.budget(ranks), startNanos));
        try {
            agreement.reach(planning,
                    way.distribution() == Distribution.STRIPED ? LoadFacts.ofPlaces(load.plan()) : Map.of());
            return load;
        } catch (RuntimeException | Error e) {
            load.close();
            throw e;
        }
    }

    /// Does something that the others do too, or tells them why it could not.
    private <T> T orTell(String what, Supplier<T> work) {
        try {
            return work.get();
        } catch (RuntimeException | Error e) {
            agreement.fail(what, e);
            throw e;
        }
    }
}
