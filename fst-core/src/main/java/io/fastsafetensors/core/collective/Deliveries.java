package io.fastsafetensors.core.collective;

import io.fastsafetensors.core.distribute.FileOwners;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.group.Consensus;
import io.fastsafetensors.core.group.Consensus.Reached;
import io.fastsafetensors.core.group.Consensus.Told;
import io.fastsafetensors.core.load.LoadedWeights;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.tensor.CoreTensor;
import io.fastsafetensors.core.transfer.ReaderThreads;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.group.PendingCollective;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.RankSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Carries out the collective calls of a load whose files are owned by ranks. One at a time: each waits for what this rank
/// gives, allocates what it gets, tells the others, and moves.
///
/// A call has these steps: prepare and agree (what fails here fails on all, and the group goes on), move (what fails
/// here is the transport's, and ends the group), finish, and count what was handed out. The turn is held throughout.
final class Deliveries {
    /// The fact by which a rank tells that it has a last step.
    private static final String MAY_FAIL = "may fail at the end";

    private final LoadedWeights own;
    private final HandedOut handedOut;
    private final RankLayout layout;
    private final ProcessGroup group;
    private final Consensus agreement;
    private final SharedBackend backend;
    /// Held through a whole call: two calls of one rank would meet the other ranks' in no fixed order.
    private final Semaphore turn;
    private final LongAdder received = new LongAdder();

    /// @param own what this rank reads
    /// @param owners who reads which file
    /// @param tensors the selected tensors of all ranks
    /// @param backend the device, held by `own`
    /// @param turn whose permit allows to use the group
    Deliveries(LoadedWeights own, FileOwners owners, Collection<TensorInfo> tensors, RankLayout layout,
            ProcessGroup group, Consensus agreement, SharedBackend backend, Semaphore turn) {
        this.own = own;
        this.handedOut = new HandedOut(owners, tensors);
        this.layout = layout;
        this.group = group;
        this.agreement = agreement;
        this.backend = backend;
        this.turn = turn;
    }

    /// Bytes that came from other ranks so far.
    long bytesReceived() {
        return received.sum();
    }

    /// Makes a call's result of the tensors that this rank gets.
    ///
    /// @param of makes it, and closes what it takes no further
    /// @param mayFail whether it can fail on one rank alone, and so is a step of its own
    /// @param undo closes it
    /// @param <R> what the call returns
    record Finish<R>(Function<List<CoreTensor>, R> of, boolean mayFail, Consumer<R> undo) {
    }

    /// This rank's prepared part of one call. Retains the device, because others may close weights and loader meanwhile.
    private record Ready(List<Delivery.Request> requests, List<Delivery> deliveries, SharedBackend backend,
            CopyStream stream) implements AutoCloseable {
        @Override
        public void close() {
            Releases releases = new Releases();
            deliveries.forEach(delivery -> releases.run(delivery::close));
            releases.run(stream::close).run(backend::release).finish();
        }
    }

    /// Gives and gets tensors together with the other ranks, which ask for the same.
    ///
    /// Called by the same call of every rank. Not interruptible while it waits for its turn; the transport's timeout
    /// ends every other wait.
    ///
    /// @param call what the user called
    /// @param asked tells what is asked for; it checks for every rank what could fail on one
    /// @param finish makes the result of what this rank gets, in the order of the requests
    <R> R all(String call, Supplier<List<Delivery.Request>> asked, Finish<R> finish) {
        ReaderThreads.requireMayWait("the other ranks");
        own.checkpoint();
        turn.acquireUninterruptibly();
        Reached<Ready> reached;
        try {
            reached = agreement.reach(call, () -> prepare(asked.get()), ready -> told(ready, finish), Ready::close);
        } catch (RuntimeException | Error e) {
            turn.release();
            throw e;
        }
        try (Ready ready = reached.value()) {
            move(ready);
            R result = reached.own().stream().anyMatch(rank -> rank.containsKey(MAY_FAIL))
                    ? agreement.reach("the end of " + call, () -> finish.of().apply(results(ready)), _ -> Told.NOTHING,
                            finish.undo()).value()
                    : finish.of().apply(results(ready));
            ready.requests().forEach(this::handedOut);
            return result;
        } finally {
            turn.release();
        }
    }

    /// Whole tensors for everybody go in one operation.
    private void move(Ready ready) {
        List<RankSlice> pieces = new ArrayList<>();
        for (Delivery delivery : ready.deliveries()) {
            RankSlice piece = delivery.piece();
            if (piece == null) {
                received.add(delivery.move(ready.stream()));
            } else {
                pieces.add(piece);
                received.add(piece.root() == layout.rank() ? 0 : piece.slice().byteSize());
            }
        }
        if (!pieces.isEmpty()) {
            try (PendingCollective all = group.allGather(pieces, ready.stream())) {
                all.await();
            }
        }
        ready.stream().synchronize();
    }

