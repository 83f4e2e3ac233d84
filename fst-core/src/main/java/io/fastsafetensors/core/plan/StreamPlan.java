package io.fastsafetensors.core.plan;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.plan.PlannedFile.FileTransfer;
import io.fastsafetensors.core.plan.Planner.Cuts;
import io.fastsafetensors.core.plan.Selected.SelectedTensor;
import io.fastsafetensors.error.BudgetException;
import java.util.ArrayList;
import java.util.List;

/// The tensors of a stream in the order of the files, selected and cut once. A batch is a run of them; its plan is made of
/// that run alone, so that planning all batches takes as long as planning the checkpoint once. Immutable, pure.
///
/// A run is measured before its transfer paths are known, so it counts for whichever layout takes more; a batch never
/// takes more than was counted for it.
public final class StreamPlan {
    private final List<FileHeader> headers;
    private final PlanSettings settings;
    /// Whether the host can address the memory: only then may a file be planned in place.
    private final boolean keepsFileLayout;
    private final List<Selected> selected;
    /// The number of each file's first tensor, and that of all tensors.
    private final int[] files;
    private final long ownedAlone;

    /// A run of tensors.
    ///
    /// @param from the first
    /// @param to just past the last
    /// @param deviceBytes the most device memory that its buffers take
    /// @param ownedBytes what its tensors take besides when they are handed out in memory of their own
    /// @param alone whether it is one tensor that is handed out with the buffer it arrived in
    public record Run(int from, int to, long deviceBytes, long ownedBytes, boolean alone) {
        /// The most that it takes.
        public long bytes() {
            return deviceBytes + ownedBytes;
        }
    }

    /// Selects and cuts.
    ///
    /// @param keepsFileLayout whether buffers may keep the distances of the file
    /// @param ownedAlone tensors of so many bytes and more are a run by themselves, so that they can be handed out with the
    ///        buffer they arrived in, and smaller ones count twice, since they are copied out of it;
    ///        [Long#MAX_VALUE] if none is owned
    public StreamPlan(List<FileHeader> headers, Selection selection, PlanSettings settings, Cuts cuts,
            boolean keepsFileLayout, long ownedAlone) {
        this.headers = headers;
        this.settings = settings;
        this.keepsFileLayout = keepsFileLayout;
        this.ownedAlone = ownedAlone;
        List<Selected> all = new ArrayList<>(headers.size());
        int[] first = new int[headers.size() + 1];
        for (int f = 0; f < headers.size(); f++) {
            Selected ofFile = Selected.of(headers.get(f).tensors(), selection, cuts);
            all.add(ofFile);
            first[f + 1] = first[f] + ofFile.size();
        }
        this.selected = all;
        this.files = first;
    }

    private StreamPlan(StreamPlan plan, PlanSettings settings) {
        this.headers = plan.headers;
        this.settings = settings;
        this.keepsFileLayout = plan.keepsFileLayout;
        this.ownedAlone = plan.ownedAlone;
        this.selected = plan.selected;
        this.files = plan.files;
    }

    /// The same with blocks of another size.
    public StreamPlan with(PlanSettings other) {
        return new StreamPlan(this, other);
    }

    /// How many tensors.
    ///
    /// Tensors are numbered through all files, in their order.
    public int size() {
        return files[files.length - 1];
    }

    /// How many files there are, those without a tensor included.
    public int files() {
        return headers.size();
    }

    /// The bytes that are read if it is all read at once.
    public long bytesToRead() {
        long bytes = 0;
        for (int f = 0; f < headers.size(); f++) {
            bytes += Ranges.of(selected.get(f), Planner.GAP_LIMIT).bytes();
        }
        return bytes;
    }

    /// Whether some tensor changes its dtype.
    public boolean converts() {
        return selected.stream().flatMap(List::stream)
                .anyMatch(tensor -> settings.target(tensor.info()) != tensor.info().dtype());
    }

    /// Whether some tensor's bytes are not one run of its file.
    public boolean gathers() {
        return selected.stream().flatMap(List::stream).anyMatch(tensor -> !tensor.part().isContiguous());
    }

    /// Whether all tensors can stay where their files have them.
    public boolean isInPlace() {
        return keepsFileLayout
                && selected.stream().allMatch(ofFile -> Planner.obstacleToInPlace(ofFile, settings) == null);
    }

    /// Checks that each tensor by itself fits.
    ///
    /// @param others how many bytes are needed besides each
    /// @throws BudgetException naming the first that does not
    public void requireEachFits(long budget, long others) {
        for (int t = 0; t < size(); t++) {
            long alone = run(t, t + 1, Long.MAX_VALUE).bytes();
            if (alone > budget - others) {
                throw new BudgetException(tensor(fileOf(t), t).info().name(), alone + others, budget);
            }
        }
    }

    /// What the largest tensor takes by itself.
    ///
    /// Walks over all tensors.
    public long largestBytes() {
        long largest = 0;
        for (int t = 0; t < size(); t++) {
            largest = Math.max(largest, run(t, t + 1, Long.MAX_VALUE).bytes());
        }
        return largest;
    }

