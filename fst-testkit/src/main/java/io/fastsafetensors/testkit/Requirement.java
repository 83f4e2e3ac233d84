package io.fastsafetensors.testkit;

import io.fastsafetensors.api.LoaderProvider;
import io.fastsafetensors.error.UnsupportedFeatureException;
import java.util.Arrays;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;

/// The switch that keeps a green run from hiding that nothing ran: backends named in the system property
/// `fst.testkit.require` (names separated by commas, or `all`) fail where others are skipped. The message has the form
/// `missing prerequisite: backend NAME (hardware or driver): REASON`.
public final class Requirement {
    static final String PROPERTY = "fst.testkit.require";

    private Requirement() {
    }

    static boolean isRequired(String provider) {
        return Arrays.stream(System.getProperty(PROPERTY, "").split(",", -1)).map(String::strip)
                .anyMatch(name -> name.equals(provider) || name.equals("all"));
    }

    /// Ends a test for which the hardware is missing: failed if the provider is required, else aborted. Never returns;
    /// `throw` before the call tells the compiler.
    ///
    /// @param provider the backend's name
    /// @param reason what its probe said
    public static RuntimeException unavailable(String provider, String reason) {
        return unavailable("backend", provider, reason);
    }

    /// @param what what the provider provides
    static RuntimeException unavailable(String what, String provider, String reason) {
        String text = "missing prerequisite: " + what + " " + provider + " (hardware or driver): " + reason;
        if (isRequired(provider)) {
            return Assertions.fail(text + "; -D" + PROPERTY + " asks for it");
        }
        return Assumptions.abort(text);
    }

    /// Ends a test as aborted where fst-core is not on the path.
    static void loader() {
        try {
            LoaderProvider.instance();
        } catch (UnsupportedFeatureException e) {
            Assumptions.abort("no loader here: " + e.getMessage());
        }
    }
}
