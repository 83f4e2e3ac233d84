package io.fastsafetensors.core.plan;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.plan.PlannedFile.Landing;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Makes a [ReadPlan] of headers: selects, merges neighbours into ranges, lays out each file's buffer, cuts blocks.
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
    /// @param routes the way of each file; one that cannot be in place is moved
    /// @throws UnsupportedFeatureException if a conversion leaves a sub-byte tensor without whole bytes
    public static ReadPlan plan(List<FileHeader> headers, List<Route> routes, Selection selection,
            PlanSettings settings) {
        Planner planner = new Planner(settings);
        List<PlannedFile> files = new ArrayList<>(headers.size());
        for (FileHeader header : headers) {
            files.add(planner.planFile(files.size(), header, routes.get(files.size()), selection));
        }
        return new ReadPlan(files, planner.blocks, settings);
    }

    private PlannedFile planFile(int index, FileHeader header, Route route, Selection selection) {
        List<TensorInfo> selected = new ArrayList<>(header.tensors().size());
        for (TensorInfo tensor : header.tensors()) {
            if (selection.test(tensor)) {
                selected.add(tensor);
            }
        }
        if (route.landing().placesEachTensor()) {
            return placed(index, header, selected, route);
        }
        String obstacle = obstacleToInPlace(selected);
        return obstacle == null ? inPlace(index, header, selected)
                : placed(index, header, selected, new Route(Landing.MOVED, obstacle));
    }

    private @Nullable String obstacleToInPlace(List<TensorInfo> selected) {
        for (TensorInfo tensor : selected) {
            if (settings.target(tensor) != tensor.dtype()) {
                return "tensors are converted to " + settings.target(tensor);
            }
            long alignment = settings.alignmentOf(tensor);
            if (alignment > Pages.SIZE || (tensor.fileOffset() % alignment != 0 && tensor.byteSize() > 0)) {
                return "tensors in the file are not aligned to " + alignment + " bytes";
            }
        }
        return null;
    }

    private PlannedFile inPlace(int index, FileHeader header, List<TensorInfo> selected) {
        Ranges ranges = Ranges.of(selected, GAP_LIMIT);
        long[] spanTarget = new long[ranges.size()];
        int firstBlock = blocks.size();
        long bufferBytes = 0;
        for (int r = 0; r < ranges.size(); r++) {
            spanTarget[r] = bufferBytes;
            long base = Pages.floor(ranges.start(r));
            for (long at = ranges.start(r); at < ranges.end(r);) {
                long next = Math.min(ranges.end(r), Pages.floor(at) + settings.blockBytes());
                blocks.add(index, at, next, bufferBytes + Pages.floor(at) - base);
                at = next;
            }
            bufferBytes += Pages.ceil(ranges.end(r)) - base;
        }
        List<PlannedTensor> tensors = new ArrayList<>(selected.size());
        for (TensorInfo tensor : selected) {
            int r = ranges.find(tensor.fileOffset());
            boolean empty = tensor.byteSize() == 0;
            long offset = empty ? 0 : spanTarget[r] + tensor.fileOffset() - Pages.floor(ranges.start(r));
            tensors.add(new PlannedTensor(tensor, index, tensor.dtype(), offset, tensor.byteSize(),
                    empty ? 0 : blocks.find(firstBlock, tensor.fileOffset()),
                    empty ? -1 : blocks.find(firstBlock, tensor.fileEnd() - 1)));
        }
        return new PlannedFile(header.path(), header.fileLength(), List.copyOf(tensors), ranges.size(), ranges.bytes(),
                bufferBytes, Landing.IN_PLACE, "the host can address the memory and the file is aligned");
    }

    private PlannedFile placed(int index, FileHeader header, List<TensorInfo> selected, Route route) {
        Ranges ranges = Ranges.of(selected, GAP_LIMIT);
        int blockBytes = route.landing() == Landing.MAPPED && selected.stream().noneMatch(this::isConverted)
                ? Math.max(MAPPED_BLOCK, settings.blockBytes()) : settings.blockBytes();
        int firstBlock = blocks.size();
        int tensorAt = 0;
        for (int r = 0; r < ranges.size(); r++) {
            for (long at = ranges.start(r); at < ranges.end(r);) {
                // A cut at whole elements may lie just before a page's end; the next block begins there and still ends
                // on a page.
                long next = Math.min(ranges.end(r), Pages.floor(at + LARGEST_GRANULE) + blockBytes);
                while (tensorAt < selected.size() && selected.get(tensorAt).fileEnd() <= next) {
                    tensorAt++;
                }
                if (next < ranges.end(r) && tensorAt < selected.size()) {
                    next = wholeElements(selected.get(tensorAt), next);
                }
                blocks.add(index, at, next, BlockTable.MOVED);
                at = next;
            }
        }
        List<PlannedTensor> tensors = new ArrayList<>(selected.size());
        long bufferBytes = 0;
        for (TensorInfo tensor : selected) {
            DType target = settings.target(tensor);
            long bytes = target == tensor.dtype() ? tensor.byteSize() : convertedSize(tensor, target);
            boolean empty = bytes == 0;
            long offset = empty ? 0 : Pages.alignUp(bufferBytes, settings.movedAlignment());
            bufferBytes = empty ? bufferBytes : offset + bytes;
            tensors.add(new PlannedTensor(tensor, index, target, offset, bytes,
                    empty ? 0 : blocks.find(firstBlock, tensor.fileOffset()),
                    empty ? -1 : blocks.find(firstBlock, tensor.fileEnd() - 1)));
        }
        return new PlannedFile(header.path(), header.fileLength(), List.copyOf(tensors), ranges.size(), ranges.bytes(),
                bufferBytes, route.landing(), route.why());
    }

    /// The last cut not after `cut` that leaves whole granules of a tensor that is converted.
    private long wholeElements(TensorInfo tensor, long cut) {
        if (!isConverted(tensor) || cut <= tensor.fileOffset()) {
            return cut;
        }
        long granule = (long) tensor.dtype().bits() * GRANULE / 8;
        return tensor.fileOffset() + (cut - tensor.fileOffset()) / granule * granule;
    }

    private boolean isConverted(TensorInfo tensor) {
        return settings.target(tensor) != tensor.dtype();
    }

    private static long convertedSize(TensorInfo tensor, DType target) {
        try {
            return target.byteSize(tensor.shape().elements());
        } catch (ArithmeticException e) {
            throw new UnsupportedFeatureException(
                    "cannot load as " + target + ": " + tensor.shape().elements() + " elements do not fill whole bytes",
                    Where.file(tensor.file()).withTensor(tensor.name()), e);
        }
    }
}
