package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.plan.PlannedFile.FileTransfer;
import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;
import io.fastsafetensors.core.transfer.MappedFiles.MappedFile;
import io.fastsafetensors.spi.Releases;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The transfer paths of a checkpoint's files, with the mappings that were taken for those that are mapped. Closed when
/// the load has ended, or was never begun.
///
/// Decided once, before the plan is made, because the plan depends on it: where a block goes and how long it is
/// follows from the path. Mapped files count as in use from the decision to [#close()], so that another load does not
/// unmap them.
public final class FileTransfers implements AutoCloseable {
    private final List<FileTransfer> routes;
    private final List<Optional<MappedFile>> mapped;
    private final @Nullable MappedFiles mappings;
    private final int parallelReads;
    private final boolean cached;
    private boolean closed;

    /// @param mapped one per file, present where it is mapped
    /// @param mappings where those came from, one reference to it; null if none is mapped
    /// @param parallelReads how many reads at a time serve the files best as their storage says; 0 for local files
    /// @param cached see [#isCached()]
    FileTransfers(List<FileTransfer> routes, List<Optional<MappedFile>> mapped, @Nullable MappedFiles mappings,
            int parallelReads, boolean cached) {
        this.cached = cached;
        this.parallelReads = parallelReads;
        this.routes = List.copyOf(routes);
        this.mapped = List.copyOf(mapped);
        this.mappings = mappings;
    }

    /// One per file.
    public List<FileTransfer> routes() {
        return routes;
    }

    /// The transfer paths that files take.
    public Set<PlannedPath> paths() {
        Set<PlannedPath> all = EnumSet.noneOf(PlannedPath.class);
        for (FileTransfer route : routes) {
            all.add(route.path());
        }
        return all;
    }

    /// The transfer paths of some of the files, none of which is mapped.
    ///
    /// For a batch of a stream. Closing it gives back nothing, because nothing was taken for it.
    ///
    /// @param first the first of them
    public FileTransfers part(int first, int files) {
        return new FileTransfers(routes.subList(first, first + files), mapped.subList(first, first + files), null,
                parallelReads, cached);
    }

    /// How many reads at a time serve the files best as their storage says; 0 for local files.
    public int parallelReads() {
        return parallelReads;
    }

    /// Whether the page cache held all files that are mapped as buffers when this was decided: nobody waits for a drive
    /// then, unless pages are evicted meanwhile.
    public boolean isCached() {
        return cached;
    }

    /// The mapping of a file that is mapped.
    MappedFile mapped(int file) {
        return mapped.get(file).orElseThrow(() -> new AssertionError("file " + file + " is not mapped"));
    }

    /// Gives the mappings back. Idempotent.
    @Override
    public synchronized void close() {
        boolean first = !closed;
        closed = true;
        MappedFiles from = mappings;
        if (first && from != null) {
            Releases releases = new Releases();
            mapped.forEach(file -> file.ifPresent(mapping -> releases.run(() -> from.give(mapping))));
            releases.run(from::release).finish();
        }
    }
}
