package io.fastsafetensors.core.tensor;

import io.fastsafetensors.core.memory.Waits;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/// The same work for many things, as many at a time as there are cores.
///
/// The caller's thread works too, so for one thing, or on one core, no thread is started.
///
/// Threads are started for the call and end with it: it is for work that takes long, where starting them counts for nothing.
public final class ParallelFor {
    private ParallelFor() {
    }

    /// Returns when everything was tried; an interrupt does not end that.
    ///
    /// @param name of the threads
    /// @param work called once for each thing, by several threads; those that come after a failure are worked on all
    ///        the same
    /// @throws RuntimeException the failure of the first of the things that failed, in their order
    public static <T> void run(String name, Collection<T> things, Consumer<T> work) {
        List<T> all = List.copyOf(things);
        AtomicReferenceArray<Throwable> failures = new AtomicReferenceArray<>(all.size());
        AtomicInteger next = new AtomicInteger();
        Runnable worker = () -> {
            for (int i = next.getAndIncrement(); i < all.size(); i = next.getAndIncrement()) {
                try {
                    work.accept(all.get(i));
                } catch (RuntimeException | Error e) {
                    failures.set(i, e);
                }
            }
        };
        int threads = Math.min(all.size(), Runtime.getRuntime().availableProcessors());
        List<Thread> others = IntStream.range(1, threads)
                .mapToObj(_ -> Thread.ofPlatform().daemon().name(name).start(worker)).toList();
        worker.run();
        others.forEach(thread -> Waits.uninterruptibly(thread::join));
        for (int i = 0; i < all.size(); i++) {
            Throwable failure = failures.get(i);
            if (failure instanceof RuntimeException e) {
                throw e;
            }
            if (failure instanceof Error e) {
                throw e;
            }
        }
    }
}
