package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.distribute.Way;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Span;
import io.fastsafetensors.core.memory.Lease;
import io.fastsafetensors.core.memory.Scope;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.memory.SpareBuffers;
import io.fastsafetensors.core.place.Exchange;
import io.fastsafetensors.core.place.LoadJob;
import io.fastsafetensors.core.place.Places;
import io.fastsafetensors.core.place.ReadTap;
import io.fastsafetensors.core.place.Readers;
import io.fastsafetensors.core.place.Routing;
import io.fastsafetensors.core.place.SlotPool;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.spi.Backend;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A load that is planned and not begun: nothing is allocated yet. Started once, or closed.
final class PreparedLoad implements AutoCloseable {
    private static final String OF_A_STREAM = ": a tensor of a stream lives until the next one is asked for; copy its"
            + " values before, detach() it, or stream with StreamOptions.defaults().withOwned(true) and close each";

    private final LoadTarget target;
    private final LoadOptions options;
    private final ParsedCheckpoint checkpoint;
    private final Way way;
    private final Routing routing;
    private final ReadPlan plan;
    private final DigestCheck digests;
    private final Readers.Crew crew;
    private final LoadClock clock;
    private final boolean inOneBuffer;
    private @Nullable SpareBuffers spares;
    private boolean started;

    private PreparedLoad(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint, Way way, Routing routing,
            ReadPlan plan, long deviceBudget, long startNanos) {
        this.target = target;
        this.options = options;
        this.checkpoint = checkpoint;
        this.way = way;
        this.routing = routing;
        this.digests = options.checkDigests() ? DigestCheck.of(checkpoint, plan) : DigestCheck.NONE;
        Readers.Crew all = target.crew(plan, deviceBudget);
        this.crew = digests.tap().equals(ReadTap.NONE) ? all : all.alone();
        this.plan = way.isShared() ? plan.shared(way.sharing(plan, crew.transientBytes())) : plan;
        this.inOneBuffer = plan.planned().stream().filter(file -> !file.tensors().isEmpty()).count() == 1;
        this.clock = new LoadClock(startNanos, System.nanoTime());
    }

    /// Plans the loading of the selected tensors.
    ///
    /// @param way which part of each tensor this rank loads
    /// @param deviceBudget the most device memory that it may hold
    /// @param startNanos when the user asked for it, in `System.nanoTime()`
    /// @throws io.fastsafetensors.error.BudgetException if the budgets have no room for it
    static PreparedLoad of(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint, Way way,
            Selection selection, long deviceBudget, long startNanos) {
        Routing routing = target.route(checkpoint);
        try {
            return new PreparedLoad(target, options, checkpoint, way, routing,
                    target.plan(checkpoint, routing, selection, way),
                    deviceBudget, startNanos);
        } catch (RuntimeException | Error e) {
            routing.close();
            throw e;
        }
    }

    ReadPlan plan() {
        return plan;
    }

    ParsedCheckpoint checkpoint() {
        return checkpoint;
    }

    /// How it is shared with other ranks.
    Way way() {
        return way;
    }

    /// The most device memory that the load holds at any time.
    long deviceBytes() {
        return plan.deviceBytes() + crew.transientBytes()
                + plan.planned().stream().mapToLong(file -> sizeOf(file) - file.bufferBytes()).sum();
    }

    /// Takes memory from there and gives it back there.
    PreparedLoad reusing(SpareBuffers buffers) {
        spares = buffers;
        return this;
    }

    /// Allocates every tensor's place and starts the readers.
    ///
    /// @param progress told how this load is doing
    /// @param exchange the other ranks that have this plan too and read some of the blocks; null if there are none
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the device has no room
    LoadedWeights start(ProgressListener progress, @Nullable Exchange exchange) {
        SharedBackend backend = target.backend();
        Span span = Recorder.load(checkpoint.location().toString(), target.choice().name(), plan.planned().size(),
                plan.planned().stream().mapToInt(f -> f.tensors().size()).sum(), plan.bytesToRead());
        SlotPool pool = target.pool();
        Places places = new Places(plan.planned().size());
        LoadJob job = new LoadJob(plan, places, checkpoint.sources(), routing, backend,
                pool == null ? null : pool.retain(), crew,
                target.threads(), digests.tap(), options, progress, span, exchange);
        Scope scope = spares == null ? new Scope("weights of " + checkpoint.location())
                : new Scope("a batch of the stream of " + checkpoint.location(), OF_A_STREAM);
        backend.retain();
        started = true;
        job.start();
        List<@Nullable Lease> leases;
        try {
            leases = allocate(places, scope);
        } catch (RuntimeException | Error e) {
            job.cancel(e instanceof RuntimeException reason ? reason
                    : new IllegalStateException("the load ended before it began: " + e, e));
            job.join();
            scope.close();
            backend.release();
            throw e;
        }
        LoadState state = new LoadState(scope, leases, job, backend);
        return new LoadedWeights(checkpoint, plan, state, clock, digests, target.device(), options.leakDetection(),
                way);
    }

    private List<@Nullable Lease> allocate(Places places, Scope scope) {
        List<@Nullable Lease> leases = new ArrayList<>(plan.planned().size());
        for (PlannedFile file : plan.planned()) {
            if (file.tensors().isEmpty()) {
                leases.add(null);
            } else {
                SharedBuffer buffer = allocate(file);
                places.set(leases.size(), buffer);
                leases.add(scope.lease(buffer));
            }
        }
        return leases;
    }

    private SharedBuffer allocate(PlannedFile file) {
        Backend backend = target.backend().get();
        long alignment = Math.max(Pages.SIZE, Math.max(options.alignment(), backend.hints().tensorAlignment()));
        return spares == null
                ? new SharedBuffer(backend.allocate(file.bufferBytes(), alignment), target.backend())
                : spares.allocate(sizeOf(file), alignment);
    }

    private long sizeOf(PlannedFile file) {
        return spares == null || !inOneBuffer ? file.bufferBytes() : spares.sizeFor(file.bufferBytes());
    }

    /// Gives back what planning took, unless the load was started.
    @Override
    public void close() {
        if (!started) {
            routing.close();
        }
    }
}
