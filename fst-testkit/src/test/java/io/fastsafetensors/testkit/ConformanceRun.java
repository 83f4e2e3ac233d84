package io.fastsafetensors.testkit;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectNestedClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectNestedMethod;

import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.host.HostProvider;
import java.lang.reflect.Method;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DisplayName;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestDescriptor;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.testkit.engine.EngineExecutionResults;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Event;

/// A conformance suite, run inside a test on any provider.
final class ConformanceRun {
    private static final Pattern RULE = Pattern.compile("([A-Z]-\\d\\d) .*");

    private static Optional<BackendProvider> subject = Optional.empty();
    private static Effort effort = Effort.QUICK;

    private static Optional<StorageProvider> storage = Optional.empty();
    private static Optional<Supplier<StorageFixture>> fixtures = Optional.empty();

    private final EngineExecutionResults results;

    private ConformanceRun(EngineExecutionResults results) {
        this.results = results;
    }

    /// The class that the inner engine runs.
    static class Subject extends BackendConformance {
        @Override
        protected BackendProvider provider() {
            return subject.orElseThrow();
        }

        @Override
        protected Effort effort() {
            return effort;
        }

        @Override
        protected Optional<String> withoutLoader() {
            return loads ? Optional.empty() : Optional.of("no loader");
        }

        @Override
        protected Optional<FailureHook> failures() {
            return failures;
        }
    }

    /// Whether the rules about files are run.
    private static boolean loads;

    /// What provokes failures of the subject.
    private static Optional<FailureHook> failures = Optional.empty();

    /// The class that the inner engine runs on storages.
    static class StorageSubject extends StorageConformance {
        @Override
        protected StorageProvider provider() {
            return storage.orElseThrow();
        }

        @Override
        protected StorageFixture fixture() {
            return fixtures.orElseThrow().get();
        }

        @Override
        protected Effort effort() {
            return Effort.QUICK;
        }
    }

    private static Optional<ProcessGroupProvider> transport = Optional.empty();

    /// The class that the inner engine runs on transports, on memory of the host.
    static class RankSubject extends ProcessGroupConformance {
        @Override
        protected List<ProcessGroup> groups(int size, Duration timeout) {
            return transport.orElseThrow().local(Collections.nCopies(size, HostProvider.DEVICE), timeout);
        }

        @Override
        protected Backend open(int rank) {
            return new FaultyBackendProvider(HostProvider.copying(), FaultPlan.seeded(Seed.value()).deferred()
                    .delay(Operation.COPY_TO_DEVICE, Duration.ofMillis(1))).open(HostProvider.DEVICE,
                            BackendOptions.defaults());
        }

        @Override
        protected String transport() {
            return "post";
        }

        @Override
        protected Optional<ProcessGroupProvider> provider() {
            return transport;
        }

        @Override
        protected Optional<Bootstrap> alone(Duration timeout) {
            return Optional.of(new Bootstrap(0, 2, 0, HostProvider.DEVICE, timeout, Map.of()));
        }
    }

    /// Some rules of ranks, by their ids.
    static synchronized ConformanceRun ofRankRules(ProcessGroupProvider provider, Collection<String> ids) {
        transport = Optional.of(provider);
        return run(ids.stream().map(Rules::method).map(method -> selectNestedMethod(List.of(RankSubject.class),
                ProcessGroupConformance.Ranks.class, method.getName())).toArray(DiscoverySelector[]::new));
    }

    /// Every rule.
    static ConformanceRun of(BackendProvider provider, Effort wanted) {
        return run(provider, wanted, selectClass(Subject.class));
    }

    /// Some rules alone, by their ids; failures of the device are provoked by the hook.
    static synchronized ConformanceRun ofRules(BackendProvider provider, Effort wanted, Optional<FailureHook> hook,
            Collection<String> ids) {
        failures = hook;
        try {
            return run(provider, wanted, ids.stream().map(ConformanceRun::method).toArray(DiscoverySelector[]::new));
        } finally {
            failures = Optional.empty();
        }
    }

    private static DiscoverySelector method(String id) {
        Method method = Rules.method(id);
        Class<?> group =
                Rules.groups().stream().filter(c -> c.getSuperclass() == method.getDeclaringClass()).findFirst()
                        .orElseThrow();
        return selectNestedMethod(List.of(Subject.class), group, method.getName(),
                Arrays.stream(method.getParameterTypes()).map(Class::getName).collect(Collectors.joining(",")));
    }

    /// The rules about files alone.
    static synchronized ConformanceRun ofFileRules(BackendProvider provider) {
        loads = true;
        try {
            return run(provider, Effort.QUICK,
                    selectNestedClass(List.of(Subject.class), BackendConformance.Loading.class));
        } finally {
            loads = false;
        }
    }

    /// Every rule of storages.
    static ConformanceRun ofStorage(StorageProvider provider, Supplier<StorageFixture> fixture) {
        return run(provider, fixture, selectClass(StorageSubject.class));
    }

    /// The rules of storages that are in one rule's group.
    static ConformanceRun ofStorageGroup(StorageProvider provider, Supplier<StorageFixture> fixture, String rule) {
        Class<?> group = Rules.groups().stream().filter(c -> c.isAnnotationPresent(DisplayName.class))
                .filter(c -> c.getAnnotation(DisplayName.class).value().startsWith(rule.charAt(0) + ":")).findFirst()
                .orElseThrow();
        return run(provider, fixture, selectNestedClass(List.of(StorageSubject.class), group));
    }

    private static synchronized ConformanceRun run(StorageProvider provider, Supplier<StorageFixture> fixture,
            DiscoverySelector selector) {
        storage = Optional.of(provider);
        fixtures = Optional.of(fixture);
        return run(selector);
    }

    private static synchronized ConformanceRun run(BackendProvider provider, Effort wanted,
            DiscoverySelector... selectors) {
        subject = Optional.of(provider);
        effort = wanted;
        return run(selectors);
    }

    private static ConformanceRun run(DiscoverySelector... selectors) {
        return new ConformanceRun(EngineTestKit.engine("junit-jupiter").selectors(selectors).execute());
    }

    /// The rules that failed; a failure outside every rule shows as its name.
    Set<String> failedRules() {
        return rules(TestExecutionResult.Status.FAILED);
    }

    /// The rules of which something was aborted.
    Set<String> abortedRules() {
        return rules(TestExecutionResult.Status.ABORTED);
    }

    /// The rules of which something passed.
    Set<String> passedRules() {
        return results.testEvents().succeeded().stream().map(ConformanceRun::rule)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /// How many tests were started.
    long started() {
        return results.testEvents().started().count();
    }

    /// What failed and aborted tests said, each once.
    List<String> messages() {
        return results.allEvents().finished().stream().map(e -> e.getRequiredPayload(TestExecutionResult.class))
                .flatMap(r -> r.getThrowable().stream()).map(t -> String.valueOf(t.getMessage())).distinct().toList();
    }

    private Set<String> rules(TestExecutionResult.Status status) {
        return results.allEvents().finished().stream()
                .filter(e -> e.getRequiredPayload(TestExecutionResult.class).getStatus() == status)
                .map(ConformanceRun::rule).collect(Collectors.toCollection(TreeSet::new));
    }

    private static String rule(Event event) {
        Optional<TestDescriptor> descriptor = Optional.of(event.getTestDescriptor());
        while (descriptor.isPresent()) {
            Matcher matcher = RULE.matcher(descriptor.get().getDisplayName());
            if (matcher.matches()) {
                return matcher.group(1);
            }
            descriptor = descriptor.get().getParent();
        }
        return event.getTestDescriptor().getDisplayName();
    }
}
