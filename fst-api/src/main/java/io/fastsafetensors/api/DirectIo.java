package io.fastsafetensors.api;

/// Selects whether reads bypass the page cache.
public enum DirectIo {
    /// Per block: what the page cache holds is copied from it, the rest is read directly where the storage allows.
    AUTO,
    /// Directly, even what is cached; buffered where the storage refuses, with the reason in the statistics.
    ALWAYS,
    /// Through the page cache only.
    NEVER
}
