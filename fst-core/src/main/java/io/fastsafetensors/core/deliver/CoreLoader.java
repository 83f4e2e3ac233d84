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
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.core.checkpoint.CheckpointFiles;
import io.fastsafetensors.core.distribute.Way;
import io.fastsafetensors.core.dlpack.ImportedTensor;
import io.fastsafetensors.core.header.CheckpointReader;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.place.Routing;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;

/// Loads for one rank, alone or together with others.
public final class CoreLoader implements Loader {
    private final LoadOptions options;
    private final LoadTarget target;
    private final Optional<SharedLoads> shared;
    private final AtomicBoolean closed = new AtomicBoolean();

    private CoreLoader(LoadOptions options, LoadTarget target) {
        this.options = options;
        this.target = target;
        this.shared = options.group().filter(group -> group.size() > 1)
                .map(group -> new SharedLoads(target, options, group));
    }

    /// Picks a backend and opens its device.
    ///
    /// @throws UnsupportedFeatureException if the options ask for what this version does not have
    public static CoreLoader open(LoadOptions options) {
        Unsupported.check(options);
        return new CoreLoader(options, LoadTarget.open(options));
    }

    @Override
    public Weights load(Location checkpoint) {
        requireOpen();
        return load(sources -> CheckpointFiles.resolve(checkpoint, sources, options.open()), Map.of());
    }

    @Override
    public Weights loadFiles(List<Location> files) {
        return load(sources -> CheckpointFiles.of(files, sources), Map.of());
    }

    @Override
    public Weights loadFiles(Map<Integer, List<Location>> filesByRank) {
        int ranks = options.group().map(ProcessGroup::size).orElse(1);
        Map<Integer, List<Location>> owners = new TreeMap<>(filesByRank);
        for (int rank : owners.keySet()) {
            if (rank < 0 || rank >= ranks) {
                throw new IllegalArgumentException("files for ranks " + owners.keySet() + " in a load by " + ranks);
            }
        }
        List<Location> all = owners.values().stream().flatMap(List::stream).toList();
        return load(sources -> CheckpointFiles.of(all, sources), owners);
    }

    private Weights load(Function<SourceFiles, CheckpointFiles> files, Map<Integer, List<Location>> owners) {
        requireOpen();
        long start = System.nanoTime();
        try (SourceFiles sources = target.sources()) {
            if (shared.isPresent()) {
                Map<Integer, List<Location>> pinned = new TreeMap<>();
                owners.forEach((rank, own) -> pinned.put(rank, own.stream().map(sources::pin).toList()));
                return shared.get().load(() -> open(files.apply(sources), sources), pinned, start);
            }
            ParsedCheckpoint checkpoint = open(files.apply(sources), sources);
            try (PreparedLoad load = PreparedLoad.of(target, options, checkpoint, Way.ALONE, options.selection(),
                    options.deviceBudget(), start)) {
                return load.start(options.progress(), null);
            }
        }
    }

    private ParsedCheckpoint open(CheckpointFiles files, SourceFiles sources) {
        return CheckpointReader.open(files, sources, options.open(), target.threads()::run);
    }

    private ParsedCheckpoint open(Location checkpoint, SourceFiles sources) {
        return open(CheckpointFiles.resolve(checkpoint, sources, options.open()), sources);
    }

    @Override
    public LoadPlan plan(Location checkpoint) {
        requireOpen();
        try (SourceFiles sources = target.sources()) {
            if (shared.isPresent()) {
                return shared.get().plan(() -> open(checkpoint, sources));
            }
            ParsedCheckpoint parsed = open(checkpoint, sources);
            try (Routing routing = target.route(parsed)) {
                return target.plan(parsed, routing, options.selection(), Way.ALONE);
            }
        }
    }

    @Override
    public TensorStream stream(Location checkpoint, StreamOptions streamOptions) {
        requireOpen();
        long start = System.nanoTime();
        try (SourceFiles sources = target.sources()) {
            return LoadedStream.open(target, options, streamOptions, open(checkpoint, sources), start);
        }
    }

    @Override
    public List<Path> rewrite(Location checkpoint, Path copy, WriteOptions writeOptions) {
        requireOpen();
        if (shared.isPresent()) {
            throw Unsupported.feature("rewriting a checkpoint by several ranks (use a loader without a group)");
        }
        long start = System.nanoTime();
        try (SourceFiles sources = target.sources()) {
            return new Rewriter(target, options).rewrite(open(checkpoint, sources), copy, writeOptions, start);
        }
    }

    @Override
    public Tensor fromDlpack(long managedTensor, DlpackVersion version) {
        requireOpen();
        return CoreTensor.adopt(ImportedTensor.read(managedTensor, version, device()), target.backend(), device(),
                options.leakDetection());
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
