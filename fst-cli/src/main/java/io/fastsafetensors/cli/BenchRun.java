package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.cli.ffm.FileCalls;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.Services;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.DoubleSupplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Measures the parts of a load and whole loads, arm after arm in each round, so that whatever else the machine does
/// strikes all of them. Keeps what it measures with until it is closed; used by one thread.
final class BenchRun implements AutoCloseable {
    /// Every state that the page cache can be brought into.
    static final Set<BenchArm.State> ANY_STATE = Set.of(BenchArm.State.values());

    /// Loads that go before the first measured one, for the compiler.
    private static final int WARM_UPS = 3;
    /// More than this part of the bytes in the page cache is not cold.
    private static final double COLD_SHARE = 0.01;
    /// A measurement of copies moves no more than this.
    private static final long MOST_COPIED = 4L << 30;

    private final List<Location> paths;
    private final OpenOptions options;
    private final List<Checkpoint> checkpoints;
    private final long bytes;
    private final Device device;
    private final List<Subject> subjects = new ArrayList<>();
    private final List<String> notes = new ArrayList<>();
    private final Map<String, String> facts = new LinkedHashMap<>();
    private final List<Timed> arms = new ArrayList<>();
    private final Releases failures = new Releases();
    private @Nullable FileRanges ranges;
    private @Nullable StorageRate direct;
    private @Nullable StorageRate buffered;

    /// A backend that is measured.
    private record Subject(String name, Loader loader, Backend backend, CopyLimit copies) {
    }

    /// An arm and what measures it once, in GB/s.
    private static final class Timed {
        private final DoubleSupplier measure;
        private BenchArm arm;

        Timed(BenchArm arm, DoubleSupplier measure) {
            this.arm = arm;
            this.measure = measure;
        }
    }

    /// Reads the headers, and opens the backends.
    ///
    /// @param device a device, `auto` or `gpu`
    /// @param backends the only backends to measure; empty for all that work with the device
    /// @param calls the system's calls, empty where there are none
    BenchRun(List<Location> paths, OpenOptions options, Device device, List<String> backends,
            Optional<FileCalls> calls) {
        this.paths = List.copyOf(paths);
        this.options = options;
        this.checkpoints = paths.stream().map(path -> Safetensors.open(path, options)).toList();
        this.bytes = checkpoints.stream().mapToLong(Checkpoint::byteSize).sum();
        if (bytes == 0) {
            throw new CommandException(paths.getFirst() + " has no bytes to measure", null);
        }
        try {
            this.device = open(device, backends);
            boolean local = checkpoints.stream().flatMap(each -> each.tensors().stream())
                    .allMatch(tensor -> tensor.file().isLocal());
            if (local && calls.isPresent()) {
                ranges = FileRanges.of(calls.get(), checkpoints);
            } else {
                notes.add(local ? "storage alone, and a cold page cache, need native access on Linux: start Java with"
                        + " --enable-native-access=ALL-UNNAMED"
                        : "storage alone, and a cold page cache, are for local files; loads are measured as they come");
            }
            describe();
        } catch (RuntimeException | Error e) {
            close(e);
            throw e;
        }
    }

    private Device open(Device wanted, List<String> backends) {
        Device found;
        try (Loader loader = loader(wanted, backends.stream().findFirst())) {
            found = loader.device();
        }
        for (Diagnostics.BackendReport report : Diagnostics.backends()) {
            boolean serves = report.probe().found().map(available -> available.devices().stream()
                    .anyMatch(info -> info.device().equals(found))).orElse(false);
            if (serves && (backends.isEmpty() || backends.contains(report.name()))) {
                open(found, report.name(), !backends.isEmpty());
            }
        }
        for (String backend : backends) {
            if (subjects.stream().noneMatch(subject -> subject.name.equals(backend))) {
                throw new CommandException("there is no backend " + backend + " of " + found
                        + "; fst doctor lists those that work here", null);
            }
        }
        if (subjects.isEmpty()) {
            throw new CommandException("no backend of " + found + " can be opened: " + String.join("; ", notes), null);
        }
        return found;
    }

    private Loader loader(Device wanted, Optional<String> backend) {
        var builder = Loader.builder().device(wanted).open(options);
        backend.ifPresent(builder::backend);
        return builder.build();
    }

