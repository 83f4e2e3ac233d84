package io.fastsafetensors.core.plan;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.plan.PlannedFile.FileTransfer;
import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;
import io.fastsafetensors.core.plan.Selected.SelectedTensor;
import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Makes a [ReadPlan] of headers: selects, merges neighbours into ranges, lays out each file's buffer, cuts blocks.
///
/// There are three layouts. *In place*: the buffer has the file's bytes in the file's order, page for page, so that a
/// direct read of any block can go to where it stays. *Mapped*: the buffer is the file. *Placed*: each tensor has an
/// aligned place of its own, and blocks are cut into runs when they are moved.
///
/// A range is read as a whole: up to [#GAP_LIMIT] unwanted bytes between two tensors are read rather than skipped.
/// Same inputs give the same plan, on every rank and in every run.
public final class Planner {
    /// Ranges closer than this are read as one: a seek costs more than these bytes.
    static final long GAP_LIMIT = 64 << 10;
    /// Conversions cut blocks at multiples of this many elements, so that sub-byte dtypes fill whole bytes.
    private static final int GRANULE = 8;
    private static final int LARGEST_GRANULE = GRANULE * 8;
    /// A block that the device takes out of a mapping by itself; each copy costs it some microseconds besides.
    private static final int MAPPED_BLOCK = 64 << 20;

    private final PlanSettings settings;
    private final BlockTable blocks = new BlockTable();

    private Planner(PlanSettings settings) {
        this.settings = settings;
    }

    /// The plan for these files.
    ///
    /// @param routes the transfer path of each file; one that cannot be in place is moved
    /// @param cuts which part of each selected tensor is loaded
    /// @throws UnsupportedFeatureException if a conversion leaves a sub-byte tensor without whole bytes
    /// @throws io.fastsafetensors.error.SliceException if a tensor cannot be cut as it should be
    public static ReadPlan plan(List<FileHeader> headers, List<FileTransfer> routes, Selection selection,
            PlanSettings settings, Cuts cuts) {
        List<Selected> selected = new ArrayList<>(headers.size());
        for (FileHeader header : headers) {
            selected.add(Selected.of(header.tensors(), selection, cuts));
        }
        return plan(headers, routes, selected, settings);
    }

    /// The plan for these files.
    ///
    /// @param selected the tensors of each file, by offset
    static ReadPlan plan(List<FileHeader> headers, List<FileTransfer> routes, List<Selected> selected,
            PlanSettings settings) {
        Planner planner = new Planner(settings);
        List<PlannedFile> files = new ArrayList<>(headers.size());
        for (FileHeader header : headers) {
            int file = files.size();
            files.add(planner.planFile(file, header, routes.get(file), selected.get(file)));
        }
        return new ReadPlan(files, planner.blocks, settings);
    }

    /// A file that the selector wanted in place is placed where its tensors are unaligned, cut or converted, and its
    /// plan says which of these it was.
    private PlannedFile planFile(int index, FileHeader header, FileTransfer route, Selected selected) {
        if (route.path().placesEachTensor()) {
            return placed(index, header, selected, route);
        }
        String obstacle = obstacleToInPlace(selected, settings);
        boolean mapped = route.path() == PlannedPath.MAPPED_IN_PLACE;
        if (obstacle != null) {
            return placed(index, header, selected, new FileTransfer(PlannedPath.MOVED,
                    mapped ? "mapped was asked for, and " + obstacle : obstacle));
        }
        return mapped ? mappedInPlace(index, header, selected, route) : inPlace(index, header, selected, route);
    }

    /// Why tensors cannot stay where their file has them; null if they can.
    static @Nullable String obstacleToInPlace(List<SelectedTensor> selected, PlanSettings settings) {
        for (SelectedTensor tensor : selected) {
            if (settings.target(tensor.info()) != tensor.info().dtype()) {
                return "tensors are converted to " + settings.target(tensor.info());
            }
            if (!tensor.part().isContiguous()) {
                return "tensors are cut along inner dimensions";
            }
            long alignment = settings.alignmentOf(tensor.info());
            if (alignment > Pages.SIZE || (tensor.start() % alignment != 0 && !tensor.isEmpty())) {
                return "tensors in the file are not aligned to " + alignment + " bytes";
            }
        }
        return null;
    }