    /// The longest run from a tensor on that takes at most so many bytes; the tensor alone if it takes more.
    ///
    /// Walks from `from` on and stops at the first tensor that does not fit, so all runs of a stream together cost
    /// one walk.
    public Run run(int from, long capacity) {
        return run(from, size(), capacity);
    }

    /// @param end where it ends at the latest
    private Run run(int from, int end, long capacity) {
        Measure measure = new Measure();
        int file = fileOf(from);
        int to = from;
        boolean alone = false;
        while (to < end && !alone) {
            while (to >= files[file + 1]) {
                file++;
                measure.nextFile();
            }
            SelectedTensor tensor = tensor(file, to);
            boolean large = size(tensor) >= ownedAlone;
            if (to > from && (large || !measure.fits(tensor, capacity))) {
                break;
            }
            alone = large;
            measure.add(tensor, alone);
            to++;
        }
        return new Run(from, to, measure.deviceBytes(), measure.owned, alone);
    }

    private SelectedTensor tensor(int file, int tensor) {
        return selected.get(file).get(tensor - files[file]);
    }

    private long size(SelectedTensor tensor) {
        return settings.target(tensor.info()) == tensor.info().dtype() ? tensor.part().byteSize()
                : Planner.convertedSize(tensor, settings.target(tensor.info()));
    }

    /// The index of the file that a tensor is in.
    private int fileOf(int tensor) {
        int low = 0;
        int high = headers.size() - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (files[middle] <= tensor) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }

    /// The headers of the files from the one of a run's first tensor to that of its last.
    public List<FileHeader> headers(Run run) {
        return headers.subList(fileOf(run.from), fileOf(run.to - 1) + 1);
    }

    /// The index of the first of them among all files.
    public int firstFile(Run run) {
        return fileOf(run.from);
    }

    /// The plan of a run.
    ///
    /// @param routes one for each of its headers
    public ReadPlan plan(Run run, List<FileTransfer> routes) {
        int first = fileOf(run.from);
        List<Selected> some = new ArrayList<>(routes.size());
        for (int f = first; f < first + routes.size(); f++) {
            some.add(selected.get(f).range(Math.max(run.from, files[f]) - files[f],
                    Math.min(run.to, files[f + 1]) - files[f]));
        }
        return Planner.plan(headers(run), routes, some, settings);
    }

    /// Adds up what a run takes, for whichever of both layouts takes more.
    ///
    /// Adds up as the planner lays out: alignment between tensors, whole pages at the ends of a range. The two must
    /// agree, or a batch would need more than its grant.
    private final class Measure {
        /// What the files before the one at hand take.
        private long before;
        /// What the file at hand takes if its tensors stay where it has them.
        private long inPlace;
        /// What it takes if each has a place of its own.
        private long moved;
        /// Where in the file the last tensor ends, for the gap to the next one.
        private long rangeEnd = Long.MIN_VALUE;
        /// What the copies take in which tensors are handed out.
        private long owned;

        /// Layouts are chosen for each file, so the larger of the two is settled when a file ends.
        void nextFile() {
            before += Math.max(inPlace, moved);
            inPlace = 0;
            moved = 0;
            rangeEnd = Long.MIN_VALUE;
        }

        long deviceBytes() {
            return before + Math.max(inPlace, moved);
        }

        /// Whether the run still takes no more with one tensor more.
        boolean fits(SelectedTensor tensor, long capacity) {
            long more = keepsFileLayout ? inPlaceWith(tensor) : 0;
            return before + Math.max(more, movedWith(tensor)) + owned + copied(tensor) <= capacity;
        }

        /// @param alone whether it is handed out with its buffer, so that no copy is made
        void add(SelectedTensor tensor, boolean alone) {
            if (keepsFileLayout) {
                inPlace = inPlaceWith(tensor);
            }
            moved = movedWith(tensor);
            if (!tensor.isEmpty()) {
                rangeEnd = tensor.end();
            }
            owned += alone ? 0 : copied(tensor);
        }

        /// 0 in a stream whose tensors are not owned.
        private long copied(SelectedTensor tensor) {
            return ownedAlone == Long.MAX_VALUE ? 0 : size(tensor);
        }

        /// What the file takes with one tensor more if each has an aligned place.
        private long movedWith(SelectedTensor tensor) {
            return tensor.isEmpty() ? moved : Pages.alignUp(moved, settings.movedAlignment()) + size(tensor);
        }

        /// Whole pages at both ends of a range.
        private long inPlaceWith(SelectedTensor tensor) {
            if (tensor.isEmpty() || !tensor.part().isContiguous()) {
                return inPlace;
            }
            boolean joins = rangeEnd != Long.MIN_VALUE && tensor.start() - rangeEnd <= Planner.GAP_LIMIT;
            return inPlace + Pages.ceil(tensor.end()) - (joins ? Pages.ceil(rangeEnd) : Pages.floor(tensor.start()));
        }
    }
}
