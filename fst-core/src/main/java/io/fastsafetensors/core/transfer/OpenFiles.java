package io.fastsafetensors.core.transfer;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.core.dequant.QuantizedReads;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Recorder.Span;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.read.BlockReader;
import io.fastsafetensors.core.read.ReadCounters;
import io.fastsafetensors.core.storage.SourceFile;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.StorageFile;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The files of a load: each is held from its first block to its last. Counts what comes from them without the read
/// package's help.
///
/// A file's version is looked at with each block, since a writer may come at any time, and its location once more at
/// the end ([#requireCurrent]). Descriptors are not the load's own: [SourceFiles] has one for each file, shared by
/// all that read it at the moment.
final class OpenFiles implements AutoCloseable {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");

    private final SourceFiles sources;
    /// The backend's direct storage, if it has one; where it does, each file's report says why it is not used.
    private final Optional<DirectStorage> direct;
    private final DirectIo mode;
    /// Whether the report of a file says why it takes its path: only where there was a choice.
    private final boolean tellsWhy;
    private final ReadCounters counters;
    private final List<OneFile> files;
    private @Nullable Arena mappings;

    /// @param read the blocks that are read here
    /// @param sources what the headers were read from; one reference to it is taken
    OpenFiles(ReadPlan plan, int[] read, SourceFiles sources, Optional<DirectStorage> direct,
            LoadOptions options, ReadCounters counters) {
        this.direct = direct;
        this.mode = options.directIo();
        this.tellsWhy = direct.isPresent() || options.transferPath() == TransferPath.MAPPED;
        this.counters = counters;
        int[] blocks = new int[plan.planned().size()];
        for (int block : read) {
            blocks[plan.blocks().file(block)]++;
        }
        files = new ArrayList<>(blocks.length);
        for (int f = 0; f < blocks.length; f++) {
            PlannedFile file = plan.planned().get(f);
            files.add(new OneFile(file, sources.file(file.location()), blocks[f]));
        }
        this.sources = sources.retain();
    }

    /// The reader of a file, for one block.
    ///
    /// What `…ForBlock` returns stays usable until [#blockDone] was called for that block.
    BlockReader forBlock(int file) {
        return files.get(file).reader();
    }

    /// What a file of de-quantised tensors is made of, for one block; told of by [#readQuantized].
    QuantizedReads quantizedForBlock(int file) {
        return files.get(file).open().ability(QuantizedReads.class).orElseThrow();
    }

    /// A block was read as what it is made of.
    void readQuantized(long bytes, long nanos) {
        counters.readParts(bytes, nanos);
    }

    /// A file for direct storage, for one block; told of by [#readDirectly].
    DirectFile directForBlock(int file) {
        return files.get(file).directly();
    }

    /// The mapping of a file, for one block.
    MemorySegment mapping(int file, FileTransfers routing) {
        return routing.mapped(file).memory(files.get(file).open());
    }

    /// A file's bytes in a mapping, for one block whose reader copies small parts out of it; null where it cannot be
    /// mapped. No page of it is in memory because of the mapping: who copies what the page cache does not have waits
    /// for the storage.
    @Nullable
    MemorySegment mappedForBlock(int file) {
        return files.get(file).mapped();
    }

    /// A block was read by direct storage.
    void readDirectly(long bytes, long nanos) {
        counters.directStorage(bytes, nanos);
    }

    /// Tells whether the page cache has a file's bytes, for one block; null if nobody knows.
    @Nullable
    CacheResidency residencyForBlock(int file) {
        return files.get(file).open().ability(CacheResidency.class).orElse(null);
    }

    /// The pages of a block were brought into memory.
    ///
    /// @param cached how many of the bytes were there already
    void populated(long cached, long bytes, long nanos) {
        counters.populated(cached, bytes, nanos);
    }

    /// A block was handed to the device out of a mapping.
    void mapped(long bytes) {
        counters.mapped(bytes);
    }

    /// A block of a file is in place.
    ///
    /// @throws StorageException if the file is another version by now
    void blockDone(int file) {
        files.get(file).blockDone();
    }

    /// Makes sure that each location still names what was read from it.
    ///
    /// @throws StorageException naming the first that does not
    void requireCurrent() {
        for (OneFile file : files) {
            if (file.blocks > 0) {
                file.source.requireCurrent();
            }
        }
    }

    /// The file that changed, if one did: a better reason for a failure than what it led to.
    ///
    /// Looks at files that are open now: others are either not begun or were found unchanged when their last block
    /// came.
    RuntimeException reasonOf(RuntimeException failure) {
        for (OneFile file : files) {
            StorageException change = file.isHeld() ? file.source.change(failure) : null;
            if (change != null) {
                return change;
            }
        }
        return failure;
    }

    /// How each file was read, as far as any was.
    List<String> report() {
        return files.stream().map(OneFile::report).filter(line -> !line.isEmpty()).toList();
    }

