package io.fastsafetensors.api;

/// The way bytes take into the device.
public enum TransferPath {
    /// The fastest one that works for each file.
    AUTO,
    /// Through page-locked slots.
    STAGED,
    /// From a registered mapping of the file, which can stay registered for the next load.
    MAPPED,
    /// Direct storage.
    DIRECT
}
