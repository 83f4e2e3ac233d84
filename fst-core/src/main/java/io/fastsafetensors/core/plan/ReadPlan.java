package io.fastsafetensors.core.plan;

import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.core.digest.Fingerprint;
import io.fastsafetensors.core.plan.PlannedTensors.PlannedTensor;
import io.fastsafetensors.error.BudgetException;
import java.util.List;
import java.util.Optional;

/// The plan of a load: files, the addresses of their tensors, and the blocks in reading order. Immutable.
///
/// How many readers a load has and how many slots they use is decided later, by
/// [io.fastsafetensors.core.transfer.Readers], and so is no part of what ranks compare.
public final class ReadPlan implements LoadPlan {
    /// Of so many files the first block is read before all others: a shard often begins with a tensor of gigabytes, and
    /// a caller waits for the first one that is complete.
    private static final int FIRST_OF_FILES = 16;

    private final List<PlannedFile> files;
    private final BlockTable blocks;
    private final PlanSettings settings;
    /// The order of the reads: that of the blocks, but for the first ones of the first files.
    private final int[] order;
    /// How ranks share the load, once that is known; for printing the plan.
    private final Optional<Sharing> sharing;

    ReadPlan(List<PlannedFile> files, BlockTable blocks, PlanSettings settings) {
        this.files = List.copyOf(files);
        this.blocks = blocks;
        this.settings = settings;
        this.order = blocks.order(FIRST_OF_FILES);
        this.sharing = Optional.empty();
    }

    private ReadPlan(ReadPlan plan, Sharing sharing) {
        this.files = plan.files;
        this.blocks = plan.blocks;
        this.settings = plan.settings;
        this.order = plan.order;
        this.sharing = Optional.of(sharing);
    }

    /// The same plan, known to be shared like this.
    public ReadPlan shared(Sharing how) {
        return new ReadPlan(this, how);
    }

    /// The files with their tensors.
    public List<PlannedFile> planned() {
        return files;
    }

    /// The blocks.
    public BlockTable blocks() {
        return blocks;
    }

    /// Where the blocks go, worked out now: only a load whose blocks are exchanged wants to know.
    ///
    /// Costs a pass over all blocks and their tensors.
    public Targets targets() {
        return new Targets(this);
    }

    /// The blocks in the order in which one rank alone reads them.
    public int[] order() {
        return order.clone();
    }

    /// The first block of a file; that of the next file that has any if it has none itself.
    public int firstBlock(int file) {
        return blocks.firstOf(file);
    }

    /// What the plan was made with.
    public PlanSettings settings() {
        return settings;
    }

    /// Bytes of a slot that can take any block that needs one, both ends widened to whole pages.
    public long slotBytes() {
        return settings.slotBytes();
    }

    /// Whether some blocks need a slot.
    public boolean needsSlots() {
        for (PlannedFile file : files) {
            if (file.needsSlots()) {
                return true;
            }
        }
        return false;
    }

    /// Whether the blocks of some file take this path.
    public boolean uses(PlannedFile.PlannedPath path) {
        for (PlannedFile file : files) {
            if (file.path() == path && file.bytesToRead() > 0) {
                return true;
            }
        }
        return false;
    }

    /// Whether all blocks take this path, and there are some.
    public boolean usesOnly(PlannedFile.PlannedPath path) {
        return blocks.size() > 0 && files.stream().allMatch(f -> f.path() == path || f.bytesToRead() == 0);
    }

    /// Whether some tensor changes its dtype on the way.
    public boolean converts() {
        for (PlannedFile file : files) {
            if (file.converts()) {
                return true;
            }
        }
        return false;
    }

    /// Whether some tensor's bytes are not one run of its file.
    public boolean gathers() {
        return files.stream().anyMatch(PlannedFile::gathers);
    }

    /// Whether some tensor's bytes are not one run of a file that takes this path.
    public boolean gathers(PlannedFile.PlannedPath path) {
        for (PlannedFile file : files) {
            if (file.path() == path && file.gathers()) {
                return true;
            }
        }
        return false;
    }

    /// Fails unless the buffers fit.
    ///
    /// Mapped files take no device memory and are skipped. Buffers are counted in the order of the files, so the
    /// tensor named is the first that would not have fitted.
    ///
    /// @param transientBytes device memory that the load needs besides, while it runs
    /// @throws BudgetException naming the first tensor that does not
    public void requireDeviceBudget(long budget, long transientBytes) {
        long needed = deviceBytes() + transientBytes;
        if (needed <= budget) {
            return;
        }
        long before = transientBytes;
        for (PlannedFile file : files) {
            if (file.isMappedInPlace()) {
                continue;
            }
            for (PlannedTensor tensor : file.tensors()) {
                if (before + tensor.bufferOffset() + tensor.byteSize() > budget) {
                    throw new BudgetException(tensor.info().name(), needed, budget);
                }
            }
            before += file.bufferBytes();
        }
        throw new BudgetException("(padding)", needed, budget);
    }

    @Override
    public long bytesToRead() {
        long bytes = 0;
        for (PlannedFile file : files) {
            bytes += file.bytesToRead();
        }
        return bytes;
    }

    @Override
    public long deviceBytes() {
        long bytes = 0;
        for (PlannedFile file : files) {
            bytes += file.bufferBytes();
        }
        return bytes;
    }

    /// The bytes that stay where the page cache has them, in mappings of their files.
    public long mappedBytes() {
        return files.stream().filter(PlannedFile::isMappedInPlace).mapToLong(PlannedFile::bytesToRead).sum();
    }

