package io.fastsafetensors.core.place;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Span;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.PlannedFile.Landing;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.read.BlockReader;
import io.fastsafetensors.core.read.ReadCounters;
import io.fastsafetensors.core.read.Storage;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Releases;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/// The files of a load: each is opened for its first block and closed after its last, so that a checkpoint of a
/// thousand shards needs few descriptors. Counts what comes from them without the read package's help.
final class OpenFiles implements AutoCloseable {
    private final List<OneFile> files;
    private final ReadCounters counters;

    /// @param reads whether the block at a position in the plan's order is read here
    OpenFiles(ReadPlan plan, IntPredicate reads, Storage storage, Optional<DirectStorage> direct, DirectIo mode,
            ReadCounters counters) {
        this.counters = counters;
        int[] blocks = new int[plan.planned().size()];
        for (int position = 0; position < plan.blocks().size(); position++) {
            blocks[plan.blocks().file(plan.inOrder(position))] += reads.test(position) ? 1 : 0;
        }
        files = new ArrayList<>(blocks.length);
        for (int f = 0; f < blocks.length; f++) {
            PlannedFile file = plan.planned().get(f);
            files.add(file.landing() == Landing.DIRECT
                    ? new OneFile(file, blocks[f], () -> direct.orElseThrow().open(file.path()), "")
                    : new OneFile(file, blocks[f], () -> BlockReader.open(storage, file.path(), file.fileLength(), mode,
                            counters), direct.isPresent() ? "; " + file.why() : ""));
        }
    }

    /// The reader of a file, for one block; given back by [#blockDone].
    BlockReader forBlock(int file) {
        return (BlockReader) files.get(file).get();
    }

    /// A file for direct storage, for one block; given back by [#readDirectly].
    DirectFile directForBlock(int file) {
        return (DirectFile) files.get(file).get();
    }

    /// A block was read by direct storage.
    void readDirectly(int file, long bytes, long nanos) {
        counters.directStorage(bytes, nanos);
        blockDone(file);
    }

    /// A block was handed to the device out of a mapping, which needs no file of ours.
    void mapped(int file, long bytes) {
        counters.mapped(bytes);
        files.get(file).mapped();
    }

    void blockDone(int file) {
        files.get(file).blockDone();
    }

    /// How each file was read, as far as any was.
    List<String> report() {
        return files.stream().map(OneFile::report).filter(line -> !line.isEmpty()).toList();
    }

    /// Closes what is still open; no block is being read any more.
    @Override
    public void close() {
        Releases releases = new Releases();
        files.forEach(file -> releases.run(file::close));
        releases.finish();
    }

    private interface Opener {
        AutoCloseable open();
    }

    private static final class OneFile {
        private final PlannedFile file;
        private final Opener opener;
        private final String whyNotDirectly;
        private int remaining;
        private @Nullable AutoCloseable open;
        private @Nullable Span span;
        private String reason = "";

        /// @param whyNotDirectly ends the report of a file that goes through slots where there is direct storage
        OneFile(PlannedFile file, int blocks, Opener opener, String whyNotDirectly) {
            this.file = file;
            this.opener = opener;
            this.whyNotDirectly = whyNotDirectly;
            this.remaining = blocks;
        }

        synchronized AutoCloseable get() {
            AutoCloseable mine = open;
            if (mine == null) {
                mine = opener.open();
                open = mine;
                span = Recorder.file(file.path().toString(), file.bytesToRead());
            }
            return mine;
        }

        synchronized void mapped() {
            reason = "page-locked mapping";
        }

        synchronized void blockDone() {
            if (--remaining == 0) {
                close();
            }
        }

        synchronized String report() {
            String how = how();
            return how.isEmpty() ? "" : file.path() + ": " + how;
        }

        private String how() {
            return switch (open) {
                case BlockReader reader -> reader.reason() + whyNotDirectly;
                case DirectFile direct -> "direct storage in steps of " + direct.alignment() + ": " + file.why();
                case null, default -> reason;
            };
        }

        synchronized void close() {
            reason = how();
            AutoCloseable mine = open;
            open = null;
            if (mine instanceof BlockReader reader) {
                reader.close();
            } else if (mine instanceof DirectFile direct) {
                direct.close();
            }
            if (span != null) {
                span.finish(reason);
                span = null;
            }
        }
    }
}