    /// The buffer is the file's ranges one after the other, each from a whole page to a whole page, so that a direct read
    /// of any block goes straight to where its tensors stay. What lies between tensors of a range is read and kept.
    private PlannedFile inPlace(int index, FileHeader header, Selected selected, FileTransfer route) {
        long blockBytes = blockBytes(route);
        Ranges ranges = Ranges.of(selected, GAP_LIMIT);
        long[] spanTarget = new long[ranges.size()];
        int firstBlock = blocks.size();
        long bufferBytes = 0;
        for (int r = 0; r < ranges.size(); r++) {
            spanTarget[r] = bufferBytes;
            long base = Pages.floor(ranges.start(r));
            for (long at = ranges.start(r); at < ranges.end(r);) {
                long next = Math.min(ranges.end(r), Pages.floor(at) + blockBytes);
                blocks.add(index, at, next, bufferBytes + Pages.floor(at) - base);
                at = next;
            }
            bufferBytes += Pages.ceil(ranges.end(r)) - base;
        }
        PlannedTensors tensors = new PlannedTensors(settings, index, selected);
        for (int t = 0; t < selected.size(); t++) {
            SelectedTensor tensor = selected.get(t);
            long offset = 0;
            if (!tensor.isEmpty()) {
                int r = ranges.find(tensor.start());
                offset = spanTarget[r] + tensor.start() - Pages.floor(ranges.start(r));
            }
            place(tensors, t, tensor, offset, firstBlock);
        }
        return new PlannedFile(header.location(), header.fileLength(), tensors, ranges.size(), ranges.bytes(),
                bufferBytes, PlannedPath.IN_PLACE, route.why());
    }

    /// The mapping begins where the file does, so that offsets of both are the same.
    private PlannedFile mappedInPlace(int index, FileHeader header, Selected selected, FileTransfer route) {
        long blockBytes = blockBytes(route);
        Ranges ranges = Ranges.of(selected, GAP_LIMIT);
        int firstBlock = blocks.size();
        for (int r = 0; r < ranges.size(); r++) {
            for (long at = ranges.start(r); at < ranges.end(r);) {
                long next = Math.min(ranges.end(r), Pages.floor(at) + blockBytes);
                blocks.add(index, at, next, Pages.floor(at));
                at = next;
            }
        }
        PlannedTensors tensors = new PlannedTensors(settings, index, selected);
        for (int t = 0; t < selected.size(); t++) {
            SelectedTensor tensor = selected.get(t);
            place(tensors, t, tensor, tensor.isEmpty() ? 0 : tensor.start(), firstBlock);
        }
        return new PlannedFile(header.location(), header.fileLength(), tensors, ranges.size(), ranges.bytes(), 0,
                route.path(), route.why());
    }

    /// A preference counts only where no slot has to hold the block.
    private long blockBytes(FileTransfer route) {
        return route.readBytes() > 0 ? Pages.ceil(route.readBytes()) : settings.blockBytes();
    }

    /// @param firstBlock the first block of the tensor's file
    private void place(PlannedTensors tensors, int index, SelectedTensor tensor, long offset, int firstBlock) {
        boolean empty = tensor.isEmpty();
        tensors.place(index, offset, empty ? 0 : blocks.find(firstBlock, tensor.start()),
                empty ? -1 : blocks.find(firstBlock, tensor.end() - 1));
    }

    /// Blocks that kernels convert or gather are no larger than the device memory that a reader has for them.
    private long placedBlockBytes(FileTransfer route, Selected selected) {
        if (!selected.stream().allMatch(this::isCopied)) {
            return settings.blockBytes();
        }
        long grown = Pages.floor((long) (settings.blockBytes() * route.growth()));
        return Math.max(route.path() == PlannedPath.MAPPED ? MAPPED_BLOCK : grown, settings.blockBytes());
    }

