package io.fastsafetensors.core.deliver;

import io.fastsafetensors.core.distribute.Way;
import io.fastsafetensors.core.group.Agreement;
import io.fastsafetensors.core.memory.Resources;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.place.LoadJob;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// Carries out the collective calls of a load whose files are owned by ranks. One at a time: each waits for what this rank
/// gives, allocates what it gets, tells the others, and moves.
final class Deliveries {
    private final LoadedWeights own;
    private final HandOuts handOuts;
    private final Way way;
    private final ProcessGroup group;
    private final Agreement agreement;
    private final SharedBackend backend;
    private final Semaphore turn;
    private final LongAdder received = new LongAdder();

    /// @param own what this rank reads
    /// @param backend the device, held by `own`
    /// @param turn whose permit allows to use the group
    Deliveries(LoadedWeights own, HandOuts handOuts, Way way, ProcessGroup group, Agreement agreement,
            SharedBackend backend, Semaphore turn) {
        this.own = own;
        this.handOuts = handOuts;
        this.way = way;
        this.group = group;
        this.agreement = agreement;
        this.backend = backend;
        this.turn = turn;
    }

    /// Bytes that came from other ranks so far.
    long bytesReceived() {
        return received.sum();
    }

    /// Gives and gets tensors together with the other ranks, which ask for the same.
    ///
    /// @param call what the user called
    /// @return what this rank gets, in the order of the requests
    List<CoreTensor> all(String call, List<Request> requests) {
        LoadJob.requireMayWait("the other ranks");
        turn.acquireUninterruptibly();
        try (Resources held = new Resources()) {
            held.add(turn::release);
            return all(call, requests, held);
        }
    }

    private List<CoreTensor> all(String call, List<Request> requests, Resources held) {
        List<Delivery> prepared = new ArrayList<>(requests.size());
        try (CopyStream stream = prepare(call, requests, prepared, held)) {
            agreement.reach(call, facts(requests));
            for (Delivery delivery : prepared) {
                received.add(delivery.move(stream));
            }
            stream.synchronize();
            List<CoreTensor> results = new ArrayList<>(requests.size());
            for (Delivery delivery : prepared) {
                if (delivery.request().reaches(way.rank())) {
                    results.add(result(delivery));
                }
            }
            requests.forEach(this::handedOut);
            return results;
        }
    }

    private static Map<String, String> facts(List<Request> requests) {
        Map<String, String> facts = new LinkedHashMap<>();
        for (int i = 0; i < requests.size(); i++) {
            Request request = requests.get(i);
            facts.put("tensor " + i, "\"" + request.tensor().name() + "\" cut along " + request.dim());
        }
        return facts;
    }

    /// Opens a stream and prepares every delivery, or tells the others why it cannot.
    ///
    /// @param held closes what is prepared
    private CopyStream prepare(String call, List<Request> requests, List<Delivery> prepared, Resources held) {
        CopyStream stream = null;
        try {
            requests.forEach(request -> handOuts.requireThere(request.tensor()));
            stream = backend.get().openCopyStream();
            for (Request request : requests) {
                Delivery delivery = prepare(request, stream);
                held.add(delivery::close);
                prepared.add(delivery);
            }
            return stream;
        } catch (RuntimeException | Error e) {
            agreement.fail(call, e);
            if (stream != null) {
                new Releases().run(stream::close).because(e);
            }
            throw e;
        }
    }

    private Delivery prepare(Request request, CopyStream stream) {
        boolean mine = request.owner() == way.rank();
        CoreTensor source = mine ? own.loaded(request.tensor().name()) : null;
        return new Delivery(request, group, backend, source, mine && keepsSource(request), stream);
    }

    /// An owner hands out a tensor itself if that keeps at most twice the tensor's own memory; else a copy, so that the
    /// file's memory can go.
    private boolean keepsSource(Request request) {
        return request.dim() < 0 && request.tensor().byteSize() * 2 >= own.fileBytes(request.tensor().name());
    }

    private CoreTensor result(Delivery delivery) {
        TensorInfo tensor = delivery.request().tensor();
        @Nullable SharedBuffer buffer = delivery.take();
        return buffer == null ? own.counted(tensor.name())
                : own.derived(buffer, tensor.name(), tensor.dtype(), delivery.shape());
    }

    private void handedOut(Request request) {
        if (handOuts.add(request.tensor()) && request.owner() == way.rank()) {
            own.free(request.tensor().name());
        }
    }

    /// Waits until every rank has read everything.
    void awaitAll() {
        LoadJob.requireMayWait("the other ranks");
        turn.acquireUninterruptibly();
        try {
            String call = "awaitAll()";
            try {
                own.awaitAll();
            } catch (RuntimeException | Error e) {
                agreement.fail(call, e);
                throw e;
            }
            agreement.reach(call, Map.of());
        } finally {
            turn.release();
        }
    }
}
