package io.fastsafetensors.core.plan;

import io.fastsafetensors.core.plan.PlannedFile.Landing;

/// The transfer path of a file's blocks.
///
/// @param landing the path
/// @param why the reason, for people
public record Route(Landing landing, String why) {
}
