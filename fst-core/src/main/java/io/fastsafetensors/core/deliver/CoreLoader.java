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
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.plan.PlanSettings;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.Planner;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.select.BackendSelector;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// Loads for one rank into host-addressable memory.
public final class CoreLoader implements Loader {
    private static final int FEWEST_READERS = 4;
    private static final int MOST_READERS = 16;

    private final LoadOptions options;
    private final Device device;
    private final boolean hostAddressable;
    private final BackendChoice choice;
    private final SharedBackend backend;
    private final AtomicBoolean closed = new AtomicBoolean();

    private CoreLoader(LoadOptions options, BackendSelector.Selected selected) {
        this.options = options;
        this.device = selected.device();
        this.hostAddressable = selected.hostAddressable();
        this.choice = selected.choice();
        this.backend = new SharedBackend(selected.backend());
    }

    /// Picks a backend and opens its device.
    ///
    /// @throws UnsupportedFeatureException if the options ask for what this version does not have
    public static CoreLoader open(LoadOptions options) {
        Unsupported.check(options);
        return new CoreLoader(options, BackendSelector.open(options));
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
        ReadPlan plan = plan(checkpoint);
        int readers = readers(plan);
        plan.requireDeviceBudget(options.deviceBudget());
        LoadClock clock = new LoadClock(start, System.nanoTime());
        backend.retain();
        try {
            return start(checkpoint, plan, readers, clock);
        } catch (RuntimeException | Error e) {
            backend.release();
            throw e;
        }
    }

    private Weights start(ParsedCheckpoint checkpoint, ReadPlan plan, int readers, LoadClock clock) {
        Scope scope = new Scope("weights of " + checkpoint.path());
        List<@Nullable SharedBuffer> buffers = new ArrayList<>();
        List<@Nullable Lease> leases = new ArrayList<>();
        try {
            for (PlannedFile file : plan.planned()) {
                SharedBuffer buffer = file.tensors().isEmpty() ? null : allocate(file);
                buffers.add(buffer);
                leases.add(buffer == null ? null : scope.lease(buffer));
            }
        } catch (RuntimeException | Error e) {
            scope.close();
            throw e;
        }
        Span span = Recorder.load(checkpoint.path().toString(), choice.name(), plan.planned().size(),
                plan.planned().stream().mapToInt(f -> f.tensors().size()).sum(), plan.bytesToRead());
        LoadJob job = new LoadJob(plan, buffers, backend, options, span);
        LoadState state = new LoadState(scope, leases, job, backend);
        LoadedWeights weights = new LoadedWeights(checkpoint, plan, state, clock, device, options.leakDetection());
        job.start(readers);
        return weights;
    }

    private SharedBuffer allocate(PlannedFile file) {
        Backend target = backend.get();
        long alignment = Math.max(Pages.SIZE, Math.max(options.alignment(), target.hints().tensorAlignment()));
        return new SharedBuffer(target.allocate(file.bufferBytes(), alignment), backend);
    }

    private ReadPlan plan(ParsedCheckpoint checkpoint) {
        if (!hostAddressable) {
            throw new UnsupportedFeatureException("staging copies into " + device + " are not in this version",
                    Where.backend(choice.name()));
        }
        return Planner.plan(checkpoint.headers(), options.selection(), settings());
    }

    /// The user's word first, the backend's hints after it.
    private PlanSettings settings() {
        TransferHints hints = backend.get().hints();
        long alignment = options.alignment() != 0 ? options.alignment() : device.isCpu() ? 0 : hints.tensorAlignment();
        int block = options.blockBytes() != 0 ? options.blockBytes() : hints.blockBytes();
        return new PlanSettings(hostAddressable, alignment, (int) Math.min(1 << 30, Pages.ceil(block)),
                options.dtype());
    }

    /// As asked, or as the backend likes it, or two a core: enough to keep a
    /// drive busy, few enough not to get into each other's way in the page cache; fewer if the host budget asks for it.
    private int readers(ReadPlan plan) {
        int hint = backend.get().hints().readers();
        int wanted = options.readers() != 0 ? options.readers() : hint != 0 ? hint
                : Math.clamp(2L * Runtime.getRuntime().availableProcessors(), FEWEST_READERS, MOST_READERS);
        if (!plan.needsSlots()) {
            return wanted;
        }
        long affordable = options.hostBudget() / plan.slotBytes();
        if (affordable < 1) {
            throw new BudgetException("(one staging slot)", plan.slotBytes(), options.hostBudget());
        }
        return (int) Math.min(wanted, affordable);
    }

    @Override
    public LoadPlan plan(Path checkpoint) {
        requireOpen();
        return plan(CheckpointReader.open(CheckpointFiles.resolve(checkpoint), options.open()));
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
        return device;
    }

    @Override
    public BackendChoice backend() {
        return choice;
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new IllegalStateException("the loader for " + device + " is closed");
        }
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            backend.release();
        }
    }
}
