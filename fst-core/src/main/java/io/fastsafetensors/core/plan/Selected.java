package io.fastsafetensors.core.plan;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.plan.Planner.Cuts;
import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.types.TensorInfo;
import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.RandomAccess;
import org.jspecify.annotations.Nullable;

/// The tensors of one file that are loaded, with the part of each that is, in the order of their offsets. Immutable.
///
/// A view of the header's list with at most two arrays besides; nothing is kept where all tensors are selected whole,
/// which is what most loads do.
final class Selected extends AbstractList<Selected.SelectedTensor> implements RandomAccess {
    private final List<TensorInfo> header;
    /// Null if all are selected.
    private final int @Nullable [] numbers;
    /// Null if they are all loaded as wholes.
    private final Part @Nullable [] parts;

    private Selected(List<TensorInfo> header, int @Nullable [] numbers, Part @Nullable [] parts) {
        this.header = header;
        this.numbers = numbers;
        this.parts = parts;
    }

    /// Selects and cuts; asks about each tensor once.
    ///
    /// The array of parts is made with the first tensor that is cut.
    static Selected of(List<TensorInfo> header, Selection selection, Cuts cuts) {
        int[] numbers = new int[header.size()];
        Part[] parts = null;
        int size = 0;
        for (int i = 0; i < header.size(); i++) {
            TensorInfo tensor = header.get(i);
            if (selection.test(tensor)) {
                Part part = cuts.of(tensor);
                if (parts == null && part.dim() >= 0) {
                    parts = new Part[header.size()];
                    for (int before = 0; before < size; before++) {
                        parts[before] = Part.whole(header.get(numbers[before]));
                    }
                }
                if (parts != null) {
                    parts[size] = part;
                }
                numbers[size++] = i;
            }
        }
        return new Selected(header, size == header.size() ? null : Arrays.copyOf(numbers, size),
                parts == null ? null : Arrays.copyOf(parts, size));
    }

    /// Those from `from` to before `to`.
    Selected range(int from, int to) {
        if (from == 0 && to == size()) {
            return this;
        }
        int[] some;
        if (numbers == null) {
            some = new int[to - from];
            Arrays.setAll(some, i -> from + i);
        } else {
            some = Arrays.copyOfRange(numbers, from, to);
        }
        return new Selected(header, some, parts == null ? null : Arrays.copyOfRange(parts, from, to));
    }

    /// All tensors of the file, the selected ones among them.
    List<TensorInfo> header() {
        return header;
    }

    /// The positions in the header of those that are selected; null if all are.
    int @Nullable [] numbers() {
        return numbers;
    }

    /// What is loaded of each selected one; null if all are loaded as wholes.
    Part @Nullable [] parts() {
        return parts;
    }

    @Override
    public int size() {
        return numbers == null ? header.size() : numbers.length;
    }

    @Override
    public SelectedTensor get(int index) {
        TensorInfo info = header.get(numbers == null ? index : numbers[index]);
        return new SelectedTensor(info, parts == null ? Part.whole(info) : parts[index]);
    }

    /// A tensor of which a part is loaded.
    ///
    /// @param info what the header says
    /// @param part what of it
    record SelectedTensor(TensorInfo info, Part part) {
        boolean isEmpty() {
            return part.byteSize() == 0;
        }

        /// The file offset of the part's first byte.
        long start() {
            return info.fileOffset() + part.firstByte();
        }

        /// The file offset just past its last byte.
        long end() {
            return info.fileOffset() + part.endByte();
        }
    }
}
