package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Span;
import io.fastsafetensors.core.memory.LeakDetector;
import io.fastsafetensors.core.memory.Lease;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.PlannedTensor;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.TensorInfo;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The tensors of one load by one rank.
final class LoadedWeights implements Weights {
    private final Checkpoint checkpoint;
    private final ReadPlan plan;
    private final LoadState state;
    private final LoadClock clock;
    private final DigestCheck digests;
    private final CoreTensor.Origin origin;
    private final Map<String, PlannedTensor> tensors;
    private final LeakDetector.Ticket ticket;

    LoadedWeights(Checkpoint checkpoint, ReadPlan plan, LoadState state, LoadClock clock, DigestCheck digests,
            Device device, LeakDetection leaks) {
        this.checkpoint = checkpoint;
        this.plan = plan;
        this.state = state;
        this.clock = clock;
        this.digests = digests;
        this.origin = new CoreTensor.Origin(this, state.scope(), device, leaks);
        this.tensors = new LinkedHashMap<>();
        for (PlannedFile file : plan.planned()) {
            for (PlannedTensor tensor : file.tensors()) {
                tensors.put(tensor.info().name(), tensor);
            }
        }
        this.ticket = LeakDetector.watch(this, state.scope().toString(), leaks, state::close);
    }

    private void requireOpen() {
        state.scope().requireOpen();
    }

    /// Waits until nothing is read any more, whether it succeeded or not.
    void join() {
        state.job().join();
    }

    private PlannedTensor planned(String name) {
        requireOpen();
        PlannedTensor tensor = tensors.get(name);
        if (tensor == null) {
            checkpoint.info(name);
            throw new TensorNotFoundException(name, "it is in the checkpoint but was not selected for this load");
        }
        return tensor;
    }

    @Override
    public Checkpoint checkpoint() {
        requireOpen();
        return checkpoint;
    }

    @Override
    public Set<String> names() {
        requireOpen();
        return Collections.unmodifiableSet(tensors.keySet());
    }

    @Override
    public TensorInfo info(String name) {
        return planned(name).info();
    }

    @Override
    public Path file(String name) {
        return planned(name).info().file();
    }

    @Override
    public Map<String, String> metadata() {
        requireOpen();
        return checkpoint.metadata();
    }

    @Override
    public Device device() {
        requireOpen();
        return origin.device();
    }

    @Override
    public LoadPlan plan() {
        requireOpen();
        return plan;
    }

    @Override
    public Tensor get(String name, GetOptions options) {
        return as(loaded(name), options);
    }

    /// The tensor as asked for; what is only a step on the way is closed.
    private static Tensor as(Tensor tensor, GetOptions options) {
        Tensor result = tensor;
        try {
            result = options.device().isPresent() ? result.to(options.device().get()) : result;
            result = options.dtype().isPresent() ? result.to(options.dtype().get()) : result;
            return result;
        } finally {
            if (!result.equals(tensor)) {
                tensor.close();
            }
        }
    }

    private CoreTensor loaded(String name) {
        PlannedTensor tensor = planned(name);
        if (!state.job().arrivals().isThere(tensor.firstBlock(), tensor.lastBlock())) {
            Span span = Recorder.wait(name);
            state.job().arrivals().await(tensor.firstBlock(), tensor.lastBlock());
            span.finish("done");
        }
        requireOpen();
        Lease lease = state.lease(tensor.file());
        if (lease == null) {
            throw new AssertionError("a tensor of a file without a buffer");
        }
        CoreTensor loaded = new CoreTensor(origin, lease, false, name, tensor.dtype(), tensor.info().shape(),
                tensor.bufferOffset(), tensor.byteSize());
        digests.require(name, loaded);
        return loaded;
    }

    @Override
    public boolean isReady(String name) {
        PlannedTensor tensor = planned(name);
        return state.job().arrivals().isThere(tensor.firstBlock(), tensor.lastBlock());
    }

    @Override
    public Tensor getSharded(String name, int dim, GetOptions options) {
        Sharding.requireDim(name, planned(name).info().shape(), dim);
        return get(name, options);
    }

    @Override
    public Tensor getShardedConcat(List<String> names, int dim, GetOptions options) {
        requireOpen();
        Sharding.requireConcat(names.stream().map(this::info).toList(), dim);
        List<CoreTensor> parts = names.stream().map(this::loaded).toList();
        return as(Sharding.concat(parts, dim), options);
    }

    @Override
    public Optional<Tensor> push(String name, int destination, GetOptions options) {
        requireOpen();
        if (destination != 0) {
            throw new IllegalArgumentException("rank " + destination + " of a load by one rank");
        }
        return Optional.of(get(name, options));
    }

    @Override
    public Map<String, Tensor> getAll(Map<String, Integer> dims) {
        requireOpen();
        Map<String, Tensor> all = new LinkedHashMap<>();
        dims.forEach((name, dim) -> all.put(name, getSharded(name, dim)));
        return all;
    }

    @Override
    public void awaitAll() {
        requireOpen();
        state.job().arrivals().await(0, plan.blocks().size() - 1);
        state.job().join();
        requireOpen();
        state.job().arrivals().requireSuccess();
        OnAllCores.run("fst-digest", digests.names(), this::loaded);
    }

    @Override
    public LoadStats stats() {
        requireOpen();
        return clock.stats(plan, state.job());
    }

    @Override
    public boolean isClosed() {
        return state.scope().isClosed();
    }

    @Override
    public void close() {
        state.close();
        ticket.close();
    }

    @Override
    public String toString() {
        return state.scope() + (isClosed() ? " (closed)" : "");
    }
}
