package io.fastsafetensors.api;

/// The two structs of DLPack.
public enum DlpackVersion {
    /// `DLManagedTensor`, as taken by older consumers.
    LEGACY,
    /// `DLManagedTensorVersioned` (DLPack 1.x).
    VERSIONED
}