    /// Every tensor has a place of its own, whatever lies between them in the file. Blocks end on pages of the file, unless
    /// a tensor that is converted or gathered would be cut inside what its kernels take at a time.
    ///
    /// Tensors are placed in the order of the file, so the blocks of a file fill its buffer in ascending order.
    private PlannedFile placed(int index, FileHeader header, Selected selected, FileTransfer route) {
        Ranges ranges = Ranges.of(selected, GAP_LIMIT);
        long blockBytes = placedBlockBytes(route, selected);
        int firstBlock = blocks.size();
        int tensorAt = 0;
        for (int r = 0; r < ranges.size(); r++) {
            for (long at = ranges.start(r); at < ranges.end(r);) {
                // A cut at whole elements may lie just before a page's end; the next block begins there and still ends
                // on a page.
                long next = Math.min(ranges.end(r), Pages.floor(at + LARGEST_GRANULE) + blockBytes);
                while (tensorAt < selected.size() && selected.get(tensorAt).end() <= next) {
                    tensorAt++;
                }
                if (next < ranges.end(r) && tensorAt < selected.size()) {
                    next = wholeElements(selected.get(tensorAt), next);
                }
                blocks.add(index, at, next, BlockTable.MOVED);
                at = next;
            }
        }
        PlannedTensors tensors = new PlannedTensors(settings, index, selected);
        long bufferBytes = 0;
        for (int t = 0; t < selected.size(); t++) {
            SelectedTensor tensor = selected.get(t);
            DType target = settings.target(tensor.info());
            long bytes = isConverted(tensor.info()) ? convertedSize(tensor, target) : tensor.part().byteSize();
            boolean empty = tensor.isEmpty();
            long offset = empty ? 0 : Pages.alignUp(bufferBytes, settings.movedAlignment());
            bufferBytes = empty ? bufferBytes : offset + bytes;
            place(tensors, t, tensor, offset, firstBlock);
        }
        return new PlannedFile(header.location(), header.fileLength(), tensors, ranges.size(), ranges.bytes(),
                bufferBytes, route.path(), route.why());
    }

    /// The last cut not after `cut` that leaves whole granules of a tensor that is converted or gathered.
    ///
    /// Counted from the tensor's first byte, since tensors begin anywhere in the file.
    private long wholeElements(SelectedTensor tensor, long cut) {
        long start = tensor.info().fileOffset();
        if (isCopied(tensor) || cut <= start) {
            return cut;
        }
        long granule = (long) tensor.info().dtype().bits() * GRANULE / 8;
        return start + (cut - start) / granule * granule;
    }

    /// Whether its bytes in memory are one run of its bytes in the file.
    private boolean isCopied(SelectedTensor tensor) {
        return tensor.part().isContiguous() && !isConverted(tensor.info());
    }

    private boolean isConverted(TensorInfo tensor) {
        return settings.target(tensor) != tensor.dtype();
    }

    /// The bytes of what a tensor becomes.
    ///
    /// @throws UnsupportedFeatureException if its elements do not fill whole bytes then
    static long convertedSize(SelectedTensor tensor, DType target) {
        long elements = tensor.part().shape().elements();
        try {
            return target.byteSize(elements);
        } catch (ArithmeticException e) {
            throw new UnsupportedFeatureException(
                    "cannot load as " + target + ": " + elements + " elements do not fill whole bytes",
                    tensor.info().file().where().withTensor(tensor.info().name()), e);
        }
    }

    /// Selects the part of each tensor that is loaded. Pure: the same answer every time.
    ///
    /// An interface of this package, because who cuts (the layout of ranks) comes after it.
    ///
    /// Asked once for each selected tensor, before anything is laid out, because what is cut decides the ranges that are
    /// read.
    @FunctionalInterface
    public interface Cuts {
        /// Every tensor as a whole.
        Cuts NONE = Part::whole;

        /// The part of a tensor.
        ///
        /// @throws io.fastsafetensors.error.SliceException if it cannot be cut as it should be
        Part of(TensorInfo tensor);
    }
}
