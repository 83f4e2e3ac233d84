package io.fastsafetensors.core.load;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Recorder.Span;
import io.fastsafetensors.core.memory.BufferView;
import io.fastsafetensors.core.memory.LeakDetector;
import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.memory.TensorScope;
import io.fastsafetensors.core.plan.PlannedTensors;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.core.tensor.CoreTensor;
import io.fastsafetensors.core.tensor.ParallelFor;
import io.fastsafetensors.core.tensor.Sharding;
import io.fastsafetensors.core.transfer.BlockCompletion;
import io.fastsafetensors.core.transfer.ReaderThreads;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.util.AbstractSet;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The tensors that one rank has after a load: all that it asked for, or its parts of them. Asking for one talks to no
/// other rank.
///
/// A tensor waits for its own blocks alone: its bytes are complete when these have arrived, whatever the rest of the load
/// does or fails at later. Only [#awaitAll()] tells that the whole load succeeded, files unchanged to the end.
///
/// Handing out a tensor copies nothing: its place and blocks are looked up by its number. The memory is the
/// [LoadState]'s; weights that are dropped unclosed are noticed by the leak detector, which frees the state.
public final class LoadedWeights implements Weights {
    private final ParsedCheckpoint checkpoint;
    /// The index in the checkpoint of the plan's first file: a batch of a stream has a run of the files.
    private final int firstFile;
    private final ReadPlan plan;
    /// What is to be stopped and freed; apart from this object, which the leak detector watches.
    private final LoadState state;
    /// The state's, asked with each call.
    private final TensorScope scope;
    /// The state's, asked about each tensor whenever it is handed out.
    private final BlockCompletion arrivals;
    /// The tensors of each file of the plan, and the view of their buffer; null for a file of which nothing is loaded.
    private final PlannedTensors[] tensors;
    private final @Nullable BufferView[] views;
    private final LoadTiming clock;
    /// Asked for its peak alone; the buffers of the tensors are the state's.
    private final LoadMemory memory;
    /// Asked about each tensor whenever it is handed out; it digests each once.
    private final DigestCheck digests;
    /// It refers to these weights, so that they are not collected while a tensor of theirs is in use.
    private final CoreTensor.Origin origin;
    /// Which part of each tensor this rank has.
    private final RankLayout layout;
    /// Whether they are a load by themselves, which ends the digests of its files when it is closed; batches of a stream
    /// share them.
    private final boolean alone;
    private final LeakDetector.Ticket ticket;

    /// A tensor's place in the plan: what is asked of it is read from columns, and no object is made besides.
    private record Found(PlannedTensors in, int at) {
        TensorInfo info() {
            return in.info(at);
        }
    }

    /// @param views one for each file of the plan; the scope ends them
    LoadedWeights(ParsedCheckpoint checkpoint, int firstFile, ReadPlan plan, LoadState state,
            @Nullable BufferView[] views, LoadTiming clock, LoadMemory memory, DigestCheck digests, Device device,
            LeakDetection leaks, RankLayout layout, boolean alone) {
        this.alone = alone;
        this.checkpoint = checkpoint;
        this.firstFile = firstFile;
        this.plan = plan;
        this.state = state;
        this.scope = state.scope();
        this.arrivals = state.job().arrivals();
        // A loop: method references are linked at run time, in each process's first load.
        this.tensors = new PlannedTensors[plan.planned().size()];
        for (int f = 0; f < tensors.length; f++) {
            tensors[f] = plan.planned().get(f).tensors();
        }
        this.views = views;
        this.clock = clock;
        this.memory = memory;
        this.digests = digests;
        this.layout = layout;
        this.origin = new CoreTensor.Origin(this, scope, device, leaks);
        this.ticket = LeakDetector.watch(this, scope.toString(), leaks, state::abandon);
    }

    /// Every call of a user begins with it, so that a closed load answers alike whatever is asked.
    private void requireOpen() {
        scope.requireOpen();
    }

    /// Waits until only the last blocks are still to come, on a thread of the project's own.
    public void awaitLastBlocks() {
        state.job().awaitLastBlocks();
    }

    /// Waits until everything was read, and the files still were what they were at the beginning.
    ///
    /// @throws io.fastsafetensors.error.LoadInterruptedException if the thread is interrupted
    /// @throws RuntimeException what failed the load
    public void requireRead() {
        state.job().end().awaitInterruptibly();
        arrivals.requireSuccess();
    }

    /// Waits until nothing is read any more, whether it succeeded or not, on a thread of the project's own.
    public void join() {
        state.job().end().await();
    }

    /// By the number of the tensor in the checkpoint: the plan has no table of names of its own.
    private @Nullable Found find(String name) {
        int number = checkpoint.number(name);
        if (number < 0) {
            return null;
        }
        int file = checkpoint.fileOf(number);
        if (file < firstFile || file >= firstFile + tensors.length) {
            return null;
        }
        PlannedTensors ofFile = tensors[file - firstFile];
        int position = ofFile.find(number - checkpoint.firstOfFile(file));
        return position < 0 ? null : new Found(ofFile, position);
    }