    @Override
    public long stagingBytes() {
        return needsSlots() ? slotBytes() : 0;
    }

    @Override
    public List<FilePlan> files() {
        return files.stream().map(f -> new FilePlan(f.location().toString(), f.tensors().size(), f.ranges(),
                f.bytesToRead(), f.bufferBytes(), f.path() + ": " + f.why())).toList();
    }

    @Override
    public Optional<Sharing> sharing() {
        return sharing;
    }

    /// Of names rather than whole locations: ranks may have the checkpoint in different directories. Neither the
    /// paths that files take nor the blocks are part of it; ranks that exchange blocks compare these by
    /// [io.fastsafetensors.core.distribute.LoadFingerprint].
    @Override
    public String digest() {
        Fingerprint of = new Fingerprint().add(settings.toString()).add(blocks.size());
        for (PlannedFile file : files) {
            of.add(file.location().name()).add(file.fileLength()).add(file.bufferBytes());
            for (PlannedTensor t : file.tensors()) {
                of.add(t.info()).add(t.dtype().name()).add(t.bufferOffset()).add(t.part().dim()).add(t.part().rows())
                        .add(t.part().rowBytes()).add(t.part().runStart()).add(t.part().runBytes());
            }
        }
        return of.hex();
    }

    @Override
    public String describe() {
        StringBuilder text = new StringBuilder();
        sharing.ifPresent(s -> text.append("rank ").append(s.rank()).append(" of ").append(s.ranks()).append(", ")
                .append(s.distribution()).append(" since ").append(s.why()).append("; memory: ").append(s.memory())
                .append('\n'));
        text.append(files.size()).append(" files, ").append(blocks.size()).append(" blocks of up to ")
                .append(largestBlock()).append(" bytes, ").append(bytesToRead()).append(" bytes to read, ")
                .append(deviceBytes()).append(" device bytes\n");
        for (PlannedFile file : files) {
            text.append(file.location()).append(": ").append(file.tensors().size()).append(" tensors, ")
                    .append(file.ranges()).append(" ranges, ").append(file.bytesToRead()).append(" bytes ")
                    .append(file.isMappedInPlace() ? "of a mapping" : "into a buffer of " + file.bufferBytes())
                    .append(", ").append(file.path()).append(" since ").append(file.why())
                    .append('\n');
        }
        return text.toString();
    }

    /// Bytes of the largest block, which may be larger than the settings say where no slot has to hold it as it is.
    private long largestBlock() {
        long largest = 0;
        for (int b = 0; b < blocks.size(); b++) {
            largest = Math.max(largest, blocks.end(b) - blocks.start(b));
        }
        return largest;
    }

    @Override
    public String toString() {
        return describe();
    }

    /// The target of each block of a plan: one range of its file's buffer, no two overlapping. Padding between tensors may
    /// be inside.
    ///
    /// Blocks of a file that is placed are ranges too, because tensors keep the order of the file: a block ends where
    /// the next one begins, or before padding.
    public static final class Targets {
        private final long[] start;
        private final long[] end;

        private Targets(ReadPlan plan) {
            BlockTable blocks = plan.blocks();
            start = new long[blocks.size()];
            end = new long[blocks.size()];
            int tensor = 0;
            for (int b = 0; b < start.length; b++) {
                tensor = b > 0 && blocks.file(b) == blocks.file(b - 1) ? tensor : 0;
                if (blocks.target(b) != BlockTable.MOVED) {
                    start[b] = blocks.target(b) + blocks.start(b) - Pages.floor(blocks.start(b));
                    end[b] = start[b] + blocks.end(b) - blocks.start(b);
                } else {
                    tensor = cover(b, blocks.start(b), blocks.end(b), plan.planned().get(blocks.file(b)).tensors(),
                            tensor);
                }
            }
        }

        /// @param from the first tensor that may have bytes in the block
        /// @return the first one that may have bytes in the next block
        private int cover(int block, long first, long last, PlannedTensors tensors, int from) {
            int at = from;
            while (at < tensors.size() && tensors.fileEnd(at) <= first) {
                at++;
            }
            boolean found = false;
            for (int t = at; t < tensors.size() && tensors.fileStart(t) < last; t++) {
                PlannedTensor tensor = tensors.get(t);
                if (tensor.byteSize() > 0 && tensor.fileEnd() > first) {
                    start[block] = found ? start[block] : tensor.targetOf(Math.max(first, tensor.fileStart()));
                    end[block] = tensor.targetOf(Math.min(last, tensor.fileEnd()));
                    found = true;
                }
            }
            return at;
        }

        /// The first byte in the buffer.
        public long start(int block) {
            return start[block];
        }

        /// The range of the buffer that blocks fill which follow one another, padding between their tensors included.
        ///
        /// @param from the first block
        /// @param to the block after the last one, of the same file
        /// @return the first byte and the one after the last; equal if nothing in them is wanted
        public long[] range(int from, int to) {
            int first = from;
            while (first < to && bytes(first) == 0) {
                first++;
            }
            int last = to - 1;
            while (last > first && bytes(last) == 0) {
                last--;
            }
            return first >= to ? new long[] {0, 0} : new long[] {start[first], end[last]};
        }

        /// How many bytes, 0 for a block that holds nothing that is wanted.
        public long bytes(int block) {
            return end[block] - start[block];
        }
    }
}
