package io.fastsafetensors.api;

import java.util.List;
import java.util.Objects;

/// The choice of a backend, with the reason for it.
///
/// @param name the backend that serves the device
/// @param reason one sentence
/// @param rejected the others, each with its reason
public record BackendChoice(String name, String reason, List<Rejected> rejected) {
    /// Copies the list.
    public BackendChoice {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(reason, "reason");
        Objects.requireNonNull(rejected, "rejected");
        rejected = List.copyOf(rejected);
    }

    /// A backend that was not picked.
    ///
    /// @param name its name
    /// @param reason why not
    public record Rejected(String name, String reason) {
    }
}
