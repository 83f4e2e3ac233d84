package io.fastsafetensors.core.place;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Span;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.read.BlockReader;
import io.fastsafetensors.core.read.ReadCounters;
import io.fastsafetensors.core.read.Storage;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The files of a load: each is opened for its first block and closed after its last, so that a checkpoint of a
/// thousand shards needs few descriptors.
final class OpenFiles implements AutoCloseable {
    private final List<OneFile> files;

    OpenFiles(ReadPlan plan, Storage storage, DirectIo mode, ReadCounters counters) {
        int[] blocks = new int[plan.planned().size()];
        BlockTable table = plan.blocks();
        for (int b = 0; b < table.size(); b++) {
            blocks[table.file(b)]++;
        }
        files = new ArrayList<>(blocks.length);
        for (int f = 0; f < blocks.length; f++) {
            PlannedFile file = plan.planned().get(f);
            files.add(new OneFile(file, blocks[f], () -> BlockReader.open(storage, file.path(), file.fileLength(), mode,
                    counters)));
        }
    }

    /// The reader of a file, for one block; given back by [#blockDone].
    BlockReader forBlock(int file) {
        return files.get(file).get();
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
        files.forEach(OneFile::close);
    }

    private interface Opener {
        BlockReader open();
    }

    private static final class OneFile {
        private final PlannedFile file;
        private final Opener opener;
        private int remaining;
        private @Nullable BlockReader reader;
        private @Nullable Span span;
        private String reason = "";

        OneFile(PlannedFile file, int blocks, Opener opener) {
            this.file = file;
            this.opener = opener;
            this.remaining = blocks;
        }

        synchronized BlockReader get() {
            if (reader == null) {
                reader = opener.open();
                span = Recorder.file(file.path().toString(), file.bytesToRead());
            }
            return reader;
        }

        synchronized void blockDone() {
            if (--remaining == 0) {
                close();
            }
        }

        synchronized String report() {
            String how = reader != null ? reader.reason() : reason;
            return how.isEmpty() ? "" : file.path() + ": " + how;
        }

        synchronized void close() {
            if (reader != null) {
                reason = reader.reason();
                reader.close();
                reader = null;
            }
            if (span != null) {
                span.finish(reason);
                span = null;
            }
        }
    }
}
