package io.fastsafetensors.api;

import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/// Collects the options of a [Loader]. Not thread-safe; reusable: each [#build()] takes what is set then.
///
/// ```java
/// Loader loader = Loader.builder().device("cuda:0").dtype(DType.BF16).deviceBudget(8L << 30).build();
/// ```
public final class LoaderBuilder {
    private Device device = Device.CPU;
    private Optional<String> backend = Optional.empty();
    private final Map<String, String> backendProperties = new HashMap<>();
    private boolean strictBackend;
    private Optional<DType> dtype = Optional.empty();
    private Optional<DType> dequantize = Optional.empty();
    private Selection keep = Selection.none();
    private boolean countOverflows;
    private Selection selection = Selection.all();
    private long alignment;
    private int readers;
    private int blockBytes;
    private DirectIo directIo = DirectIo.AUTO;
    private TransferPath transferPath = TransferPath.AUTO;
    private boolean numaPinning = true;
    private long deviceBudget = Long.MAX_VALUE;
    private long hostBudget = Long.MAX_VALUE;
    private Optional<ProcessGroup> group = Optional.empty();
    private Distribution distribution = Distribution.AUTO;
    private Optional<ShardSpec> shards = Optional.empty();
    private OpenOptions open = OpenOptions.defaults();
    private boolean checkDigests;
    private Digests digests = Digests.none();
    private LeakDetection leakDetection = LeakDetection.ON;
    private StreamOptions stream = StreamOptions.defaults();
    private ProgressListener progress = ProgressListener.NONE;

    LoaderBuilder() {
    }

    /// With the options of another loader.
    LoaderBuilder(LoadOptions options) {
        device = options.device();
        backend = options.backend();
        backendProperties.putAll(options.backendProperties());
        strictBackend = options.strictBackend();
        dtype = options.dtype();
        dequantize = options.dequantize();
        keep = options.keep();
        countOverflows = options.countOverflows();
        selection = options.selection();
        alignment = options.alignment();
        readers = options.readers();
        blockBytes = options.blockBytes();
        directIo = options.directIo();
        transferPath = options.transferPath();
        numaPinning = options.numaPinning();
        deviceBudget = options.deviceBudget();
        hostBudget = options.hostBudget();
        group = options.group();
        distribution = options.distribution();
        shards = options.shards();
        open = options.open();
        checkDigests = options.checkDigests();
        digests = options.digests();
        leakDetection = options.leakDetection();
        stream = options.stream();
        progress = options.progress();
    }

    /// Where the tensors go; CPU memory unless set. [Device#AUTO] picks the best device there is.
    public LoaderBuilder device(Device target) {
        Objects.requireNonNull(target, "target");
        this.device = target;
        return this;
    }

    /// As [#device(Device)], from a text such as `cuda:0`.
    public LoaderBuilder device(String target) {
        Objects.requireNonNull(target, "target");
        return device(Device.parse(target));
    }

    /// The backend by name, such as `cuda-gds`; unless set, the available one of the highest priority.
    public LoaderBuilder backend(String name) {
        Objects.requireNonNull(name, "name");
        this.backend = Optional.of(name);
        return this;
    }

