package io.fastsafetensors.core.plan;

import io.fastsafetensors.core.plan.PlannedFile.Landing;

/// The way that a file's blocks shall take.
///
/// @param landing the way
/// @param why why this one, for people
public record Route(Landing landing, String why) {
}