    /// Ranks may ask for different devices: where one has a last step, all take part in it.
    private static Told told(Ready ready, Finish<?> finish) {
        Map<String, String> facts = new LinkedHashMap<>();
        for (int i = 0; i < ready.requests().size(); i++) {
            Delivery.Request request = ready.requests().get(i);
            facts.put("tensor " + i, "\"" + request.tensor().name() + "\" cut along " + request.dim());
        }
        return new Told(facts, finish.mayFail() ? Map.of(MAY_FAIL, "") : Map.of());
    }

    private List<CoreTensor> results(Ready ready) {
        List<CoreTensor> results = new ArrayList<>(ready.deliveries().size());
        for (Delivery delivery : ready.deliveries()) {
            if (delivery.request().reaches(layout.rank())) {
                results.add(result(delivery));
            }
        }
        return results;
    }

    /// Opens a stream, prepares every delivery, and waits for what that queued.
    private Ready prepare(List<Delivery.Request> requests) {
        requests.forEach(request -> handedOut.requireThere(request.tensor()));
        Ready ready = new Ready(requests, new ArrayList<>(requests.size()), backend, openStream());
        try {
            for (Delivery.Request request : requests) {
                ready.deliveries().add(prepare(request, ready.stream()));
            }
            ready.stream().synchronize();
            return ready;
        } catch (RuntimeException | Error e) {
            new Releases().run(ready::close).because(e);
            throw e;
        }
    }

    /// A stream, and with it a reference to the device.
    private CopyStream openStream() {
        if (!backend.tryRetain()) {
            own.checkpoint();
            throw new AssertionError("open weights of a closed device");
        }
        try {
            return backend.get().openCopyStream();
        } catch (RuntimeException | Error e) {
            new Releases().run(backend::release).because(e);
            throw e;
        }
    }

    private Delivery prepare(Delivery.Request request, CopyStream stream) {
        boolean mine = request.owner() == layout.rank();
        CoreTensor source = mine ? own.loaded(request.tensor().name()) : null;
        return new Delivery(request, group, backend, source, mine && keepsSource(request), stream);
    }

    /// An owner hands out a tensor itself if that keeps at most twice the tensor's own memory; else a copy, so that the
    /// file's memory can go.
    ///
    /// The same verdict is not needed on other ranks: only the owner has a source.
    private boolean keepsSource(Delivery.Request request) {
        return request.dim() < 0 && request.tensor().byteSize() * 2 >= own.fileBytes(request.tensor().name());
    }

    private CoreTensor result(Delivery delivery) {
        TensorInfo tensor = delivery.request().tensor();
        @Nullable SharedBuffer buffer = delivery.take();
        return buffer == null ? own.counted(tensor.name())
                : own.derived(buffer, tensor.name(), tensor.dtype(), delivery.shape());
    }

    /// Counted on every rank, so that all refuse the same tensors later; the memory is its owner's to free.
    private void handedOut(Delivery.Request request) {
        if (handedOut.add(request.tensor()) && request.owner() == layout.rank()) {
            own.free(request.tensor().name());
        }
    }

    /// Waits until every rank has read everything.
    void awaitAll() {
        ReaderThreads.requireMayWait("the other ranks");
        own.checkpoint();
        turn.acquireUninterruptibly();
        try {
            agreement.reach("awaitAll()", own::awaitAll);
        } finally {
            turn.release();
        }
    }

    /// Counts which tensors were handed out, file by file: a file whose tensors all were is no longer needed. The same on
    /// every rank. Used by one thread at a time.
    private static final class HandedOut {
        private final FileOwners owners;
        /// For each file, how many of its tensors were not handed out yet.
        private final int[] waiting;
        private final Set<String> names = new HashSet<>();

        /// @param tensors those that are selected, of all ranks
        HandedOut(FileOwners owners, Collection<TensorInfo> tensors) {
            this.owners = owners;
            this.waiting = new int[owners.files()];
            for (TensorInfo tensor : tensors) {
                waiting[owners.file(tensor)]++;
            }
        }

        /// Refuses a tensor whose file is gone.
        ///
        /// @throws TensorNotFoundException if all tensors of its file were handed out
        void requireThere(TensorInfo tensor) {
            if (waiting[owners.file(tensor)] == 0) {
                throw new TensorNotFoundException(tensor.name(),
                        "every tensor of its file was handed out, and the file's memory went back; keep the tensor that"
                                + " was given, or ask for it before the last one");
            }
        }

        /// A tensor was handed out.
        ///
        /// @return whether it was the last of its file
        boolean add(TensorInfo tensor) {
            return names.add(tensor.name()) && --waiting[owners.file(tensor)] == 0;
        }
    }
}
