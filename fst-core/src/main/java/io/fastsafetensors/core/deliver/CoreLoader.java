package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.core.checkpoint.CheckpointFiles;
import io.fastsafetensors.core.header.CheckpointReader;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Span;
import io.fastsafetensors.core.memory.Lease;
import io.fastsafetensors.core.memory.Scope;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.place.LoadJob;
import io.fastsafetensors.core.place.Readers;
import io.fastsafetensors.core.place.Routing;
import io.fastsafetensors.core.place.SlotPool;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// Loads for one rank.
public final class CoreLoader implements Loader {
    private final LoadOptions options;
    private final LoadTarget target;
    private final AtomicBoolean closed = new AtomicBoolean();

    private CoreLoader(LoadOptions options, LoadTarget target) {
        this.options = options;
        this.target = target;
    }

    /// Picks a backend and opens its device.
    ///
    /// @throws UnsupportedFeatureException if the options ask for what this version does not have
    public static CoreLoader open(LoadOptions options) {
        Unsupported.check(options);
        return new CoreLoader(options, LoadTarget.open(options));
    }

    @Override
    public Weights load(Path checkpoint) {
        return load(CheckpointFiles.resolve(checkpoint));
    }

    @Override
    public Weights load(List<Path> files) {
        return load(CheckpointFiles.of(files));
    }

    @Override
    public Weights load(Map<Integer, List<Path>> filesByRank) {
        if (!filesByRank.keySet().equals(Set.of(0))) {
            throw new IllegalArgumentException("files for ranks " + filesByRank.keySet() + " in a load by one rank, 0");
        }
        return load(filesByRank.getOrDefault(0, List.of()));
    }

    private Weights load(CheckpointFiles files) {
        requireOpen();
        long start = System.nanoTime();
        ParsedCheckpoint checkpoint = CheckpointReader.open(files, options.open());
        Routing routing = target.route(checkpoint);
        try {
            ReadPlan plan = target.plan(checkpoint, routing);
            Readers.Crew crew = target.crew(plan);
            return start(checkpoint, plan, routing, crew, new LoadClock(start, System.nanoTime()));
        } catch (RuntimeException | Error e) {
            routing.close();
            throw e;
        }
    }

    private Weights start(ParsedCheckpoint checkpoint, ReadPlan plan, Routing routing, Readers.Crew crew,
            LoadClock clock) {
        SharedBackend backend = target.backend();
        Scope scope = new Scope("weights of " + checkpoint.path());
        List<@Nullable SharedBuffer> buffers = new ArrayList<>();
        List<@Nullable Lease> leases = new ArrayList<>();
        backend.retain();
        try {
            for (PlannedFile file : plan.planned()) {
                SharedBuffer buffer = file.tensors().isEmpty() ? null : allocate(file);
                buffers.add(buffer);
                leases.add(buffer == null ? null : scope.lease(buffer));
            }
        } catch (RuntimeException | Error e) {
            scope.close();
            backend.release();
            throw e;
        }
        Span span = Recorder.load(checkpoint.path().toString(), backend().name(), plan.planned().size(),
                plan.planned().stream().mapToInt(f -> f.tensors().size()).sum(), plan.bytesToRead());
        SlotPool pool = target.pool();
        LoadJob job = new LoadJob(plan, buffers, routing, backend, pool == null ? null : pool.retain(), crew, options,
                span);
        LoadState state = new LoadState(scope, leases, job, backend);
        LoadedWeights weights = new LoadedWeights(checkpoint, plan, state, clock, device(), options.leakDetection());
        job.start();
        return weights;
    }

    private SharedBuffer allocate(PlannedFile file) {
        Backend backend = target.backend().get();
        long alignment = Math.max(Pages.SIZE, Math.max(options.alignment(), backend.hints().tensorAlignment()));
        return new SharedBuffer(backend.allocate(file.bufferBytes(), alignment), target.backend());
    }

    @Override
    public LoadPlan plan(Path checkpoint) {
        requireOpen();
        ParsedCheckpoint parsed = CheckpointReader.open(CheckpointFiles.resolve(checkpoint), options.open());
        try (Routing routing = target.route(parsed)) {
            return target.plan(parsed, routing);
        }
    }

    @Override
    public TensorStream stream(Path checkpoint, StreamOptions streamOptions) {
        throw Unsupported.feature("streams under a budget");
    }

    @Override
    public Tensor fromDlpack(long managedTensor, DlpackVersion version) {
        throw Unsupported.feature("taking tensors over through DLPack");
    }

    @Override
    public LoadOptions options() {
        return options;
    }

    @Override
    public Device device() {
        return target.device();
    }

    @Override
    public BackendChoice backend() {
        return target.choice();
    }

    @Override
    public void trim() {
        requireOpen();
        target.trim();
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new IllegalStateException("the loader for " + device() + " is closed");
        }
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            target.close();
        }
    }
}
