package io.fastsafetensors.api;

/// The two structs of DLPack.
public enum DlpackVersion {
    /// `DLManagedTensor`, as taken by older consumers. It knows no floats of less than 16 bits: those are passed as
    /// bytes.
    LEGACY,
    /// `DLManagedTensorVersioned`, written as version 1.1, read as any 1.x.
    VERSIONED
}
