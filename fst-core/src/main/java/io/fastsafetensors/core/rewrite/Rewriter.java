package io.fastsafetensors.core.rewrite;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.OpaqueType;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.header.IndexKeys;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.load.DigestCheck;
import io.fastsafetensors.core.load.LoadTarget;
import io.fastsafetensors.core.plan.PlanSettings;
import io.fastsafetensors.core.stream.BatchProducer;
import io.fastsafetensors.core.write.CheckpointOutput;
import io.fastsafetensors.core.write.Layout;
import io.fastsafetensors.core.write.TensorSpec;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;

/// Streams a checkpoint out of its files into new ones: batches of pieces are read ahead while those before are written.
///
/// Tensors are written in the order of their files, which is the order in which pieces come out of a batch; so the output
/// is appended to and never held in memory. Nothing of it is seen under its own name before all of it was written and
/// every digest was right.
///
/// Memory is bounded by the budget whatever the sizes of the tensors, since large ones are cut into pieces; a failure
/// leaves the files of an earlier copy as they were.
public final class Rewriter {
    /// Enough for drives to be busy, little enough for a process of 300 MiB.
    private static final long DEFAULT_BUDGET = 96L << 20;
    /// One being written, one that is there, one being read.
    private static final int BATCHES_AHEAD = 1;
    private static final int BATCHES = BATCHES_AHEAD + 2;
    /// So many pieces at the least make up a batch, so that readers have something to share.
    private static final int PIECES_PER_BATCH = 4;
    /// What a piece has at most, in bytes, before and after a conversion: the size of the memory that it is copied back to.
    private static final long LARGEST_PIECE = 8L << 20;

    private final LoadTarget target;
    private final LoadOptions options;

    /// @param options what to load and as what; their budget, or else the default one
    public Rewriter(LoadTarget target, LoadOptions options) {
        this.target = target;
        this.options = options.toBuilder().countOverflows(true).options();
    }

    /// See [io.fastsafetensors.api.Loader#rewrite(io.fastsafetensors.types.Location, Path, WriteOptions)].
    ///
    /// @param startNanos when the user asked for it, in `System.nanoTime()`
    public List<Path> rewrite(ParsedCheckpoint source, Path copy, WriteOptions writing, long startNanos) {
        requireKnown(source);
        long budget = options.deviceBudget() == Long.MAX_VALUE ? DEFAULT_BUDGET : options.deviceBudget();
        Pieces pieces = new Pieces(source, options.selection(), target.planSettings(),
                Math.min(LARGEST_PIECE, budget / BATCHES / PIECES_PER_BATCH));
        DigestCheck.Rewriting digests = new DigestCheck.Rewriting(source, options, target.planSettings());
        try (CheckpointOutput output = new CheckpointOutput(copy, layout(source, copy, writing), writing, true)) {
            output.begin();
            try (BatchProducer producer =
                    BatchProducer.open(target, options, pieces.checkpoint(), Selection.all(), RankLayout.ALONE,
                            budget, BATCHES_AHEAD, Long.MAX_VALUE, startNanos);
                    Arena arena = Arena.ofConfined()) {
                MemorySegment bounce = target.isHostAddressable() ? MemorySegment.NULL : arena.allocate(LARGEST_PIECE);
                producer.start();
                for (BatchProducer.Batch batch = producer.next(); batch != null; batch = producer.next()) {
                    write(batch, producer, pieces, digests, output, bounce);
                }
            }
            digests.require();
            List<Path> files = output.publish();
            tellOverflows(source, pieces);
            return files;
        }
    }

    /// The bytes of a dtype that is not known would become U8 for good.
    private void requireKnown(ParsedCheckpoint source) {
        Map<String, OpaqueType> opaque = source.opaque();
        for (TensorInfo tensor : opaque.isEmpty() ? List.<TensorInfo>of() : source.tensors()) {
            OpaqueType type = opaque.get(tensor.name());
            if (type != null && options.selection().test(tensor)) {
                throw new UnsupportedFeatureException(
                        "a tensor of the unknown dtype \"" + Printable.escape(type.dtype())
                                + "\" is not rewritten; leave it out (select)",
                        tensor.file().where().withTensor(tensor.name()));
            }
        }
    }

    /// Those of de-quantised tensors were counted for the tensor, those of converted ones for its pieces.
    private void tellOverflows(ParsedCheckpoint source, Pieces pieces) {
        Map<String, Long> all = new TreeMap<>(source.overflows().counts());
        pieces.checkpoint().overflows().counts()
                .forEach((piece, count) -> all.merge(pieces.origin(piece).name(), count, Long::sum));
        if (!all.isEmpty()) {
            options.progress().overflowed(all);
        }
    }

    /// A batch's files are checked before it is given back: bytes of a file that changed meanwhile are never
    /// published.
    private static void write(BatchProducer.Batch batch, BatchProducer producer, Pieces pieces,
            DigestCheck.Rewriting digests, CheckpointOutput output, MemorySegment bounce) {
        try {
            for (String piece : batch.weights().names()) {
                try (Tensor tensor = batch.weights().get(piece)) {
                    TensorInfo origin = pieces.origin(piece);
                    ByteBuffer bytes = bytes(tensor, bounce);
                    digests.update(origin, bytes);
                    output.append(origin.name(), bytes);
                }
            }
            batch.weights().requireRead();
        } catch (RuntimeException | Error e) {
            new Releases().run(() -> producer.done(batch)).because(e);
            throw e;
        }
        producer.done(batch);
    }

