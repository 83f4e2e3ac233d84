package io.fastsafetensors.testkit;

import java.util.Locale;

/// The thoroughness of a conformance run. The system property `fst.testkit.effort` sets it: `quick` or `full`.
public enum Effort {
    /// Every rule with samples: for slow devices, and while working on a backend.
    QUICK,
    /// Every rule with all its patterns, and allocations over 2 GiB: what a release needs.
    FULL;

    /// What the system property says; [#FULL] if it says nothing.
    ///
    /// @throws IllegalArgumentException if it says something else
    public static Effort configured() {
        return valueOf(System.getProperty("fst.testkit.effort", "full").toUpperCase(Locale.ROOT));
    }
}
