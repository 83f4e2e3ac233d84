package io.fastsafetensors.core.load;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Recorder.Span;
import io.fastsafetensors.core.memory.BufferView;
import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.memory.Resources;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.memory.TensorScope;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.transfer.BlockExchange;
import io.fastsafetensors.core.transfer.BlockListener;
import io.fastsafetensors.core.transfer.DeviceBuffers;
import io.fastsafetensors.core.transfer.FileTransfers;
import io.fastsafetensors.core.transfer.LoadJob;
import io.fastsafetensors.core.transfer.MappedBuffer;
import io.fastsafetensors.core.transfer.Readers;
import io.fastsafetensors.core.transfer.SlotPool;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.spi.Releases;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A load that is planned and not begun: nothing is allocated yet. Started once, or closed.
///
/// Everything that can be refused is refused by making one: options, digests, budgets, transfer paths. What it holds
/// until it is started or closed is mappings.
public final class PreparedLoad implements AutoCloseable {
    /// What a message advises to users of a tensor of a batch that is gone.
    private static final String OF_A_STREAM = ": a tensor of a stream lives until the next one is asked for; copy its"
            + " values before, detach() it, or stream with StreamOptions.defaults().withOwned(true) and close each";

    private final LoadTarget target;
    private final LoadOptions options;
    private final ParsedCheckpoint checkpoint;
    private final RankLayout layout;
    /// Held by [#resources], as everything is that is to be given back.
    private final FileTransfers routing;
    /// The index in the checkpoint of the plan's first file; 0 but for batches.
    private final int firstFile;
    private final ReadPlan plan;
    /// In the order of the files; a batch's only buffer may be larger than its plan needs, so that others can reuse it.
    private final List<Long> bufferSizes;
    private final DigestCheck digests;
    /// One reader where something has to see each file's blocks in their order.
    private final Readers.Crew crew;
    private final LoadTiming clock;
    private final Resources resources;

    /// @param firstFile the index in the checkpoint of the plan's first file
    /// @param headers those of the plan's files
    /// @param bufferSizes the sizes of the buffers, one for each file that tensors are loaded from
    /// @param deviceBudget the most device memory that it may hold
    /// @param startNanos when the user asked for it, in `System.nanoTime()`
    /// @param resources the routing, to be closed in the end; taken over when this returns
    /// @throws io.fastsafetensors.error.BudgetException if the budgets have no room for it
    public PreparedLoad(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint, RankLayout layout,
            FileTransfers routing,
            int firstFile, List<FileHeader> headers, ReadPlan plan, List<Long> bufferSizes, long deviceBudget,
            long startNanos,
            Resources resources) {
        this.target = target;
        this.options = options;
        this.checkpoint = checkpoint;
        this.layout = layout;
        this.routing = routing;
        this.firstFile = firstFile;
        this.bufferSizes = bufferSizes;
        this.digests = DigestCheck.of(headers, plan, options);
        Readers.Crew all = target.crew(plan, routing, bufferBytes(), deviceBudget);
        this.crew = digests.tap().equals(BlockListener.NONE) ? all : all.alone();
        this.plan = layout.isShared() ? plan.shared(layout.sharing(plan, crew.transientBytes())) : plan;
        this.clock = new LoadTiming(startNanos, System.nanoTime());
        this.resources = resources.handOver();
    }

    /// Plans the loading of the selected tensors.
    ///
    /// @param layout which part of each tensor this rank loads
    /// @param deviceBudget the most device memory that it may hold
    /// @param startNanos when the user asked for it, in `System.nanoTime()`
    /// @throws io.fastsafetensors.error.BudgetException if the budgets have no room for it
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the host has none
    public static PreparedLoad of(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint,
            RankLayout layout,
            Selection selection, long deviceBudget, long startNanos) {
        try (Resources resources = new Resources()) {
            FileTransfers routing = target.route(checkpoint.headers(), checkpoint.sources(), true);
            resources.add(routing);
            ReadPlan plan = target.plan(checkpoint, routing, selection, layout, deviceBudget);
            PreparedLoad load =
                    new PreparedLoad(target, options, checkpoint, layout, routing, 0, checkpoint.headers(), plan,
                            bufferSizes(plan), deviceBudget, startNanos, resources);
            resources.add(load);
            target.requireAvailable(load.bufferBytes() + load.transientBytes());
            resources.handOver();
            return load;
        }
    }

    /// The sizes of a plan's buffers, one for each file that tensors are loaded from.
    public static List<Long> bufferSizes(ReadPlan plan) {
        List<Long> sizes = new ArrayList<>();
        for (PlannedFile file : plan.planned()) {
            if (!file.tensors().isEmpty()) {
                sizes.add(file.bufferBytes());
            }
        }
        return sizes;
    }

    /// What will be read, and where it goes; the same for as long as this exists.
    public ReadPlan plan() {
        return plan;
    }

    /// Its files stay open for as long as the caller of the load has them.
    public ParsedCheckpoint checkpoint() {
        return checkpoint;
    }

    /// How it is shared with other ranks.
    public RankLayout layout() {
        return layout;
    }

    /// The sizes of its buffers.
    public List<Long> bufferSizes() {
        return bufferSizes;
    }