    /// @throws TensorNotFoundException saying whether the checkpoint or only the selection lacks it
    private Found planned(String name) {
        requireOpen();
        Found tensor = find(name);
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
        return new Names();
    }

    @Override
    public TensorInfo info(String name) {
        Objects.requireNonNull(name, "name");
        return planned(name).info();
    }

    @Override
    public Location file(String name) {
        Objects.requireNonNull(name, "name");
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

    /// By itself, because it is called for each tensor of a model: without options there are none to look at.
    @Override
    public Tensor get(String name) {
        Objects.requireNonNull(name, "name");
        return whole(name);
    }

    @Override
    public Tensor get(String name, GetOptions options) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(options, "options");
        return as(whole(name), options);
    }

    private CoreTensor whole(String name) {
        return loaded(plannedWhole(name));
    }

    /// @throws SliceException if only a part of it was loaded
    private Found plannedWhole(String name) {
        Found tensor = planned(name);
        if (tensor.in().dim(tensor.at()) >= 0) {
            throw otherCut(tensor, "the whole tensor");
        }
        return tensor;
    }

    /// @param asked what the caller wants instead, for the message
    private SliceException otherCut(Found tensor, String asked) {
        return new SliceException(SliceException.Reason.INVALID_DIMENSION, "only this rank's part along dimension "
                + tensor.in().dim(tensor.at()) + " was loaded, as the shard specification says; " + asked
                + " needs another specification, or distribution OWNER or STRIPED",
                tensor.info().file().where().withTensor(tensor.info().name()));
    }

    /// The tensor as asked for; what is only a step on the way is closed, and everything if a step fails.
    ///
    /// The device first, so that a conversion is done where the result stays.
    public static Tensor as(Tensor tensor, GetOptions options) {
        Tensor moved = options.device().isPresent() ? step(tensor, t -> t.to(options.device().get())) : tensor;
        return options.dtype().isPresent() ? step(moved, t -> t.to(options.dtype().get())) : moved;
    }

    /// One step of a chain of tensors, of which the user gets the last alone.
    private static Tensor step(Tensor tensor, UnaryOperator<Tensor> change) {
        Tensor result;
        try {
            result = change.apply(tensor);
        } catch (RuntimeException | Error e) {
            new Releases().run(tensor::close).because(e);
            throw e;
        }
        if (!result.equals(tensor)) {
            tensor.close();
        }
        return result;
    }

    /// What was loaded of a tensor: all of it, or this rank's part; waits for its bytes.
    public CoreTensor loaded(String name) {
        return loaded(planned(name));
    }

    /// Looks at the scope again after waiting: a close may have come meanwhile.
    ///
    /// Order: bytes, digest of the file, still open, digest of the tensor. A wait is a Flight Recorder event only if
    /// there was one.
    private CoreTensor loaded(Found tensor) {
        TensorInfo info = tensor.info();
        String name = info.name();
        int first = tensor.in().firstBlock(tensor.at());
        int last = tensor.in().lastBlock(tensor.at());
        if (!arrivals.isThere(first, last)) {
            String what = "tensor \"" + name + "\"";
            ReaderThreads.requireMayWait(what);
            Span span = Recorder.wait(name);
            arrivals.await(first, last, what);
            span.finish("done");
        }
        checkpoint.requireDigest(info.file(),
                () -> ReaderThreads.requireMayWait("the digest of the file of tensor \"" + name + "\""));
        requireOpen();
        CoreTensor loaded = tensor(tensor, view(tensor), false);
        digests.require(name, loaded);
        return loaded;
    }

    /// As [#loaded(String)], counted: the tensor keeps its file's memory until it is closed.
    ///
    /// For an owner, whose file's memory may be released while a tensor that was handed out still needs it.
    public CoreTensor counted(String name) {
        Found tensor = planned(name);
        return tensor(tensor, view(tensor).retain(), true);
    }

    private CoreTensor tensor(Found tensor, BufferView view, boolean countsOnView) {
        PlannedTensors in = tensor.in();
        int at = tensor.at();
        return new CoreTensor(origin, view, countsOnView, in.info(at).name(), in.dtype(at), in.shape(at),
                in.bufferOffset(at), in.byteSize(at));
    }

    /// A tensor in memory of its own, in the scope of these.
    ///
    /// It is closed with these weights at the latest.
    ///
    /// @param buffer with a hold, which the tensor takes over
    public CoreTensor derived(SharedBuffer buffer, String name, DType dtype, Shape shape) {
        return new CoreTensor(origin, scope.view(buffer), true, name, dtype, shape, 0,
                buffer.buffer().byteSize());
    }

    /// The view of the buffer that holds the tensors of its file.
    private BufferView view(Found tensor) {
        BufferView view = views[tensor.in().file()];
        if (view == null) {
            throw new AssertionError("a tensor of a file without a buffer");
        }
        return view;
    }

    /// The bytes of the buffer that a tensor shares with others of its file.
    public long fileBytes(String name) {
        return plan.planned().get(planned(name).in().file()).bufferBytes();
    }

    /// What a tensor of the checkpoint is loaded as, by whichever rank.
    DType dtypeOf(TensorInfo tensor) {
        return plan.settings().target(tensor);
    }

