package io.fastsafetensors.core.plan;

import io.fastsafetensors.core.plan.PlannedFile.Landing;

/// The transfer path of a file's blocks.
///
/// @param landing the path
/// @param why the reason, for people
/// @param readBytes bytes of one read as the file's storage prefers it, where no slot bounds them; 0 without a preference
public record Route(Landing landing, String why, int readBytes) {
    /// A route without a preference.
    public Route(Landing landing, String why) {
        this(landing, why, 0);
    }
}
