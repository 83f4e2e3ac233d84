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
import io.fastsafetensors.core.dlpack.ImportedTensor;
import io.fastsafetensors.core.header.CheckpointReader;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.place.Routing;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

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
        try (PreparedLoad load = PreparedLoad.of(target, options, checkpoint, options.selection(),
                options.deviceBudget(), start)) {
            return load.start(options.progress());
        }
    }

    @Override
    public LoadPlan plan(Path checkpoint) {
        requireOpen();
        ParsedCheckpoint parsed = CheckpointReader.open(CheckpointFiles.resolve(checkpoint), options.open());
        try (Routing routing = target.route(parsed)) {
            return target.plan(parsed, routing, options.selection());
        }
    }

    @Override
    public TensorStream stream(Path checkpoint, StreamOptions streamOptions) {
        requireOpen();
        long start = System.nanoTime();
        return LoadedStream.open(target, options, streamOptions,
                CheckpointReader.open(CheckpointFiles.resolve(checkpoint), options.open()), start);
    }

    @Override
    public List<Path> rewrite(Path checkpoint, Path copy, WriteOptions writeOptions) {
        requireOpen();
        long start = System.nanoTime();
        return new Rewriter(target, options).rewrite(
                CheckpointReader.open(CheckpointFiles.resolve(checkpoint), options.open()), copy, writeOptions, start);
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
