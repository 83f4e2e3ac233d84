package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroups;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Runs the ranks of a local group, each on its own thread.
final class Ranks {
    /// The work of one rank.
    interface Work<T> {
        T run(ProcessGroup group) throws Exception;
    }

    /// The result of one rank.
    record Outcome<T>(Optional<T> value, Optional<Throwable> failure) {
        T get() {
            return value.orElseThrow(() -> new AssertionError(failure.map(Throwable::toString).orElse("no value"),
                    failure.orElse(null)));
        }

        /// The failure, which must be of this type and say this.
        <E extends Throwable> E failedWith(Class<E> type, String... words) {
            Throwable e = failure.orElseThrow(() -> new AssertionError("did not fail: " + value));
            if (!type.isInstance(e)) {
                throw new AssertionError("another failure than " + type.getSimpleName(), e);
            }
            for (String word : words) {
                assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage());
            }
            return type.cast(e);
        }
    }

    private Ranks() {
    }

    /// Runs all ranks, closes their groups, and returns what became of each.
    static <T> List<Outcome<T>> run(int size, Duration timeout, Work<T> work) {
        List<ProcessGroup> groups = ProcessGroups.local(size, timeout);
        List<Outcome<T>> outcomes = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (ProcessGroup group : groups) {
            outcomes.add(null);
            threads.add(Thread.ofPlatform().start(() -> {
                try (group) {
                    outcomes.set(group.rank(), new Outcome<>(Optional.ofNullable(work.run(group)), Optional.empty()));
                } catch (Exception | Error e) {
                    outcomes.set(group.rank(), new Outcome<>(Optional.empty(), Optional.of(e)));
                }
            }));
        }
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
        return outcomes;
    }

    /// Loads in small blocks, so that tensors take many.
    ///
    /// @param device `cpu`, or else the remote one
    static LoaderBuilder builder(String device, ProcessGroup group) {
        return Loader.builder().device(device.equals("cpu") ? Device.CPU : RemoteProvider.DEVICE).group(group)
                .blockBytes(8192);
    }

    /// As [#run], where every rank succeeds.
    static <T> List<T> all(int size, Work<T> work) {
        return run(size, Duration.ofSeconds(60), work).stream().map(Outcome::get).toList();
    }
}
