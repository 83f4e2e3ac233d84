package io.fastsafetensors.testkit.leak;

import io.fastsafetensors.testkit.fault.OpenObjects;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/// Fails a test that leaves something open. Use as `@ExtendWith(LeakExtension.class)`, or configured:
///
/// ```java
/// @RegisterExtension
/// LeakExtension leaks = LeakExtension.strict().counting(faulty.objects());
/// ```
///
/// Compared before and after each test (and its own `@BeforeEach` and `@AfterEach` methods):
///
/// * descriptors of regular files: none more, by path;
/// * live threads named `fst-…`: none more;
/// * mappings of regular files: none more, by path;
/// * anonymous writable memory outside the Java heap: grows by at most 64 MiB, since the virtual machine compiles,
///   starts threads and collects as it likes;
/// * counted backend objects: none open.
///
/// Before it complains it waits up to the patience (10 s) for what ends by itself, and collects garbage, so that memory
/// that a cleaner frees is no leak. Not for tests that run in parallel with others in one process.
public final class LeakExtension implements BeforeEachCallback, AfterEachCallback {
    private static final ExtensionContext.Namespace NAMESPACE = ExtensionContext.Namespace.create(LeakExtension.class);
    private static final Duration STEP = Duration.ofMillis(20);

    private final String threadPrefix;
    private final long memoryTolerance;
    private final Duration patience;
    private final Optional<Supplier<OpenObjects>> objects;

    /// The defaults, for `@ExtendWith`.
    public LeakExtension() {
        this("fst-", 64L << 20, Duration.ofSeconds(10), Optional.empty());
    }

    private LeakExtension(String threadPrefix, long memoryTolerance, Duration patience,
            Optional<Supplier<OpenObjects>> objects) {
        this.threadPrefix = threadPrefix;
        this.memoryTolerance = memoryTolerance;
        this.patience = patience;
        this.objects = objects;
    }

    /// The defaults.
    public static LeakExtension strict() {
        return new LeakExtension();
    }

    /// As this one, for threads whose names start with `prefix`.
    public LeakExtension threads(String prefix) {
        return new LeakExtension(prefix, memoryTolerance, patience, objects);
    }

    /// As this one, with another tolerance for anonymous memory; [Long#MAX_VALUE] does not look at it.
    public LeakExtension memoryTolerance(long bytes) {
        return new LeakExtension(threadPrefix, bytes, patience, objects);
    }

    /// As this one, waiting so long for what ends by itself.
    public LeakExtension patience(Duration longest) {
        return new LeakExtension(threadPrefix, memoryTolerance, longest, objects);
    }

    /// As this one; the counted objects are looked at after each test.
    public LeakExtension counting(OpenObjects counted) {
        return counting(() -> counted);
    }

    /// As this one; the supplier is asked after each test, for objects that a test sets up.
    public LeakExtension counting(Supplier<OpenObjects> counted) {
        return new LeakExtension(threadPrefix, memoryTolerance, patience, Optional.of(counted));
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        context.getStore(NAMESPACE).put(context.getUniqueId(), ProcessSnapshot.take(threadPrefix));
    }

    @Override
    public void afterEach(ExtensionContext context) {
        ProcessSnapshot before = context.getStore(NAMESPACE).remove(context.getUniqueId(), ProcessSnapshot.class);
        List<String> leaks = before == null ? List.of() : leaksSince(before);
        if (!leaks.isEmpty()) {
            throw new AssertionError("the test left something behind:\n" + String.join("\n", leaks));
        }
    }

    /// What there is now and was not before, in words; empty if nothing. Waits up to the patience for that.
    ///
    /// @param before the process before the work that is checked
    public List<String> leaksSince(ProcessSnapshot before) {
        long end = System.nanoTime() + patience.toNanos();
        List<String> leaks = look(before);
        while (!leaks.isEmpty() && System.nanoTime() < end) {
            System.gc();
            LockSupport.parkNanos(STEP.toNanos());
            leaks = look(before);
        }
        return leaks;
    }

    private List<String> look(ProcessSnapshot before) {
        ProcessSnapshot now = ProcessSnapshot.take(threadPrefix);
        List<String> leaks = new ArrayList<>();
        compare("open file", before.files(), now.files(), leaks);
        compare("thread", before.threads(), now.threads(), leaks);
        compare("mapping of", before.mappings(), now.mappings(), leaks);
        long grown = now.anonymousBytes() - before.anonymousBytes();
        if (grown > memoryTolerance) {
            leaks.add("anonymous memory grew by " + grown + " bytes; " + memoryTolerance + " are tolerated");
        }
        objects.map(Supplier::get).filter(o -> o.total() > 0).ifPresent(o -> leaks.add(o.describe()));
        return leaks;
    }

    private static void compare(String what, Map<String, Integer> before, Map<String, Integer> now,
            List<String> leaks) {
        now.forEach((name, count) -> {
            int more = count - before.getOrDefault(name, 0);
            if (more > 0) {
                leaks.add(what + " " + name + (more > 1 ? " (" + more + " times)" : ""));
            }
        });
    }
}
