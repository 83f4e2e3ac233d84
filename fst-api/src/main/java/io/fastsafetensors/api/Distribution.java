package io.fastsafetensors.api;

/// The ways in which the ranks of a group share the reading; docs/ranks.md compares their costs and needs.
public enum Distribution {
    /// Picked by what is loaded and by what the group can move, the same on every rank: [#OWNER] if the files were given
    /// to ranks, [#LOCAL] if there is a shard specification or the group cannot move some rank's memory, else
    /// [#STRIPED]. The plan says which and why.
    AUTO,
    /// A rank reads whole files and broadcasts or scatters their tensors when all ranks ask. Every call that hands out
    /// tensors, and [Weights#awaitAll()], is collective. Each tensor is handed out once; a file's memory goes back after
    /// the last of its tensors.
    OWNER,
    /// Each rank reads its share of the blocks, and all get all blocks while the load runs. Every rank then has every
    /// tensor: calls are local.
    STRIPED,
    /// Each rank reads just what it is to have: its parts of the tensors that the shard specification cuts, and all of the
    /// others. There is no communication after the load has begun: calls are local.
    LOCAL
}