    private void open(Device found, String name, boolean required) {
        List<Runnable> opened = new ArrayList<>();
        try {
            Loader loader = loader(found, Optional.of(name));
            opened.add(loader::close);
            Backend backend = provider(name).open(found, BackendOptions.defaults());
            opened.add(backend::close);
            subjects.add(new Subject(name, loader, backend, new CopyLimit(backend, Math.min(bytes, MOST_COPIED))));
        } catch (RuntimeException | Error e) {
            Releases releases = new Releases();
            opened.reversed().forEach(releases::run);
            if (required || !(e instanceof FstException)) {
                releases.because(e);
                throw e;
            }
            releases.finish();
            notes.add("backend " + name + " is not measured: " + e.getMessage());
        }
    }

    private static BackendProvider provider(String name) {
        return Services.all(BackendProvider.class, BenchRun.class).stream().flatMap(found -> found.service().stream())
                .filter(provider -> provider.name().equals(name)).findFirst()
                .orElseThrow(() -> new CommandException("there is no provider of the backend " + name, null));
    }

    private void describe() {
        DeviceInfo info = subjects.getFirst().backend().info();
        facts.put(BenchResult.CHECKPOINT, String.join(", ", paths.stream().map(Location::toString).toList()));
        facts.put(BenchResult.BYTES, Long.toString(bytes));
        facts.put("files", Long.toString(checkpoints.stream().mapToLong(each -> each.files().size()).sum()));
        facts.put("tensors", Long.toString(checkpoints.stream().mapToLong(each -> each.tensors().size()).sum()));
        facts.put(BenchResult.DTYPES, checkpoints.stream().flatMap(each -> each.tensors().stream())
                .map(tensor -> tensor.dtype().toString()).distinct().sorted().collect(Collectors.joining(", ")));
        facts.put("storage",
                String.join(", ", paths.stream().flatMap(path -> Diagnostics.storage(path, options).stream())
                        .map(Diagnostics.StorageReport::fileSystem).distinct().toList()));
        facts.put(BenchResult.DEVICE, device.toString());
        facts.put(BenchResult.DEVICE_NAME, info.name());
        facts.put("cores", Integer.toString(Runtime.getRuntime().availableProcessors()));
        facts.put("system", System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                + System.getProperty("os.arch"));
        facts.put("java", Runtime.version().toString());
        facts.put("fst", Main.version());
        facts.put(BenchResult.DATE, Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    }

    /// The facts that a result to compare with must share.
    Map<String, String> facts() {
        return Map.copyOf(facts);
    }

    /// Measures.
    ///
    /// @param wanted the states of the page cache to measure in
    /// @param progress told of bytes, those of every arm and round together
    /// @throws CommandException if the page cache cannot be brought into a wanted state, with the reason
    BenchResult run(int rounds, Set<BenchArm.State> wanted, ProgressListener progress) {
        facts.put("rounds", Integer.toString(rounds));
        List<BenchArm.State> states = states(wanted);
        if (states.isEmpty()) {
            throw new CommandException(String.join("; ", notes), null);
        }
        prepare(states);
        long done = 0;
        long all = bytes * rounds * arms.size();
        for (int round = 0; round < rounds; round++) {
            for (BenchArm.State state : BenchArm.State.values()) {
                List<Timed> group = arms.stream().filter(each -> each.arm.state() == state).toList();
                for (int i = 0; i < group.size(); i++) {
                    // Another arm comes first in each round.
                    measure(group.get((i + round) % group.size()));
                    done += bytes;
                    progress.progress(done, all);
                }
            }
        }
        List<BenchArm> measured = arms.stream().map(each -> each.arm).toList();
        for (BenchArm arm : measured) {
            if (arm.state() == BenchArm.State.WARM && arm.cached() >= 0
                    && arm.cached() < bytes * (1 - COLD_SHARE)) {
                notes.add(arm.name() + ": only " + Sizes.human(arm.cached()) + " of " + Sizes.human(bytes)
                        + " stayed in the page cache; is there too little memory?");
            }
            if (arm.state() == BenchArm.State.COLD && arm.cached() > bytes * COLD_SHARE) {
                notes.add(arm.name() + ": " + Sizes.human(arm.cached()) + " stayed in the page cache in some round;"
                        + " another program reads the files");
            }
        }
        return new BenchResult(facts, notes.stream().distinct().toList(), measured);
    }

    /// The wanted states that the page cache can be brought into.
    private List<BenchArm.State> states(Set<BenchArm.State> wanted) {
        List<BenchArm.State> possible = ranges == null ? List.of(BenchArm.State.NONE)
                : wanted.contains(BenchArm.State.COLD) ? localStates(ranges) : List.of(BenchArm.State.WARM);
        return possible.stream().filter(wanted::contains).toList();
    }

    private List<BenchArm.State> localStates(FileRanges ranges) {
        evict();
        long left = ranges.cachedBytes();
        if (left < 0) {
            notes.add("the system does not say what is in the page cache: cold arms are not measured");
            return List.of(BenchArm.State.WARM);
        }
        if (left > bytes * COLD_SHARE) {
            notes.add("could not be made cold: " + Sizes.human(left) + " of " + Sizes.human(bytes)
                    + " stay in the page cache (" + facts.get("storage")
                    + "), because the file system keeps files in memory or another program uses them");
            return List.of(BenchArm.State.WARM);
        }
        return List.of(BenchArm.State.COLD, BenchArm.State.WARM);
    }

    private void prepare(List<BenchArm.State> states) {
        if (ranges != null) {
            buffered = new StorageRate(ranges, false);
        }
        for (BenchArm.State state : states) {
            if (state != BenchArm.State.NONE) {
                StorageRate storage = state == BenchArm.State.COLD ? direct() : buffered();
                facts.put(BenchArm.word(state) + " reads", storage.description());
                add(BenchArm.Part.STORAGE, state, "", storage::measure);
            }
        }
        for (Subject subject : subjects) {
            add(BenchArm.Part.COPY, BenchArm.State.NONE, subject.name, subject.copies::measure);
            for (BenchArm.State state : states) {
                add(BenchArm.Part.LOAD, state, subject.name, () -> load(subject));
            }
            if (ranges != null) {
                warm();
            }
            for (int i = 0; i < WARM_UPS; i++) {
                load(subject);
            }
        }
    }

    private StorageRate buffered() {
        if (buffered == null) {
            throw new IllegalStateException("no local files");
        }
        return buffered;
    }

    /// What reads a cold file: past the page cache, or through it where that is refused.
    private StorageRate direct() {
        if (ranges == null) {
            throw new IllegalStateException("no local files");
        }
        try {
            direct = new StorageRate(ranges, true);
            return direct;
        } catch (CommandException e) {
            notes.add("storage alone, cold, is read through the page cache: " + e.getMessage());
            return buffered();
        }
    }

    private void add(BenchArm.Part part, BenchArm.State state, String backend, DoubleSupplier measure) {
        arms.add(new Timed(BenchArm.empty(part, state, backend), measure));
    }

    private void measure(Timed timed) {
        long cached = -1;
        if (ranges != null && timed.arm.state() != BenchArm.State.NONE) {
            if (timed.arm.state() == BenchArm.State.COLD) {
                evict();
            } else {
                warm();
            }
            cached = ranges.cachedBytes();
        }
        double rate = timed.measure.getAsDouble();
        timed.arm = timed.arm.cachedBefore(cached);
        timed.arm.samples().add(rate);
    }

    private void evict() {
        FileRanges files = ranges;
        if (files == null) {
            return;
        }
        files.evict();
        if (files.cachedBytes() > bytes * COLD_SHARE) {
            // Pages that a loader has mapped, for the next load of the same file, cannot be evicted.
            subjects.forEach(subject -> subject.loader.trim());
            files.evict();
        }
    }

    private void warm() {
        if (ranges != null && ranges.cachedBytes() < bytes) {
            buffered().measure();
        }
    }

    /// Loads every checkpoint, one after the other; the time of closing them does not count.
    private double load(Subject subject) {
        double seconds = 0;
        long mapped = 0;
        for (Location path : paths) {
            long start = System.nanoTime();
            try (Weights weights = subject.loader.load(path)) {
                weights.awaitAll();
                seconds += (System.nanoTime() - start) / 1e9;
                LoadStats stats = weights.stats();
                mapped += stats.mappedBytes();
            }
        }
        if (!device.equals(Device.CPU)) {
            CopyLimit.awaitIdleDevice();
        }
        String how = mapped == 0 ? "none" : mapped >= bytes ? "all" : "some";
        String fact = BenchResult.MAPPED + " " + subject.name;
        facts.merge(fact, how, (before, now) -> before.equals(now) ? now : "some");
        return bytes / 1e9 / seconds;
    }

    @Override
    public void close() {
        release();
        failures.finish();
    }

    private void close(Throwable cause) {
        release();
        failures.because(cause);
    }

    private void release() {
        for (StorageRate rate : new StorageRate[] {direct, buffered}) {
            if (rate != null) {
                failures.run(rate::close);
            }
        }
        for (Subject subject : subjects.reversed()) {
            failures.run(subject.copies::close).run(subject.backend::close).run(subject.loader::close);
        }
    }
}