    /// A piece's bytes in host memory, until its batch is done.
    ///
    /// @param bounce where they are copied to if the host cannot address the device
    private static ByteBuffer bytes(Tensor tensor, MemorySegment bounce) {
        if (tensor.isHostAddressable()) {
            return tensor.segment().asByteBuffer();
        }
        MemorySegment copy = bounce.asSlice(0, tensor.byteSize());
        tensor.copyTo(copy);
        return copy.asByteBuffer();
    }

    /// Which tensors go into which file: as the source has them where files are kept, else by the sizes that the options
    /// ask for.
    private Layout layout(ParsedCheckpoint source, Path copy, WriteOptions writing) {
        IndexKeys keys = source.indexKeys();
        Layout.Index index = new Layout.Index(source.index().map(Location::name).filter(_ -> writing.keepFiles())
                .orElse(Layout.Index.FILE_NAME), keys.metadata(), keys.others());
        boolean several = source.index().isPresent() || source.headers().size() > 1;
        if (!writing.keepFiles() || !several) {
            return Layout.of(items(source.tensors()), writing.withMetadata(metadata(source.metadata(), writing)), index,
                    copy);
        }
        // What is derived from a file goes into the file of that name, what is joined from several into one of its own.
        Map<String, List<FileHeader>> files = new LinkedHashMap<>();
        for (FileHeader header : source.headers()) {
            files.computeIfAbsent(header.location().name(), _ -> new ArrayList<>()).add(header);
        }
        List<Layout.Part> parts = new ArrayList<>();
        files.forEach((name, headers) -> {
            List<TensorSpec> items = headers.stream().flatMap(header -> items(header.tensors()).stream()).toList();
            // An index does not name a file without tensors.
            if (!items.isEmpty()) {
                parts.add(new Layout.Part(name, items, metadata(headers.getFirst().metadata(), writing)));
            }
        });
        return parts.isEmpty() ? Layout.of(List.of(), writing, index, copy) : Layout.kept(parts, writing, index);
    }

    /// The selected ones, as they are written.
    private List<TensorSpec> items(List<TensorInfo> tensors) {
        return tensors.stream().filter(options.selection()::test).map(tensor -> TensorSpec.of(tensor.name(),
                target.planSettings().target(tensor), tensor.shape())).toList();
    }

    /// The digests of the source are of other bytes as soon as something is converted, and of other files.
    private static Map<String, String> metadata(Map<String, String> source, WriteOptions writing) {
        Map<String, String> all = new HashMap<>(source);
        all.keySet().removeIf(key -> key.startsWith(WriteOptions.DIGEST_KEY));
        all.putAll(writing.metadata());
        return all;
    }

    /// A checkpoint as if each large tensor were several small ones, so that it can be loaded a piece at a time. Pieces keep
    /// the order of the tensors and of their bytes. Empty tensors have none.
    ///
    /// Loads know nothing of this: a piece is a tensor with a name of its own that its file's header could have.
    private static final class Pieces {
        /// Elements that make whole bytes in every dtype, before and after a conversion.
        private static final long FEWEST = 8;
        /// Elements that make whole pages in every dtype, so that pieces can be read directly.
        private static final long WHOLE_PAGES = 32_768;

        private final ParsedCheckpoint checkpoint;
        private final Map<String, TensorInfo> origins = new HashMap<>();

        /// @param source the checkpoint
        /// @param wanted which tensors
        /// @param settings tells what each tensor is converted to
        /// @param pieceBytes about how many bytes a piece has at most, before and after a conversion
        Pieces(ParsedCheckpoint source, Selection wanted, PlanSettings settings, long pieceBytes) {
            Set<String> names = new HashSet<>(source.names());
            List<FileHeader> headers = new ArrayList<>();
            for (FileHeader header : source.headers()) {
                List<TensorInfo> pieces = new ArrayList<>();
                for (TensorInfo tensor : header.tensors()) {
                    if (tensor.byteSize() > 0 && wanted.test(tensor)) {
                        DType target = settings.target(tensor);
                        cut(tensor, elements(pieceBytes, Math.max(target.bits(), tensor.dtype().bits())), names,
                                pieces);
                    }
                }
                headers.add(
                        new FileHeader(header.location(), header.fileLength(), header.dataStart(), pieces, Map.of()));
            }
            this.checkpoint =
                    new ParsedCheckpoint(source.location(), headers, source.sources()).withDigests(source.digests());
        }

        /// How many elements a piece has: whole pages where that many fit, else whole bytes.
        private static long elements(long bytes, int bits) {
            long most = bytes * 8 / bits;
            long unit = most >= WHOLE_PAGES ? WHOLE_PAGES : FEWEST;
            return Math.max(unit, most / unit * unit);
        }

        /// A piece is named after its elements, with quotes behind where a tensor of that name exists.
        private void cut(TensorInfo tensor, long most, Set<String> names, List<TensorInfo> pieces) {
            long elements = tensor.shape().elements();
            if (elements <= most) {
                pieces.add(tensor);
                origins.put(tensor.name(), tensor);
                return;
            }
            for (long from = 0; from < elements; from += most) {
                long count = Math.min(most, elements - from);
                String name = tensor.name() + "[" + from + ":" + (from + count) + "]";
                while (!names.add(name)) {
                    name += "'";
                }
                pieces.add(new TensorInfo(name, tensor.dtype(), Shape.of(count), tensor.file(),
                        tensor.fileOffset() + tensor.dtype().byteSize(from), tensor.dtype().byteSize(count)));
                origins.put(name, tensor);
            }
        }

        /// The pieces as tensors.
        ParsedCheckpoint checkpoint() {
            return checkpoint;
        }

        /// The tensor that a piece is of.
        TensorInfo origin(String piece) {
            return Objects.requireNonNull(origins.get(piece), piece);
        }
    }
}
