package io.fastsafetensors.core.header;

import io.fastsafetensors.core.storage.JoinedSource;
import io.fastsafetensors.core.storage.JoinedSource.Box;
import io.fastsafetensors.core.storage.JoinedSource.Whole;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Joins the tensors of a PyTorch distributed checkpoint, of which each rank saved its part, to whole ones: what a file has
/// of its own stays in its header, what several files share is in one more header, of a [JoinedSource].
///
/// Nothing of the data is read here. A tensor that one file has as a whole stays in that file's header, so that it is
/// planned and read as in any checkpoint; only what is cut goes through a joined file. Replicas, of which data-parallel
/// ranks write many, are read once.
///
/// For one checkpoint, on one thread. Everything of a rank that wrote no parts is checked for as the lack of its parts:
/// which ranks there were, no file says.
///
/// Checked before anything is joined: same dtype and rank, each part inside the whole, no two over each other,
/// elements that add up. So a file of a rank that is missing is an error when the checkpoint is opened, not zeros in
/// a tensor.
final class JoinedTensors {
    /// Where a joined tensor begins: on the strictest alignment that a device asks for.
    private static final long ALIGNMENT = 256;
    private static final String FILE_NAME = "model.safetensors";

    private final List<FileHeader> headers;
    /// By the whole tensor's name, in the order in which files name them.
    private final Map<String, List<Piece>> pieces = new LinkedHashMap<>();

    /// A part of a tensor.
    private record Piece(int file, TensorInfo info, List<Long> offsets, @Nullable Shape wholeShape) {
        /// The index after the part's last element in a dimension of the whole; negative if it overflows.
        long end(int dim) {
            return offsets.get(dim) + info.shape().dim(dim);
        }

        /// Whether it has no elements, as ranks write that got nothing of a small tensor.
        boolean isEmpty() {
            return info.shape().elements() == 0;
        }

        /// Whether both have an element in common: two boxes do if they do in each dimension.
        boolean overlaps(Piece other) {
            for (int d = 0; d < offsets.size(); d++) {
                if (offsets.get(d) >= other.end(d) || other.offsets.get(d) >= end(d)) {
                    return false;
                }
            }
            return true;
        }

        FormatException error(String detail) {
            return new FormatException(FormatError.INVALID_SHARDING, detail,
                    info.file().where().withTensor(info.name()));
        }
    }

    private JoinedTensors(List<FileHeader> headers) {
        this.headers = headers;
    }

    /// The headers of the files of one checkpoint, with whole tensors.
    ///
    /// @param files the headers
    /// @param directory what the joined file is called after
    /// @param sources where the joined file is added
    /// @return the same list where no file says that it holds parts
    /// @throws FormatException InvalidSharding if the parts do not make whole tensors
    static List<FileHeader> join(List<FileHeader> files, Location directory, SourceFiles sources) {
        List<Optional<ShardingInfo>> infos =
                files.stream().map(header -> Optional.ofNullable(ShardingInfo.of(header))).toList();
        if (infos.stream().allMatch(Optional::isEmpty)) {
            return files;
        }
        JoinedTensors joined = new JoinedTensors(files);
        for (int f = 0; f < files.size(); f++) {
            for (TensorInfo tensor : files.get(f).tensors()) {
                joined.add(f, tensor, infos.get(f));
            }
        }
        return joined.headers(directory, sources);
    }

    /// A tensor of a file that says nothing of parts is whole.
    private void add(int file, TensorInfo tensor, Optional<ShardingInfo> sharding) {
        if (sharding.isEmpty()) {
            put(tensor.name(), new Piece(file, tensor, Collections.nCopies(tensor.shape().rank(), 0L), null));
            return;
        }
        ShardingInfo.Entry entry = sharding.get().of(tensor);
        String name = entry.name();
        put(name == null ? tensor.name() : name, new Piece(file, tensor, entry.offsets(), entry.shape()));
    }

    private void put(String name, Piece piece) {
        pieces.computeIfAbsent(name, _ -> new ArrayList<>(2)).add(piece);
    }

    /// A tensor that several files have parts of.
    private record Cut(String name, List<Piece> parts, Shape shape) {
        DType dtype() {
            return parts.getFirst().info.dtype();
        }

        long byteSize() {
            return dtype().byteSize(shape.elements());
        }
    }

