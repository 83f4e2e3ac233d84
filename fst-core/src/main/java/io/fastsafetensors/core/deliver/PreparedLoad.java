package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.distribute.Way;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Span;
import io.fastsafetensors.core.memory.Lease;
import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.memory.Scope;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
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
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A load that is planned and not begun: nothing is allocated yet. Started once, or closed.
final class PreparedLoad implements AutoCloseable {
    private final LoadTarget target;
    private final LoadOptions options;
    private final ParsedCheckpoint checkpoint;
    private final Way way;
    private final Routing routing;
    private final ReadPlan plan;
    private final List<Long> bufferSizes;
    private final DigestCheck digests;
    private final Readers.Crew crew;
    private final LoadClock clock;
    private boolean started;

    /// Takes `routing` over.
    ///
    /// @param headers those of the plan's files
    /// @param bufferSizes the sizes of the buffers, one for each file that tensors are loaded from
    /// @param deviceBudget the most device memory that it may hold
    /// @param startNanos when the user asked for it, in `System.nanoTime()`
    /// @throws io.fastsafetensors.error.BudgetException if the budgets have no room for it
    PreparedLoad(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint, Way way, Routing routing,
            List<FileHeader> headers, ReadPlan plan, List<Long> bufferSizes, long deviceBudget, long startNanos) {
        this.target = target;
        this.options = options;
        this.checkpoint = checkpoint;
        this.way = way;
        this.routing = routing;
        this.bufferSizes = bufferSizes;
        try {
            this.digests = options.checkDigests() ? DigestCheck.of(headers, plan) : DigestCheck.NONE;
            Readers.Crew all = target.crew(plan, bufferBytes(), deviceBudget);
            this.crew = digests.tap().equals(ReadTap.NONE) ? all : all.alone();
            this.plan = way.isShared() ? plan.shared(way.sharing(plan, crew.transientBytes())) : plan;
            this.clock = new LoadClock(startNanos, System.nanoTime());
        } catch (RuntimeException | Error e) {
            routing.close();
            throw e;
        }
    }

    /// Plans the loading of the selected tensors.
    ///
    /// @param way which part of each tensor this rank loads
    /// @param deviceBudget the most device memory that it may hold
    /// @param startNanos when the user asked for it, in `System.nanoTime()`
    /// @throws io.fastsafetensors.error.BudgetException if the budgets have no room for it
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the host has none
    static PreparedLoad of(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint, Way way,
            Selection selection, long deviceBudget, long startNanos) {
        Routing routing = target.route(checkpoint.headers());
        ReadPlan plan;
        try {
            plan = target.plan(checkpoint, routing, selection, way, deviceBudget);
        } catch (RuntimeException | Error e) {
            routing.close();
            throw e;
        }
        PreparedLoad load = new PreparedLoad(target, options, checkpoint, way, routing, checkpoint.headers(), plan,
                bufferSizes(plan), deviceBudget, startNanos);
        try {
            target.requireAvailable(load.bufferBytes() + load.transientBytes());
            return load;
        } catch (RuntimeException | Error e) {
            load.close();
            throw e;
        }
    }

    /// The sizes of a plan's buffers, one for each file that tensors are loaded from.
    static List<Long> bufferSizes(ReadPlan plan) {
        return plan.planned().stream().filter(file -> !file.tensors().isEmpty()).map(PlannedFile::bufferBytes).toList();
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

    /// The sizes of its buffers.
    List<Long> bufferSizes() {
        return bufferSizes;
    }

    private long bufferBytes() {
        return bufferSizes.stream().mapToLong(Long::longValue).sum();
    }

    /// The device memory that its readers need besides, while they run.
    long transientBytes() {
        return crew.transientBytes();
    }

    /// Allocates every tensor's place and starts the readers.
    ///
    /// @param progress told how this load is doing
    /// @param exchange the other ranks that have this plan too and read some of the blocks; null if there are none
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the device has no room
    LoadedWeights start(ProgressListener progress, @Nullable Exchange exchange) {
        try (LoadMemory memory = LoadMemory.ofLoad(target.backend(), Long.MAX_VALUE)) {
            LoadMemory.Grant grant = memory.tryGrant(bufferSizes, crew.transientBytes());
            if (grant == null) {
                throw new AssertionError("no budget, no refusal");
            }
            return start(memory, grant, progress, exchange);
        }
    }

    /// As [#start(ProgressListener, Exchange)], in memory that was granted.
    ///
    /// @param grant its buffers and what its readers need besides
    LoadedWeights start(LoadMemory memory, LoadMemory.Grant grant, ProgressListener progress,
            @Nullable Exchange exchange) {
        SharedBackend backend = target.backend();
        Span span = Recorder.load(checkpoint.path().toString(), target.choice().name(), plan.planned().size(),
                plan.planned().stream().mapToInt(f -> f.tensors().size()).sum(), plan.bytesToRead());
        SlotPool pool = target.pool();
        Places places = new Places(plan.planned().size());
        LoadJob job = new LoadJob(plan, places, routing, backend, grant, pool == null ? null : pool.retain(), crew,
                target.threads(), digests.tap(), options, progress, span, exchange);
        Scope scope = new Scope("weights of " + checkpoint.path());
        backend.retain();
        started = true;
        job.start();
        List<@Nullable Lease> leases;
        try {
            leases = allocate(grant, places, scope);
        } catch (RuntimeException | Error e) {
            job.cancel(e instanceof RuntimeException reason ? reason
                    : new IllegalStateException("the load ended before it began: " + e, e));
            job.join();
            scope.close();
            backend.release();
            throw e;
        }
        LoadState state = new LoadState(scope, leases, job, backend);
        return new LoadedWeights(checkpoint, plan, state, clock, memory, digests, target.device(),
                options.leakDetection(), way);
    }

    private List<@Nullable Lease> allocate(LoadMemory.Grant grant, Places places, Scope scope) {
        long alignment = Math.max(Pages.SIZE,
                Math.max(options.alignment(), target.backend().get().hints().tensorAlignment()));
        List<@Nullable Lease> leases = new ArrayList<>(plan.planned().size());
        int next = 0;
        for (PlannedFile file : plan.planned()) {
            if (file.tensors().isEmpty()) {
                leases.add(null);
            } else {
                SharedBuffer buffer = grant.allocate(bufferSizes.get(next++), alignment);
                places.set(leases.size(), buffer);
                leases.add(scope.lease(buffer));
            }
        }
        return leases;
    }

    /// Gives back what planning took, unless the load was started.
    @Override
    public void close() {
        if (!started) {
            routing.close();
        }
    }
}
