package io.fastsafetensors.core.deliver;

import io.fastsafetensors.core.transfer.BlockListener;
import io.fastsafetensors.core.plan.PlannedTensor;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.digest.Sha256;
import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Predicate;

/// Digests tensors out of the blocks of one reader, file by file in the order of the bytes.
final class ReadDigests implements BlockListener {
    private final ReadPlan plan;
    private final List<List<PlannedTensor>> wanted;
    private final BiConsumer<PlannedTensor, String> done;
    // One of each for a file: the first block of every file comes before all others.
    private final int[] next;
    private final MessageDigest[] digests;

    /// @param isWanted which tensors; none of them empty
    /// @param done told each one's digest when its last byte was read
    ReadDigests(ReadPlan plan, Predicate<PlannedTensor> isWanted, BiConsumer<PlannedTensor, String> done) {
        this.plan = plan;
        this.wanted = plan.planned().stream().map(file -> file.tensors().stream().filter(isWanted).toList()).toList();
        this.done = done;
        this.next = new int[wanted.size()];
        this.digests = new MessageDigest[wanted.size()];
        Arrays.setAll(digests, _ -> Sha256.create());
    }

    @Override
    public void read(int block, MemorySegment memory, long base) {
        int file = plan.blocks().file(block);
        long start = plan.blocks().start(block);
        long end = plan.blocks().end(block);
        List<PlannedTensor> tensors = wanted.get(file);
        while (next[file] < tensors.size()) {
            PlannedTensor tensor = tensors.get(next[file]);
            long from = Math.max(start, tensor.info().fileOffset());
            long to = Math.min(end, tensor.info().fileEnd());
            if (from >= to) {
                return;
            }
            MessageDigest digest = digests[file];
            digest.update(memory.asSlice(from - base, to - from).asByteBuffer());
            if (to < tensor.info().fileEnd()) {
                return;
            }
            done.accept(tensor, Sha256.hex(digest));
            next[file]++;
        }
    }
}
