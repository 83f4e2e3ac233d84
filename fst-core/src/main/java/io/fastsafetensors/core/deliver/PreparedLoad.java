package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.distribute.Way;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Span;
import io.fastsafetensors.core.memory.Resources;
import io.fastsafetensors.core.memory.Scope;
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
import io.fastsafetensors.spi.Releases;
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
    private final Resources resources;
    private @Nullable SpareBuffers spares;

    /// @param resources the routing, to be closed in the end; taken over when this returns
    private PreparedLoad(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint, Way way, Routing routing,
            ReadPlan plan, long deviceBudget, long startNanos, Resources resources) {
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
        this.resources = resources.handOver();
    }

    /// Plans the loading of the selected tensors.
    ///
    /// @param way which part of each tensor this rank loads
    /// @param deviceBudget the most device memory that it may hold
    /// @param startNanos when the user asked for it, in `System.nanoTime()`
    /// @throws io.fastsafetensors.error.BudgetException if the budgets have no room for it
    static PreparedLoad of(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint, Way way,
            Selection selection, long deviceBudget, long startNanos) {
        try (Resources resources = new Resources()) {
            Routing routing = target.route(checkpoint);
            resources.add(routing::close);
            return new PreparedLoad(target, options, checkpoint, way, routing,
                    target.plan(checkpoint, routing, selection, way),
                    deviceBudget, startNanos, resources);
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
        Places places = new Places(plan.planned().size());
        LoadState state;
        try (Resources begun = resources.handOver()) {
            LoadJob job = job(places, progress, exchange, begun);
            state = new LoadState(spares == null ? new Scope("weights of " + checkpoint.location())
                    : new Scope("a batch of the stream of " + checkpoint.location(), OF_A_STREAM), job,
                    target.backend());
            job.start();
        }
        try {
            for (PlannedFile file : plan.planned()) {
                SharedBuffer buffer = file.tensors().isEmpty() ? null : allocate(file);
                int place = state.add(buffer);
                if (buffer != null) {
                    places.set(place, buffer);
                }
            }
            return new LoadedWeights(checkpoint, plan, state, clock, digests, target.device(), options.leakDetection(),
                    way);
        } catch (RuntimeException | Error e) {
            if (exchange != null) {
                exchange.abandon();
            }
            new Releases().run(() -> state.fail(e)).because(e);
            throw e;
        }
    }

    /// The readers, which release what they need when they have ended.
    private LoadJob job(Places places, ProgressListener progress, @Nullable Exchange exchange, Resources begun) {
        if (exchange != null) {
            begun.add(exchange::close);
        }
        begun.add(target.use()::close);
        SlotPool pool = target.pool();
        if (pool != null) {
            begun.add(pool.retain()::release);
        }
        Span span = Recorder.load(checkpoint.location().toString(), target.choice().name(), plan.planned().size(),
                plan.planned().stream().mapToInt(f -> f.tensors().size()).sum(), plan.bytesToRead());
        return new LoadJob(plan, places, checkpoint.sources(), routing, target.backend(), pool, crew, target.threads(),
                digests.tap(),
                options,
                progress, span, exchange, begun);
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
        resources.close();
    }
}
