package io.fastsafetensors.testkit;

import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.Services;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/// The conformance suite of transports between ranks, as tests with ranks that are threads of this JVM. A transport
/// whose ranks are processes runs the same scripts with [io.fastsafetensors.testkit.group.RankProgram].
///
/// Each rule has an id; RULES.md lists them all, with what to look at if one fails.
@Timeout(value = 5, unit = TimeUnit.MINUTES)
@ExtendWith(RuleReport.class)
public abstract class ProcessGroupConformance {
    /// For subclasses.
    protected ProcessGroupConformance() {
    }

    /// All ranks of a new group, in order. Called for each rule and each of [#sizes()].
    protected abstract List<ProcessGroup> groups(int size, Duration timeout) throws Exception;

    /// Opens the device of a rank, whose memory the group moves; the suite closes it.
    protected abstract Backend open(int rank);

    /// The transport's name, for `fst.testkit.require`.
    protected abstract String transport();

    /// The transport's provider; the registered one of the transport's name unless overridden.
    protected Optional<ProcessGroupProvider> provider() {
        return Services.all(ProcessGroupProvider.class, getClass()).stream()
                .flatMap(found -> found.service().stream()).filter(provider -> isNamed(provider, transport()))
                .findFirst();
    }

    /// What others on the path throw is theirs.
    private static boolean isNamed(ProcessGroupProvider provider, String name) {
        try {
            return provider.name().equals(name);
        } catch (RuntimeException | LinkageError _) {
            return false;
        }
    }

    /// Rank 0 of 2 of a group whose other rank never comes, for a transport whose ranks are processes; the rule about it is
    /// skipped where this is empty.
    protected Optional<Bootstrap> alone(Duration timeout) {
        return Optional.empty();
    }

    /// Whether a thread stays when its group has gone, since the transport starts it once in a process.
    protected boolean stays(Thread thread) {
        return false;
    }

    /// Why the transport cannot be tested here; empty if it can. Aborts every rule, unless the system property
    /// `fst.testkit.require` has the transport's name: then it is a failure.
    protected Optional<String> obstacle() {
        return Optional.empty();
    }

    /// With how many ranks to run each rule, the most last.
    protected List<Integer> sizes() {
        return List.of(1, 2, 5);
    }

    @Nested
    @DisplayName("R: ranks")
    final class Ranks extends RankRules {
        Ranks() {
            super(ProcessGroupConformance.this);
        }
    }
}
