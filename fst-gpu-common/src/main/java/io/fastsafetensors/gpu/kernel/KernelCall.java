package io.fastsafetensors.gpu.kernel;

/// One launch of one function of [KernelSource]. Immutable.
///
/// The function's arguments are, in this order: the source's pointer (or `cl_mem`), [#sourceOffset()] as an unsigned
/// 64-bit integer, the target's pointer, [#targetOffset()] likewise, and [#parameters()] as a structure by value. The
/// geometry is one-dimensional. Every function loops over its work, so other geometries give the same bytes; only
/// groups × group size stays below 2^28.
public final class KernelCall {
    private final String function;
    private final int groups;
    private final long sourceOffset;
    private final long targetOffset;
    private final byte[] parameters;

    KernelCall(String function, int groups, long sourceOffset, long targetOffset, byte[] parameters) {
        this.function = function;
        this.groups = groups;
        this.sourceOffset = sourceOffset;
        this.targetOffset = targetOffset;
        this.parameters = parameters;
    }

    /// The function's name, one of [KernelPlan#functions()].
    public String function() {
        return function;
    }

    /// How many groups of work items (blocks of threads) to launch; at least 1.
    public int groups() {
        return groups;
    }

    /// Work items in a group (threads in a block).
    public int groupSize() {
        return Launch.GROUP_SIZE;
    }

    /// Where the source begins, in bytes from the start of its buffer.
    public long sourceOffset() {
        return sourceOffset;
    }

    /// Where the target begins, in bytes from the start of its buffer.
    public long targetOffset() {
        return targetOffset;
    }

    /// The bytes of `struct fst_launch`, little-endian; always the same number. A copy.
    public byte[] parameters() {
        return parameters.clone();
    }

    /// Function and geometry.
    @Override
    public String toString() {
        return function + " on " + groups + " × " + groupSize();
    }
}
