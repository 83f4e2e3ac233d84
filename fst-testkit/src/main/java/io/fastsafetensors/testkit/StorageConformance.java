package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/// The rules for every storage, as tests. The integration of a storage:
///
/// ```java
/// class AcmeStorageConformanceTest extends StorageConformance {
///     @Override
///     protected StorageProvider provider() {
///         return new AcmeStorageProvider();
///     }
///
///     @Override
///     protected StorageFixture fixture() {
///         return new AcmeFixture(); // writes and deletes files of the storage
///     }
/// }
/// ```
///
/// Each rule has an id, also in its method's name; RULES.md lists them all, with what to look at if one fails. A rule that
/// needs what the fixture does not offer is aborted with the reason. A failure prints the seed that repeats its random
/// numbers (`fst.seed`); `fst.testkit.effort=quick` takes samples only.
///
/// The tests need native memory of some MiB and no native access. They count the process's descriptors and threads, so
/// nothing else should run in the same JVM at the same time.
@Timeout(value = 5, unit = TimeUnit.MINUTES)
@ExtendWith(RuleReport.class)
public abstract class StorageConformance {
    /// For subclasses.
    protected StorageConformance() {
    }

    /// The provider under test. Called for each rule; a new one each time is welcome.
    protected abstract StorageProvider provider();

    /// A place for the files of one rule, where nothing is yet. The suite closes it.
    protected abstract StorageFixture fixture() throws Exception;

    /// The properties that the storage needs here, such as an endpoint.
    protected Map<String, String> properties() {
        return Map.of();
    }

    /// Why the storage cannot be tested here; empty if it can. Aborts every rule, unless the system property
    /// `fst.testkit.require` has one of the provider's schemes: then it is a failure.
    protected Optional<String> obstacle() {
        return Optional.empty();
    }

    /// How much to try; what the system property `fst.testkit.effort` says unless overridden.
    protected Effort effort() {
        return Effort.configured();
    }

    final StorageOptions options() {
        return properties().isEmpty() ? StorageOptions.none() : StorageOptions.of(properties());
    }

    @Nested
    @DisplayName("S: schemes and locations")
    final class Places extends PlaceRules {
        Places() {
            super(StorageConformance.this);
        }
    }

    @Nested
    @DisplayName("B: bytes of a file")
    final class Bytes extends ByteRules {
        Bytes() {
            super(StorageConformance.this);
        }
    }

    @Nested
    @DisplayName("V: versions of a file")
    final class Versions extends VersionRules {
        Versions() {
            super(StorageConformance.this);
        }
    }

    @Nested
    @DisplayName("H: open files and threads")
    final class OpenFiles extends OpenFileRules {
        OpenFiles() {
            super(StorageConformance.this);
        }
    }

    @Nested
    @DisplayName("X: failures and secrets")
    final class Failures extends StorageFailureRules {
        Failures() {
            super(StorageConformance.this);
        }
    }

    @Nested
    @DisplayName("Y: abilities of a file")
    final class Abilities extends AbilityRules {
        Abilities() {
            super(StorageConformance.this);
        }
    }
}
