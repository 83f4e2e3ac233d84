package io.fastsafetensors.api;

/// How the ranks of a group share the reading.
public enum Distribution {
    /// The planner picks by sizes, link and storage, and says why.
    AUTO,
    /// A rank reads whole files and broadcasts or scatters their tensors.
    OWNER,
    /// Each rank reads an equal part of every block; all-gather puts them together.
    STRIPED,
    /// Each rank reads only the ranges of its own shards; no communication.
    LOCAL
}