    /// A tensor of the checkpoint as it is in memory, on whichever rank: of the dtype that it is loaded as.
    public TensorInfo loadedInfo(TensorInfo tensor) {
        DType dtype = dtypeOf(tensor);
        return dtype == tensor.dtype() ? tensor
                : new TensorInfo(tensor.name(), dtype, tensor.shape(), tensor.file(), tensor.fileOffset(),
                        dtype.byteSize(tensor.shape().elements()));
    }

    /// Releases the memory of a tensor's file, of which nothing is asked for any more; counted tensors keep it. What a
    /// failed load still reads there goes when the load is closed.
    ///
    /// Waits until the blocks of the file have arrived or the load has failed, since readers write there.
    public void free(String name) {
        Found tensor = planned(name);
        int file = tensor.in().file();
        if (arrivals.awaitEnd(plan.firstBlock(file), plan.firstBlock(file + 1) - 1)) {
            scope.release(view(tensor));
        }
    }

    @Override
    public boolean isReady(String name) {
        Objects.requireNonNull(name, "name");
        Found tensor = planned(name);
        return arrivals.isThere(tensor.in().firstBlock(tensor.at()), tensor.in().lastBlock(tensor.at()));
    }

    @Override
    public Tensor getSharded(String name, int dim, GetOptions options) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(options, "options");
        return as(part(name, dim), options);
    }

    /// A part of what is there as a whole is cut out; one that was loaded as such is there already.
    ///
    /// @throws SliceException if another part than the one asked for was loaded
    private CoreTensor part(String name, int dim) {
        Found tensor = planned(name);
        Part.requireAll(loadedInfo(tensor.info()), dim, layout.ranks());
        int loadedDim = tensor.in().dim(tensor.at());
        if (loadedDim < 0) {
            return Sharding.part(loaded(tensor), dim, layout);
        }
        if (loadedDim != dim) {
            throw otherCut(tensor, dim < 0 ? "the whole tensor" : "a part along dimension " + dim);
        }
        return loaded(tensor);
    }

    @Override
    public Tensor getShardedConcat(List<String> names, int dim, GetOptions options) {
        Objects.requireNonNull(names, "names");
        Objects.requireNonNull(options, "options");
        requireOpen();
        Sharding.requireConcat(names.stream().map(name -> loadedInfo(info(name))).toList(), dim, layout);
        return as(Sharding.concat(names.stream().map(name -> part(name, dim)).toList(), dim), options);
    }

    @Override
    public Optional<Tensor> push(String name, int destination, GetOptions options) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(options, "options");
        requireOpen();
        Sharding.requireRank(destination, layout);
        Found tensor = plannedWhole(name);
        return destination == layout.rank() ? Optional.of(as(loaded(tensor), options)) : Optional.empty();
    }

    @Override
    public Map<String, Tensor> getAll(Map<String, Integer> dims) {
        Objects.requireNonNull(dims, "dims");
        requireOpen();
        Map<String, Tensor> all = new LinkedHashMap<>();
        dims.forEach((name, dim) -> all.put(name, getSharded(name, dim)));
        return all;
    }

    /// Digests of all tensors are taken by several threads, since nobody may have asked for them before.
    @Override
    public void awaitAll() {
        requireOpen();
        if (!state.job().end().isReached()) {
            ReaderThreads.requireMayWait("all tensors");
        }
        arrivals.await(0, plan.blocks().size() - 1, "all tensors");
        state.job().end().awaitInterruptibly();
        requireOpen();
        arrivals.requireSuccess();
        checkpoint.digests().requireAll();
        ParallelFor.run("fst-digest", digests.names(), this::loaded);
    }

    @Override
    public LoadStats stats() {
        return stats(state.job().bytesReceived());
    }

    /// As [#stats()], where other ranks sent so much.
    public LoadStats stats(long bytesReceived) {
        requireOpen();
        return clock.stats(plan, state.job(), memory.peakBytes(), bytesReceived, checkpoint.overflows().counts());
    }

    @Override
    public boolean isClosed() {
        return scope.isClosed();
    }

    /// As [#close()], without waiting for readers: the last of them frees.
    ///
    /// For the leak detector and for streams: on their threads nothing may wait.
    public void abandon() {
        new Releases().run(state::abandon).run(ticket::close).finish();
    }

    @Override
    public void close() {
        if (alone) {
            checkpoint.digests().cancel();
        }
        new Releases().run(state::close).run(ticket::close).finish();
    }

    @Override
    public String toString() {
        return scope + (isClosed() ? " (closed)" : "");
    }

    /// A view, in the order of the plan.
    private final class Names extends AbstractSet<String> {
        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(tensors)
                    .flatMap(file -> IntStream.range(0, file.size()).mapToObj(t -> file.info(t).name()))
                    .iterator();
        }

        @Override
        public boolean contains(Object name) {
            return name instanceof String text && find(text) != null;
        }

        @Override
        public int size() {
            return Arrays.stream(tensors).mapToInt(PlannedTensors::size).sum();
        }
    }
}
