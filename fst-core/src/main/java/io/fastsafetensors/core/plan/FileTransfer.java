package io.fastsafetensors.core.plan;

import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;

/// The transfer path of a file's blocks.
///
/// Decided by [io.fastsafetensors.core.transfer.PathSelector] before tensors are laid out. The planner moves a file
/// that should be in place where its tensors do not lie as they must.
///
/// @param path the path
/// @param why the reason, for people
/// @param readBytes bytes of one block as the file's storage or the path prefers it, where no slot bounds them; 0 without a preference
public record FileTransfer(PlannedPath path, String why, int readBytes) {
    /// A route without a preference.
    public FileTransfer(PlannedPath path, String why) {
        this(path, why, 0);
    }
}
