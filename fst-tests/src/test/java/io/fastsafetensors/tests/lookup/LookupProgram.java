package io.fastsafetensors.tests.lookup;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.group.ProcessGroups;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.FutureTask;

/// Loads a checkpoint on threads of every kind, and says what was found there. Uses nothing but fst-api and the JDK.
public final class LookupProgram {
    private LookupProgram() {
    }

    /// Prints one line per kind of thread.
    ///
    /// @param args the checkpoint
    public static void main(String[] args) throws Exception {
        report(Path.of(args[0])).forEach(System.out::println);
    }

    /// One line per kind of thread: the kind, the backends, the transports, the bytes loaded; or the failure.
    public static List<String> report(Path checkpoint) throws Exception {
        Callable<String> work = () -> describe(checkpoint);
        List<String> lines = new ArrayList<>();
        lines.add("main: " + work.call());
        lines.add("ForkJoinPool: " + ForkJoinPool.commonPool().submit(work).get());
        lines.add("CompletableFuture: " + CompletableFuture.supplyAsync(() -> describe(checkpoint)).get());
        try (ExecutorService virtual = Executors.newVirtualThreadPerTaskExecutor()) {
            lines.add("virtual: " + virtual.submit(work).get());
        }
        lines.add("null context: " + inContext(null, work));
        lines.add("platform context: " + inContext(ClassLoader.getPlatformClassLoader(), work));
        lines.add("system context: " + inContext(ClassLoader.getSystemClassLoader(), work));
        return lines;
    }

    private static String inContext(ClassLoader context, Callable<String> work) throws Exception {
        FutureTask<String> task = new FutureTask<>(work);
        Thread thread = new Thread(task);
        thread.setContextClassLoader(context);
        thread.start();
        return task.get();
    }

    private static String describe(Path checkpoint) {
        List<String> backends = Diagnostics.backends().stream().map(Diagnostics.BackendReport::name).toList();
        List<String> groups = Diagnostics.groups().stream().map(Diagnostics.GroupReport::name).toList();
        try (Loader loader = Loader.builder().device("cpu").build();
                Weights weights = loader.load(checkpoint);
                var single = ProcessGroups.single()) {
            weights.awaitAll();
            return backends + " " + groups + " " + weights.stats().bytesRead() + " bytes by " + single.size();
        } catch (RuntimeException e) {
            return backends + " " + groups + " " + e.getMessage();
        }
    }
}