    /// The lifetime of all mappings that rows are copied from: to end one takes milliseconds, and more of them while readers
    /// touch others.
    @SuppressWarnings("MustBeClosed")
    private synchronized Arena mappings() {
        Arena mine = mappings;
        if (mine == null) {
            mine = Arena.ofShared();
            mappings = mine;
        }
        return mine;
    }

    /// Ends the mappings that rows were copied from. Takes tens of milliseconds for gigabytes, for which nobody needs to wait:
    /// no block is being read any more.
    synchronized void unmap() {
        Arena unmapped = mappings;
        mappings = null;
        if (unmapped != null) {
            unmapped.close();
        }
    }

    /// Releases what is still retained; no block is being read any more.
    @Override
    public void close() {
        Releases releases = new Releases();
        for (OneFile file : files) {
            releases.run(file::close);
        }
        releases.run(sources::close);
        releases.finish();
    }

    /// A file of the load. It is opened by the first block that needs it and released by the last, so that a load of a
    /// thousand files has few of them open. Thread-safe: readers share it.
    private final class OneFile {
        private final PlannedFile file;
        private final SourceFile source;
        /// Blocks of it that are read here; a file without any is never opened.
        private final int blocks;
        /// Of those, how many are not in place.
        ///
        /// Guarded by this object, like all that changes.
        private int remaining;
        private @Nullable StorageFile open;
        private @Nullable BlockReader reader;
        private @Nullable DirectFile directFile;
        private @Nullable MemorySegment mapped;
        /// Whether it was tried to map it.
        private boolean mappingTried;
        private @Nullable Span span;
        /// How it was read, once it was released.
        private String reason = "";

        OneFile(PlannedFile file, SourceFile source, int blocks) {
            this.file = file;
            this.source = source;
            this.blocks = blocks;
            this.remaining = blocks;
        }

        /// Opened under the file's own lock: readers of other files go on.
        synchronized StorageFile open() {
            StorageFile mine = open;
            if (mine == null) {
                mine = source.retain();
                open = mine;
                span = Recorder.file(file.location().toString(), file.bytesToRead());
            }
            return mine;
        }

        /// Made once and used by all readers; it allocates nothing for a block.
        synchronized BlockReader reader() {
            BlockReader mine = reader;
            if (mine == null) {
                mine = new BlockReader(open(), mode, counters);
                reader = mine;
            }
            return mine;
        }

        synchronized @Nullable MemorySegment mapped() {
            if (!mappingTried) {
                mappingTried = true;
                open().ability(Mapping.class).ifPresent(this::map);
            }
            return mapped;
        }

        /// A file that cannot be mapped, because of its file system or for want of address space, is read.
        private void map(Mapping able) {
            try {
                mapped = able.map(0, file.fileLength(), mappings());
            } catch (StorageException e) {
                LOG.log(Level.DEBUG, "rows are read, since their file cannot be mapped", e);
            }
        }

        /// Opened by the first block that is read directly, since opening registers the file with the device's
        /// library.
        synchronized DirectFile directly() {
            DirectFile mine = directFile;
            if (mine == null) {
                mine = direct.orElseThrow().open(open());
                directFile = mine;
            }
            return mine;
        }

        /// The version is looked at outside the lock: that asks the system, and other readers go on meanwhile.
        ///
        /// The last block releases the file. Where the look at the version throws, the file stays retained until the
        /// load ends.
        void blockDone() {
            source.requireUnchanged();
            synchronized (this) {
                if (--remaining == 0) {
                    close();
                }
            }
        }

        /// Whether blocks of it are still to come, and some was read.
        synchronized boolean isHeld() {
            return open != null;
        }

        /// Empty while nothing was read of it.
        synchronized String report() {
            String how = how();
            return how.isEmpty() ? "" : file.location() + ": " + how;
        }

        /// How it is read now, with the reason; how it was, after its release.
        private String how() {
            if (directFile != null) {
                return "direct storage in steps of " + directFile.alignment() + ": " + file.why();
            }
            if (open != null && (file.path() == PlannedPath.DEQUANTIZED || file.isMappedInPlace())) {
                return file.isMappedInPlace() ? "mapped: " + file.why() : file.why();
            }
            if (reader != null) {
                // Where another path was to be had, or asked for, a file says why it takes this one.
                return reader.reason() + (tellsWhy ? "; " + file.why() : "");
            }
            return open != null && file.path() == PlannedPath.MAPPED ? "page-locked mapping" : reason;
        }

        /// Idempotent; the report stays. Direct storage is closed before the descriptor that it was opened with.
        synchronized void close() {
            reason = how();
            Releases releases = new Releases();
            DirectFile directly = directFile;
            reader = null;
            directFile = null;
            if (directly != null) {
                releases.run(directly::close);
            }
            if (open != null) {
                open = null;
                releases.run(source::release);
            }
            if (span != null) {
                span.finish(reason);
                span = null;
            }
            releases.finish();
        }
    }
}