    /// The headers of the files, with what is theirs alone, and then those of the joined files.
    private List<FileHeader> headers(Location directory, SourceFiles sources) {
        List<List<TensorInfo>> own = new ArrayList<>();
        headers.forEach(_ -> own.add(new ArrayList<>()));
        List<Cut> cut = new ArrayList<>();
        for (Map.Entry<String, List<Piece>> tensor : pieces.entrySet()) {
            List<Piece> parts = parts(tensor.getKey(), tensor.getValue());
            if (parts.size() == 1) {
                Piece whole = parts.getFirst();
                own.get(whole.file).add(renamed(whole.info, tensor.getKey()));
            } else {
                cut.add(new Cut(tensor.getKey(), parts, wholeShape(parts)));
            }
        }
        List<FileHeader> all = new ArrayList<>();
        for (int f = 0; f < headers.size(); f++) {
            FileHeader header = headers.get(f);
            own.get(f).sort(Comparator.comparingLong(TensorInfo::fileOffset).thenComparingLong(TensorInfo::byteSize));
            all.add(new FileHeader(header.location(), header.fileLength(), header.dataStart(), own.get(f),
                    withoutSharding(header.metadata()), header.opaque()));
        }
        // As many joined files as there are files, so that ranks which share files have some to share.
        long share = Math.ceilDiv(cut.stream().mapToLong(Cut::byteSize).sum(), (long) headers.size());
        int from = 0;
        long bytes = 0;
        for (int t = 0; t < cut.size(); t++) {
            bytes += cut.get(t).byteSize();
            if (bytes >= share || t + 1 == cut.size()) {
                all.add(joined(cut.subList(from, t + 1), directory, sources));
                from = t + 1;
                bytes = 0;
            }
        }
        return all;
    }

    /// A joined file of these tensors, added to the sources. Only files that have a part of one of them become its
    /// parts, so that reading it opens no others.
    private FileHeader joined(List<Cut> tensors, Location directory, SourceFiles sources) {
        Map<Integer, Integer> numbers = new LinkedHashMap<>();
        List<Whole> wholes = new ArrayList<>(tensors.size());
        long end = 0;
        for (Cut tensor : tensors) {
            long offset = Math.ceilDiv(end, ALIGNMENT) * ALIGNMENT;
            List<Box> boxes = new ArrayList<>(tensor.parts.size());
            for (Piece part : tensor.parts) {
                Integer number = numbers.putIfAbsent(part.file, numbers.size());
                boxes.add(new Box(number == null ? numbers.size() - 1 : number, part.info.fileOffset(), part.offsets,
                        part.info.shape()));
            }
            wholes.add(new Whole(offset, tensor.shape, tensor.dtype().bits(), boxes));
            end = offset + tensor.byteSize();
        }
        JoinedSource source =
                new JoinedSource(numbers.keySet().stream().map(f -> headers.get(f).location()).toList(), wholes);
        Location location = sources.derive(source, directory, FILE_NAME);
        List<TensorInfo> infos = new ArrayList<>(tensors.size());
        for (Cut tensor : tensors) {
            infos.add(new TensorInfo(tensor.name, tensor.dtype(), tensor.shape, location,
                    wholes.get(infos.size()).offset(), tensor.byteSize()));
        }
        return new FileHeader(location, source.length(), 0, infos, Map.of());
    }

    /// A part may be stored under another name than its whole tensor's.
    private static TensorInfo renamed(TensorInfo info, String name) {
        return info.name().equals(name) ? info : new TensorInfo(name, info.dtype(), info.shape(), info.file(),
                info.fileOffset(), info.byteSize());
    }

    /// What the metadata says of parts is not true of the headers that come out.
    private static Map<String, String> withoutSharding(Map<String, String> metadata) {
        Map<String, String> rest = new LinkedHashMap<>(metadata);
        rest.remove(ShardingInfo.KEY);
        rest.remove(ShardingInfo.VERSION_KEY);
        return rest;
    }

    /// The parts that make a whole tensor, each once: replicas are the same box, of which the first file's counts, and
    /// parts without elements do not. One part that is the whole tensor stays where it is.
    ///
    /// @throws FormatException InvalidSharding, of the first part that does not fit
    private static List<Piece> parts(String name, List<Piece> given) {
        Piece first = given.getFirst();
        Set<String> boxes = new HashSet<>();
        List<Piece> parts = new ArrayList<>();
        for (Piece piece : given) {
            if (piece.info.dtype() != first.info.dtype() || piece.offsets.size() != first.offsets.size()) {
                throw piece.error("a part of " + piece.info.dtype() + " " + piece.info.shape() + ", and one of "
                        + first.info.dtype() + " " + first.info.shape() + " in "
                        + Printable.escape(first.info.file().toString()));
            }
            for (int d = 0; d < piece.offsets.size(); d++) {
                long end = piece.end(d);
                if (end < 0 || (piece.wholeShape != null && end > piece.wholeShape.dim(d))) {
                    throw piece.error("a part of shape " + piece.info.shape() + " at " + piece.offsets
                            + " reaches outside the whole tensor"
                            + (piece.wholeShape == null ? "" : " " + piece.wholeShape));
                }
            }
            if (first.wholeShape != null && piece.wholeShape != null
                    && !first.wholeShape.equals(piece.wholeShape)) {
                throw piece.error("the whole tensor has the shape " + piece.wholeShape + " here and "
                        + first.wholeShape + " in " + Printable.escape(first.info.file().toString()));
            }
            if (!piece.isEmpty() && boxes.add(piece.offsets.toString() + piece.info.shape())) {
                parts.add(piece);
            }
        }
        if (parts.isEmpty()) {
            return emptyTensor(given);
        }
        requireApart(parts);
        requireFull(name, parts, wholeShape(given));
        requireWholeBytes(parts);
        return parts;
    }