    /// What is allocated, which may be more than the plan needs.
    private long bufferBytes() {
        long bytes = 0;
        for (long size : bufferSizes) {
            bytes += size;
        }
        return bytes;
    }

    /// The device memory that its readers need besides, while they run.
    public long transientBytes() {
        return crew.transientBytes();
    }

    /// Allocates every tensor's place and starts the readers.
    ///
    /// @param progress told how this load is doing
    /// @param exchange the other ranks that have this plan too and read some of the blocks; null if there are none
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the device has no room
    public LoadedWeights start(ProgressListener progress, @Nullable BlockExchange exchange) {
        try (LoadMemory memory = LoadMemory.ofLoad(target.backend(), Long.MAX_VALUE)) {
            LoadMemory.Grant grant = memory.tryGrant(bufferSizes, crew.transientBytes());
            if (grant == null) {
                throw new AssertionError("no budget, no refusal");
            }
            return start(memory, grant, progress, exchange, true,
                    new TensorScope("weights of " + Printable.escape(checkpoint.location().toString())));
        }
    }

    /// As [#start(ProgressListener, BlockExchange)], of a batch of a stream, in memory that was granted.
    ///
    /// @param grant its buffers and what its readers need besides
    public LoadedWeights startBatch(LoadMemory memory, LoadMemory.Grant grant, ProgressListener progress) {
        return start(memory, grant, progress, null, false,
                new TensorScope("a batch of the stream of " + Printable.escape(checkpoint.location().toString()),
                        OF_A_STREAM));
    }

    /// Readers begin before the buffers are allocated. From then on a failure is the load's own: its state cancels the
    /// readers, waits for them and frees, so nothing is given back here a second time.
    ///
    /// The order: the job takes over what its readers need, the state takes over the job, readers begin, buffers come
    /// one after another in the order of the files.
    private LoadedWeights start(LoadMemory memory, LoadMemory.Grant grant, ProgressListener progress,
            @Nullable BlockExchange exchange, boolean alone, TensorScope scope) {
        DeviceBuffers places = new DeviceBuffers(plan.planned().size());
        LoadState state;
        try (Resources begun = resources.handOver()) {
            LoadJob job = job(places, grant, progress, exchange, begun);
            state = new LoadState(scope, job, target.backend());
            job.start();
        }
        try {
            Iterator<Long> sizes = bufferSizes.iterator();
            List<PlannedFile> files = plan.planned();
            @Nullable BufferView[] views = new BufferView[files.size()];
            for (int f = 0; f < views.length; f++) {
                if (!files.get(f).tensors().isEmpty()) {
                    SharedBuffer buffer = place(files.get(f), grant, sizes.next());
                    views[f] = scope.view(buffer);
                    places.set(f, buffer);
                }
            }
            return new LoadedWeights(checkpoint, firstFile, plan, state, views, clock, memory, digests,
                    target.device(), options.leakDetection(), layout, alone);
        } catch (RuntimeException | Error e) {
            if (exchange != null) {
                exchange.abandon();
            }
            new Releases().run(() -> state.fail(e)).because(e);
            throw e;
        }
    }

    /// A mapping is no memory of the device and comes out of no grant.
    private SharedBuffer place(PlannedFile file, LoadMemory.Grant grant, long bytes) {
        return file.isMappedInPlace()
                ? new SharedBuffer(MappedBuffer.of(checkpoint.sources().file(file.location()), file.fileLength()),
                        target.backend())
                : grant.allocate(bytes, alignment());
    }

    /// The readers, which release what they need when they have ended.
    private LoadJob job(DeviceBuffers places, LoadMemory.Grant grant, ProgressListener progress,
            @Nullable BlockExchange exchange,
            Resources begun) {
        if (exchange != null) {
            begun.add(exchange);
        }
        begun.add(target.use());
        SlotPool pool = target.pool();
        if (pool != null) {
            begun.add(pool.retain()::release);
        }
        int tensors = 0;
        for (PlannedFile file : plan.planned()) {
            tensors += file.tensors().size();
        }
        Span span = Recorder.load(checkpoint.location().toString(), target.choice().name(), plan.planned().size(),
                tensors, plan.bytesToRead());
        return new LoadJob(plan, places, checkpoint.sources(), routing, target.backend(), grant, pool, crew,
                target.threads(), tap(), options, progress, span, exchange, begun);
    }

    /// Everybody who has to see blocks as they were read, as one listener.
    ///
    /// Each block is seen by the digests first.
    private BlockListener tap() {
        BlockListener digesting = digests.tap();
        BlockListener counting =
                options.countOverflows() ? OverflowCount.of(plan, checkpoint.overflows()) : BlockListener.NONE;
        if (digesting.equals(BlockListener.NONE) || counting.equals(BlockListener.NONE)) {
            return digesting.equals(BlockListener.NONE) ? counting : digesting;
        }
        return (block, memory, base) -> {
            digesting.read(block, memory, base);
            counting.read(block, memory, base);
        };
    }

    /// The alignment of the buffers, in bytes. A page at least, so that blocks can be read directly into them.
    private long alignment() {
        return Math.max(Pages.SIZE, Math.max(options.alignment(), target.backend().get().hints().tensorAlignment()));
    }

    /// Gives back what planning took, unless the load was started.
    @Override
    public void close() {
        resources.close();
    }
}