    /// A switch for the backend; each backend documents its own.
    public LoaderBuilder backendProperty(String name, String value) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(value, "value");
        backendProperties.put(name, value);
        return this;
    }

    /// Whether a faster way that is missing (direct storage for a file) is an error instead of a recorded fallback.
    public LoaderBuilder strictBackend(boolean strict) {
        this.strictBackend = strict;
        return this;
    }

    /// Converts every floating-point tensor to this dtype while loading; integers, booleans and C64 stay. Rules of
    /// rounding: [io.fastsafetensors.spi.Kernels].
    public LoaderBuilder dtype(DType target) {
        Objects.requireNonNull(target, "target");
        this.dtype = Optional.of(target);
        return this;
    }

    /// De-quantises while loading: tensors of FP8, MXFP4, NVFP4 or INT8 elements with scales become plain ones of this dtype,
    /// and their scales are left out. An element is multiplied by its block's scale as F32 and rounded once more; see
    /// [io.fastsafetensors.spi.Kernels#dequantize]. Nothing is unless set.
    ///
    /// Tensors are recognised by names, dtypes, shapes and the `quantization_config` of a `config.json` beside them; which
    /// ones, and what they are called then, is in docs/conversions.md. What looks quantised and cannot be is an error. With
    /// [#dtype(DType)] of BF16, F16 or F32 they become that dtype instead.
    ///
    /// @param target BF16, F16 or F32
    /// @throws IllegalArgumentException if it is another one
    public LoaderBuilder dequantize(DType target) {
        Objects.requireNonNull(target, "target");
        this.dequantize = Optional.of(LoadOptions.requireFloat(target));
        return this;
    }

    /// Tensors that are neither converted nor de-quantised; none unless set.
    public LoaderBuilder keep(Selection asTheyAre) {
        Objects.requireNonNull(asTheyAre, "asTheyAre");
        this.keep = asTheyAre;
        return this;
    }

    /// Whether numbers are counted that the dtype they are converted to has no place for, so that they become infinite, or the
    /// largest number of a dtype without infinities; off unless set, because the host then looks at every element whose dtype
    /// may hold such numbers. [LoadStats#overflows()] has the counts. Not counted are elements that reach the device past the
    /// host. De-quantisation always counts.
    public LoaderBuilder countOverflows(boolean count) {
        this.countOverflows = count;
        return this;
    }

    /// Loads only these tensors and reads only their bytes.
    public LoaderBuilder select(Selection wanted) {
        Objects.requireNonNull(wanted, "wanted");
        this.selection = wanted;
        return this;
    }

    /// Makes every tensor's address a multiple of `bytes`, a power of two up to 1 GiB. 0, the default, is the backend's choice:
    /// 256 or more on GPUs; on the CPU the element's natural alignment, kept without a copy where the file has it.
    public LoaderBuilder alignment(long bytes) {
        this.alignment = LoadOptions.requireAlignment(bytes);
        return this;
    }

    /// How many threads read, at most 1,024; 0, the default, is chosen by backend and cores. All loads of the process together
    /// have no more than the system property `fst.maxReaders` says (two for each core, 16 at least, unless set) and take turns.
    public LoaderBuilder readers(int threads) {
        this.readers = LoadOptions.requireReaders(threads);
        return this;
    }

    /// Bytes of one read and one slot, at most 1 GiB, rounded up to 4096; 0, the default, is the backend's choice.
    public LoaderBuilder blockBytes(int bytes) {
        this.blockBytes = LoadOptions.requireBlockBytes(bytes);
        return this;
    }

    /// Whether reads bypass the page cache; [DirectIo#AUTO] unless set.
    public LoaderBuilder directIo(DirectIo mode) {
        Objects.requireNonNull(mode, "mode");
        this.directIo = mode;
        return this;
    }

    /// The way into the device; [TransferPath#AUTO] unless set.
    public LoaderBuilder transferPath(TransferPath path) {
        Objects.requireNonNull(path, "path");
        this.transferPath = path;
        return this;
    }

    /// Whether readers run on the NUMA node that the device hangs on; on unless switched off.
    public LoaderBuilder numaPinning(boolean pin) {
        this.numaPinning = pin;
        return this;
    }

    /// The most device memory, in bytes, that a load or stream may allocate at any time, what its readers need and the
    /// owned tensors of a stream included; unlimited unless set. Where device memory is the host's, what exceeds the memory
    /// that machine and container have available is refused in any case.
    public LoaderBuilder deviceBudget(long bytes) {
        this.deviceBudget = LoadOptions.requireBudget(bytes);
        return this;
    }

    /// The most staging memory, in bytes, that a load may hold at any time; unlimited unless set. All loads of the process
    /// together hold no more than the system property `fst.pageLockedBytes` says (a sixteenth of the memory, within 192 MiB
    /// and 1.5 GiB, unless set).
    public LoaderBuilder hostBudget(long bytes) {
        this.hostBudget = LoadOptions.requireBudget(bytes);
        return this;
    }

    /// The ranks to load together with; alone unless set. The loader does not close the group.
    public LoaderBuilder group(ProcessGroup ranks) {
        Objects.requireNonNull(ranks, "ranks");
        this.group = Optional.of(ranks);
        return this;
    }

    /// How ranks share the reading; [Distribution#AUTO] unless set.
    public LoaderBuilder distribution(Distribution way) {
        Objects.requireNonNull(way, "way");
        this.distribution = way;
        return this;
    }

    /// Which tensors the ranks cut, and how, for [Distribution#LOCAL]: each rank then reads just the ranges of its own
    /// parts. None unless set. Without a group it changes nothing.
    public LoaderBuilder shards(ShardSpec spec) {
        Objects.requireNonNull(spec, "spec");
        this.shards = Optional.of(spec);
        return this;
    }

    /// Which files of a checkpoint count and how strictly they are read; [OpenOptions#defaults()] unless set.
    public LoaderBuilder open(OpenOptions options) {
        Objects.requireNonNull(options, "options");
        this.open = options;
        return this;
    }

    /// Sets a property of the storages that this loader opens, such as `s3.region`, `hf.token` or `cache.directory`; each
    /// storage documents its own. Part of [#open(OpenOptions)]: options that are set later replace it.
    public LoaderBuilder storageProperty(String name, String value) {
        this.open = open.withStorageProperty(name, value);
        return this;
    }

    /// Whether the tensors are compared with the digests that their files' metadata has for them, under
    /// [WriteOptions#DIGEST_KEY]; off unless set. Only what is loaded is compared, and a tensor without a digest passes.
    ///
    /// A tensor that is loaded as it is in the file is digested where it was placed (copied back from a device that the
    /// host cannot address), once, by the first call that asks for it; [Weights#awaitAll()] digests the others on all
    /// cores. The digest of one that is converted on the way is made of what is read, which takes a load by one reader;
    /// it cannot be made where direct storage reads past the host, and when rewriting: that is refused. A mismatch is a
    /// [io.fastsafetensors.error.FormatException] `DigestMismatch` of every call that asks for the tensor, of
    /// `awaitAll`, of the stream's `next`, and of [Loader#rewrite], which then leaves the target as it was.
    public LoaderBuilder checkDigests(boolean check) {
        this.checkDigests = check;
        return this;
    }

    /// What files and tensors are expected to have as SHA-256, from elsewhere than their own metadata; nothing unless set. A
    /// tensor is compared as [#checkDigests(boolean)] says. A file is read once more from its begin to its end beside the
    /// load, through the page cache, and its tensors are given out when that is done. A mismatch is a
    /// [io.fastsafetensors.error.FormatException] `DigestMismatch` of every call that asks for a tensor of the file, and of
    /// [Weights#awaitAll()]; so is a digest of a file that the checkpoint does not have.
    public LoaderBuilder digests(Digests expected) {
        Objects.requireNonNull(expected, "expected");
        this.digests = expected;
        return this;
    }

    /// What is said of results that are dropped unclosed; [LeakDetection#ON] unless set. The system property
    /// `fst.leakDetection` (off, on, stack) wins when the loader is made; another value of it is a
    /// [io.fastsafetensors.error.ConfigException] then.
    public LoaderBuilder leakDetection(LeakDetection level) {
        Objects.requireNonNull(level, "level");
        this.leakDetection = level;
        return this;
    }

    /// How [Loader#stream(Path)] runs; [StreamOptions#defaults()] unless set.
    public LoaderBuilder stream(StreamOptions options) {
        Objects.requireNonNull(options, "options");
        this.stream = options;
        return this;
    }

    /// Who is told how loads are doing.
    public LoaderBuilder progress(ProgressListener listener) {
        Objects.requireNonNull(listener, "listener");
        this.progress = listener;
        return this;
    }

    /// The options set so far.
    public LoadOptions options() {
        return new LoadOptions(device, backend, backendProperties, strictBackend, dtype, dequantize, keep,
                countOverflows, selection, alignment, readers,
                blockBytes, directIo, transferPath, numaPinning, deviceBudget, hostBudget, group, distribution, shards,
                open,
                checkDigests, digests, leakDetection, stream, progress);
    }

    /// Finds the backend, opens the device and makes a loader.
    ///
    /// @throws io.fastsafetensors.error.BackendUnavailableException if no backend can serve the device; it lists why
    /// @throws io.fastsafetensors.error.BackendException if the device cannot be opened
    /// @throws io.fastsafetensors.error.ConfigException if a system property has a value that it cannot have
    public Loader build() {
        return LoaderProvider.instance().newLoader(options());
    }
}