    /// A tensor without elements; of several boxes none is more right than the last.
    private static List<Piece> emptyTensor(List<Piece> given) {
        Shape whole = wholeShape(given);
        if (elements(given.getFirst(), whole) > 0) {
            throw given.getFirst().error("all its parts are empty, and the whole tensor has the shape " + whole);
        }
        return List.of(given.stream().filter(piece -> piece.info.shape().equals(whole)).findFirst()
                .orElse(given.getFirst()));
    }

    /// As the files say, or else as far as the parts reach.
    private static Shape wholeShape(List<Piece> parts) {
        long[] dims = new long[parts.getFirst().offsets.size()];
        for (Piece piece : parts) {
            if (piece.wholeShape != null) {
                return piece.wholeShape;
            }
            for (int d = 0; d < dims.length; d++) {
                dims[d] = Math.max(dims[d], piece.end(d));
            }
        }
        return Shape.of(dims);
    }

    /// The shape comes from metadata, which nothing has checked against the size of a file yet.
    private static long elements(Piece piece, Shape shape) {
        try {
            return Math.multiplyExact(shape.elements(), (long) piece.info.dtype().bits()) / piece.info.dtype().bits();
        } catch (ArithmeticException e) {
            throw piece.error("the whole tensor " + shape + " does not fit 64 bits");
        }
    }

    /// Goes along the dimension that most parts differ in, so that each is compared with its neighbours alone.
    ///
    /// A sweep: parts sorted along one dimension are compared with those that reach into them. For the grids that
    /// ranks write this is linear.
    private static void requireApart(List<Piece> parts) {
        int along = 0;
        long most = 0;
        for (int d = 0; d < parts.getFirst().offsets.size(); d++) {
            int dim = d;
            long different = parts.stream().mapToLong(piece -> piece.offsets.get(dim)).distinct().count();
            if (different > most) {
                most = different;
                along = d;
            }
        }
        if (parts.size() == 1) {
            return;
        }
        int dim = along;
        List<Piece> sorted = new ArrayList<>(parts);
        sorted.sort(Comparator.comparingLong(piece -> piece.offsets.get(dim)));
        ArrayDeque<Piece> near = new ArrayDeque<>();
        for (Piece piece : sorted) {
            near.removeIf(before -> before.end(dim) <= piece.offsets.get(dim));
            for (Piece before : near) {
                if (before.overlaps(piece)) {
                    throw piece.error("a part of shape " + piece.info.shape() + " at " + piece.offsets
                            + " lies over one of shape " + before.info.shape() + " at "
                            + before.offsets + " in "
                            + Printable.escape(before.info.file().toString()));
                }
            }
            near.add(piece);
        }
    }

    /// Boxes that do not overlap and lie inside the whole fill it if their elements add up.
    private static void requireFull(String name, List<Piece> parts, Shape whole) {
        Piece first = parts.getFirst();
        long wanted = elements(first, whole);
        long found = parts.stream().mapToLong(piece -> piece.info.shape().elements()).sum();
        if (found != wanted) {
            throw first.error("its parts have " + found + " of the " + wanted + " elements of the whole tensor " + whole
                    + (first.info.name().equals(name) ? "" : " \"" + Printable.escape(name) + "\"")
                    + ": files of other ranks are missing");
        }
    }

    /// Elements smaller than a byte cannot be put together where a cut goes through one.
    private static void requireWholeBytes(List<Piece> parts) {
        DType dtype = parts.getFirst().info.dtype();
        if (!dtype.isSubByte() || parts.size() == 1) {
            return;
        }
        int last = parts.getFirst().offsets.size() - 1;
        for (Piece piece : parts) {
            if (((piece.offsets.get(last) * dtype.bits()) | (piece.info.shape().dim(last) * dtype.bits())) % 8 != 0) {
                throw piece.error("a part of " + dtype + " that begins or ends inside a byte");
            }
        }
    }
}
