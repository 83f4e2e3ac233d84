package io.fastsafetensors.core;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.Digests;
import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.core.checkpoint.CheckpointFiles;
import io.fastsafetensors.core.collective.SharedLoads;
import io.fastsafetensors.core.dequant.Dequantization;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.dlpack.ImportedTensor;
import io.fastsafetensors.core.header.CheckpointReader;
import io.fastsafetensors.core.header.FileDigests;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.load.LoadTarget;
import io.fastsafetensors.core.load.PreparedLoad;
import io.fastsafetensors.core.memory.LeakDetector;
import io.fastsafetensors.core.rewrite.Rewriter;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.core.stream.LoadedStream;
import io.fastsafetensors.core.tensor.CoreTensor;
import io.fastsafetensors.core.transfer.FileTransfers;
import io.fastsafetensors.core.transfer.ReaderThreads;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.function.Function;

/// Loads for one rank, alone or together with others.
///
/// Thread-safe: every operation has its own use of the [LoadTarget] and its own files, so operations run at the same time
/// and a close waits for none of them. With a group of several ranks a load is one call of all ranks, and those take turns.
final class CoreLoader implements Loader {
    /// What the user asked for, as [#options()] gives it back.
    private final LoadOptions options;
    /// The same with what system properties overrule; what loads go by.
    private final LoadOptions inForce;
    /// The use that the loader itself has of its target, from its opening to its close.
    private final LoadTarget.Use own;
    private final Device device;
    private final BackendChoice choice;
    /// Present where the group has other ranks.
    private final Optional<SharedLoads> shared;

    private CoreLoader(LoadOptions options, LoadOptions inForce, LoadTarget.Use own) {
        this.options = options;
        this.inForce = inForce;
        this.own = own;
        this.device = own.target().device();
        this.choice = own.target().choice();
        this.shared = options.group().isPresent() && options.group().get().size() > 1
                ? Optional.of(new SharedLoads(own.target(), inForce, options.group().get())) : Optional.empty();
    }

    /// Picks a backend and opens its device.
    ///
    /// @throws UnsupportedFeatureException if the options ask for what this version does not have
    /// @throws io.fastsafetensors.error.ConfigException if a system property has a value that it cannot have
    public static CoreLoader open(LoadOptions options) {
        requireSupported(options);
        LoadOptions inForce = options.toBuilder().leakDetection(LeakDetector.inForce(options.leakDetection()))
                .options();
        return new CoreLoader(options, inForce, LoadTarget.open(inForce));
    }

    /// Refuses, before anything is opened, options that the API has and this version does not support.
    private static void requireSupported(LoadOptions options) {
        if (options.group().isPresent() && options.group().get().size() > 1
                && (options.checkDigests() || !options.digests().equals(Digests.none()))) {
            throw unsupported("checking digests in a load by several ranks");
        }
    }

    /// What the API has and this version does not support.
    private static UnsupportedFeatureException unsupported(String what) {
        return new UnsupportedFeatureException(what + ": not in this version", Where.nowhere());
    }

    /// Every operation has a use of the target while it runs, and whatever it leaves behind has one of its own: hence a
    /// close at any moment takes nothing away from what was begun.
    ///
    /// @param operation runs on the calling thread, with the target open
    /// @throws IllegalStateException if the loader is closed
    private <T> T using(Function<LoadTarget, T> operation) {
        try (LoadTarget.Use use = own.another()) {
            return operation.apply(use.target());
        }
    }

    /// As [#using(Function)], with the files that the operation reads, which those that it leaves behind retain.
    private <T> T using(BiFunction<LoadTarget, SourceFiles, T> operation) {
        return using(target -> {
            try (SourceFiles sources = target.sources()) {
                return operation.apply(target, sources);
            }
        });
    }

    @Override
    public Weights load(Location checkpoint) {
        return load(checkpoint, Selection.all());
    }

