package io.fastsafetensors.core.plan;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Cuts a checkpoint into batches that fit into memory one after the other, in the order of the files. Pure: the same
/// answer on every rank.
public final class Batches {
    private final PlanSettings settings;
    private final Cuts cuts;
    private final long capacity;
    private final List<Batch> batches = new ArrayList<>();
    private Set<String> names = new HashSet<>();
    private long bytes;

    /// One batch.
    ///
    /// @param selection its tensors
    /// @param bytes the most device memory that they take
    public record Batch(Selection selection, long bytes) {
    }

    private Batches(PlanSettings settings, Cuts cuts, long capacity) {
        this.settings = settings;
        this.cuts = cuts;
        this.capacity = capacity;
    }

    /// The batches. A tensor that is larger than the capacity is a batch alone.
    ///
    /// @param selection which tensors there are
    /// @param cuts which part of each is loaded
    /// @param capacity how many bytes of device memory a batch shall take
    /// @param besides how many bytes are needed besides
    /// @param most how many bytes one tensor may take, with those needed besides
    /// @throws BudgetException naming a tensor that is larger than that
    public static List<Batch> cut(List<FileHeader> headers, Selection selection, PlanSettings settings, Cuts cuts,
            long capacity, long besides, long most) {
        Batches cutter = new Batches(settings, cuts, capacity);
        for (FileHeader header : headers) {
            long end = Long.MIN_VALUE;
            for (TensorInfo tensor : header.tensors()) {
                if (selection.test(tensor)) {
                    boolean first = end == Long.MIN_VALUE;
                    long gap = first ? 0 : Math.min(Planner.GAP_LIMIT, tensor.fileOffset() - end);
                    cutter.add(tensor, gap, most - besides, besides);
                    end = tensor.fileEnd();
                }
            }
        }
        cutter.close();
        return cutter.batches;
    }

    private void add(TensorInfo tensor, long gap, long most, long besides) {
        long alone = cost(tensor);
        if (alone > most) {
            throw new BudgetException(tensor.name(), alone + besides, most + besides);
        }
        if (bytes + gap + alone > capacity) {
            close();
        }
        names.add(tensor.name());
        bytes += gap + alone;
    }

    /// What a tensor takes at most, whichever way it is loaded: padding before it, whole pages at both ends of a range.
    private long cost(TensorInfo tensor) {
        long bits = Math.multiplyExact(cuts.of(tensor).shape().elements(), (long) settings.target(tensor).bits());
        return Math.ceilDiv(bits, 8L) + Math.max(settings.movedAlignment(), 2L * Pages.SIZE);
    }

    private void close() {
        if (!names.isEmpty()) {
            Set<String> chosen = names;
            batches.add(new Batch(tensor -> chosen.contains(tensor.name()), bytes));
            names = new HashSet<>();
            bytes = 0;
        }
    }
}
