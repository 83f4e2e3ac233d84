package io.fastsafetensors.api;

/// The way bytes take into the device.
public enum TransferPath {
    /// The fastest one that works for each file.
    AUTO,
    /// Through page-locked slots.
    STAGED,
    /// By a mapping of the file. A device of its own copies from it, and the mapping can stay registered for the next load. On the
    /// CPU the mapping is the memory of the tensors: nothing is copied, tensors are read-only, and a file that is cut
    /// afterwards is an error for Java and ends the process for native code. Files that cannot be mapped, or whose tensors must
    /// change, take another path; the plan says why.
    MAPPED,
    /// Direct storage.
    DIRECT
}