    @Override
    public Weights load(Location checkpoint, Selection selection) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        return load(sources -> CheckpointFiles.resolve(checkpoint, sources, options.open()), Map.of(),
                narrowed(selection));
    }

    /// The loader's options for a load of fewer tensors.
    private LoadOptions narrowed(Selection selection) {
        Objects.requireNonNull(selection, "selection");
        return inForce.toBuilder().select(inForce.selection().and(selection)).options();
    }

    @Override
    public Weights loadFiles(List<Location> files) {
        Objects.requireNonNull(files, "files");
        return load(sources -> CheckpointFiles.of(files, sources), Map.of(), inForce);
    }

    @Override
    public Weights loadFiles(Map<Integer, List<Location>> filesByRank) {
        Objects.requireNonNull(filesByRank, "filesByRank");
        int ranks = options.group().map(ProcessGroup::size).orElse(1);
        Map<Integer, List<Location>> owners = new TreeMap<>(filesByRank);
        List<Location> all = owners.values().stream().flatMap(List::stream).toList();
        return load(sources -> {
            requireRanks(owners, ranks);
            return CheckpointFiles.of(all, sources);
        }, owners, inForce);
    }

    /// @throws IllegalArgumentException if files were given to a rank that the group does not have
    private static void requireRanks(Map<Integer, List<Location>> owners, int ranks) {
        for (int rank : owners.keySet()) {
            if (rank < 0 || rank >= ranks) {
                throw new IllegalArgumentException("files for ranks " + owners.keySet() + " in a load by " + ranks);
            }
        }
    }

    /// With a group, everything that may fail on one rank runs inside the step that the ranks agree on; alone, the
    /// digests of files begin only when the load is planned.
    ///
    /// @param files finds the files of the checkpoint; called within the operation, so that what it throws reaches all
    ///        ranks
    /// @param owners the files of each rank, empty unless the caller said so
    /// @param how the options in force, narrowed to what this load selects
    private Weights load(Function<SourceFiles, CheckpointFiles> files, Map<Integer, List<Location>> owners,
            LoadOptions how) {
        long start = System.nanoTime();
        return using((target, sources) -> {
            if (shared.isPresent()) {
                Map<Integer, List<Location>> pinned = new TreeMap<>();
                owners.forEach((rank, own) -> pinned.put(rank, own.stream().map(sources::pin).toList()));
                return shared.get().with(how).load(() -> open(target, files.apply(sources), sources), pinned, start);
            }
            ParsedCheckpoint checkpoint = open(target, files.apply(sources), sources);
            try (PreparedLoad load = PreparedLoad.of(target, how, checkpoint, RankLayout.ALONE, how.selection(),
                    how.deviceBudget(), start)) {
                checkpoint.digests().begin(sources, target.threads()::run);
                return load.start(how.progress(), null);
            }
        });
    }

    /// Reads and judges the headers, and shows the checkpoint as the options ask: with digests of files, and de-quantised.
    ///
    /// @throws io.fastsafetensors.error.TensorNotFoundException if a digest is given for a tensor that is not there
    private ParsedCheckpoint open(LoadTarget target, CheckpointFiles files, SourceFiles sources) {
        ParsedCheckpoint checkpoint =
                CheckpointReader.open(files, sources, options.open(), target.parsed(), target.threads()::run);
        for (String name : options.digests().tensors().keySet()) {
            checkpoint.info(name);
        }
        FileDigests digests = FileDigests.of(checkpoint, options.digests());
        return Dequantization.view(checkpoint.withDigests(digests), options);
    }

    private ParsedCheckpoint open(LoadTarget target, Location checkpoint, SourceFiles sources) {
        return open(target, CheckpointFiles.resolve(checkpoint, sources, options.open()), sources);
    }

    @Override
    public LoadPlan plan(Location checkpoint, Selection selection) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        LoadOptions how = narrowed(selection);
        return using((target, sources) -> {
            if (shared.isPresent()) {
                return shared.get().with(how).plan(() -> open(target, checkpoint, sources));
            }
            ParsedCheckpoint parsed = open(target, checkpoint, sources);
            try (FileTransfers routing = target.route(parsed.headers(), parsed.sources(), true)) {
                return target.plan(parsed, routing, how.selection(), RankLayout.ALONE, how.deviceBudget());
            }
        });
    }

    @Override
    public TensorStream stream(Location checkpoint, Selection selection, StreamOptions streamOptions) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(streamOptions, "options");
        LoadOptions how = narrowed(selection);
        long start = System.nanoTime();
        return using((target, sources) -> {
            ParsedCheckpoint parsed = open(target, checkpoint, sources);
            parsed.digests().begin(sources, target.threads()::run);
            return LoadedStream.open(target, how, streamOptions, parsed, start);
        });
    }

    @Override
    public List<Path> rewrite(Location checkpoint, Path copy, WriteOptions writeOptions) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(copy, "target");
        Objects.requireNonNull(writeOptions, "options");
        long start = System.nanoTime();
        return using((target, sources) -> {
            if (shared.isPresent()) {
                throw unsupported("rewriting a checkpoint by several ranks (use a loader without a group)");
            }
            ReaderThreads.requireMayWait("the copy of " + checkpoint);
            ParsedCheckpoint parsed = open(target, checkpoint, sources);
            parsed.digests().begin(sources, target.threads()::run);
            return new Rewriter(target, inForce).rewrite(parsed, copy, writeOptions, start);
        });
    }

    @Override
    public Tensor fromDlpack(long managedTensor, DlpackVersion version) {
        Objects.requireNonNull(version, "version");
        return using(target -> CoreTensor.adopt(
                ImportedTensor.read(managedTensor, version, target.backend().get().info(), target.hasPointers()),
                target.backend(), device, inForce.leakDetection()));
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

    @Override
    public void trim() {
        using(target -> {
            target.trim();
            return device;
        });
    }

    @Override
    public void close() {
        own.close();
    }
}
