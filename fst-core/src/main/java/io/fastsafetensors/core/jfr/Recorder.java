package io.fastsafetensors.core.jfr;

import io.fastsafetensors.types.Location;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/// Makes the spans and events that Flight Recorder sees, if it is on; [Span#UNRECORDED] if not.
///
/// The event classes are nested here and must stay unreachable while nobody records: loading and instrumenting them costs
/// a tenth of a second, more than many a load. So nothing but the methods of this class may name them, and each method
/// asks [FlightRecorder#isInitialized()] first, which loads none of them. Their names (`fst.Load` and so on) and fields
/// are what users write into recording settings and queries; docs list them.
///
/// Safe for use by many threads; a span belongs to the thread that began it only as far as JFR names that thread in the
/// event.
public final class Recorder {
    private Recorder() {
    }

    /// A load begins.
    ///
    /// One look at a flag where nobody records: no class of events is loaded and nothing is allocated.
    ///
    /// @param checkpoint the location that was asked for
    /// @param backend the backend's name
    /// @param files how many files it reads
    /// @param tensors how many tensors it loads
    /// @param bytes how many bytes are transferred
    public static Span load(String checkpoint, String backend, int files, int tensors, long bytes) {
        return FlightRecorder.isInitialized() ? new LoadEvent(checkpoint, backend, files, tensors, bytes)
                : Span.UNRECORDED;
    }

    /// The first block of a file is read; the span ends with the arrival of its last one.
    ///
    /// @param bytes how many bytes of it are read
    public static Span file(String file, long bytes) {
        return FlightRecorder.isInitialized() ? new FileEvent(file, bytes) : Span.UNRECORDED;
    }

    /// A block is read. A location is passed, not its text: that is made only where it is recorded.
    ///
    /// @param offset the block's first byte in the file
    public static Span read(Location file, long offset, long bytes) {
        return FlightRecorder.isInitialized() ? new ReadEvent(file.toString(), offset, bytes) : Span.UNRECORDED;
    }

    /// A block leaves for the device.
    ///
    /// @param offset the block's first byte in the file
    public static Span copy(Location file, long offset, long bytes) {
        return FlightRecorder.isInitialized() ? new CopyEvent(file.toString(), offset, bytes) : Span.UNRECORDED;
    }

    /// A rank has read its part of a window of a striped load; the span ends when all ranks' parts are in place.
    ///
    /// @param block the window's first block
    /// @param blocks how many it has
    public static Span exchange(int block, int blocks) {
        return FlightRecorder.isInitialized() ? new ExchangeEvent(block, blocks) : Span.UNRECORDED;
    }

    /// A caller begins to wait for a tensor.
    public static Span wait(String tensor) {
        return FlightRecorder.isInitialized() ? new WaitEvent(tensor) : Span.UNRECORDED;
    }

    /// Something was collected unclosed; told by the cleaner's thread.
    ///
    /// @param what what it was, for people
    public static void leak(String what) {
        if (FlightRecorder.isInitialized()) {
            LeakEvent event = new LeakEvent(what);
            if (event.shouldCommit()) {
                event.commit();
            }
        }
    }

    /// An event with a length and an outcome. Its constructor starts the clock, so that nothing may be done between making
    /// it and the work that it measures. Category and stack trace are inherited by the events.
    @Category("fst")
    @StackTrace(false)
    abstract static class SpanEvent extends Event implements Span {
        @Label("Outcome")
        String outcome = "";

        SpanEvent() {
            begin();
        }

        @Override
        public final void finish(String how) {
            end();
            if (shouldCommit()) {
                outcome = how;
                commit();
            }
        }
    }

    /// One load, from the call to its last byte.
    @Name("fst.Load")
    @Label("Load")
    static final class LoadEvent extends SpanEvent {
        @Label("Checkpoint")
        String checkpoint;

        @Label("Backend")
        String backend;

        @Label("Files")
        int files;

        @Label("Tensors")
        int tensors;

        @Label("Bytes")
        @DataAmount
        long bytes;

        LoadEvent(String checkpoint, String backend, int files, int tensors, long bytes) {
            this.checkpoint = checkpoint;
            this.backend = backend;
            this.files = files;
            this.tensors = tensors;
            this.bytes = bytes;
        }
    }

    /// One file of a load, from its first block to its last.
    @Name("fst.File")
    @Label("File Read")
    static final class FileEvent extends SpanEvent {
        @Label("File")
        String file;

        @Label("Bytes")
        @DataAmount
        long bytes;

        FileEvent(String file, long bytes) {
            this.file = file;
            this.bytes = bytes;
        }
    }

    /// A block of a file.
    abstract static class BlockEvent extends SpanEvent {
        @Label("File")
        String file;

        @Label("Offset")
        long offset;

        @Label("Bytes")
        @DataAmount
        long bytes;

        BlockEvent(String file, long offset, long bytes) {
            this.file = file;
            this.offset = offset;
            this.bytes = bytes;
        }
    }

    /// One block read into memory. Off unless a recording switches it on: there are thousands a second.
    @Name("fst.Read")
    @Label("Block Read")
    @Enabled(false)
    static final class ReadEvent extends BlockEvent {
        ReadEvent(String file, long offset, long bytes) {
            super(file, offset, bytes);
        }
    }

    /// One block on its way to the device, from the submission of its first copy until it was seen to be there. Off unless
    /// a recording switches it on: there are thousands a second.
    @Name("fst.Copy")
    @Label("Block Copy")
    @Enabled(false)
    static final class CopyEvent extends BlockEvent {
        CopyEvent(String file, long offset, long bytes) {
            super(file, offset, bytes);
        }
    }

    /// One window of a striped load, from when this rank had its part until it had all.
    @Name("fst.Exchange")
    @Label("Window Exchange")
    static final class ExchangeEvent extends SpanEvent {
        @Label("First Block")
        int block;

        @Label("Blocks")
        int blocks;

        ExchangeEvent(int block, int blocks) {
            this.block = block;
            this.blocks = blocks;
        }
    }

    /// A caller waited for a tensor's bytes. With its stack trace, which says who.
    @Name("fst.Wait")
    @Label("Tensor Wait")
    @StackTrace
    static final class WaitEvent extends SpanEvent {
        @Label("Tensor")
        String tensor;

        WaitEvent(String tensor) {
            this.tensor = tensor;
        }
    }

    /// Something was collected unclosed. Without a stack trace: it would be the cleaner's.
    @Name("fst.Leak")
    @Label("Unclosed Tensors")
    @Category("fst")
    @StackTrace(false)
    static final class LeakEvent extends Event {
        @Label("What")
        String what;

        LeakEvent(String what) {
            this.what = what;
        }
    }

    /// Something that takes time and may be recorded: made when it begins, finished once, by any thread. A span that is
    /// never finished is not recorded.
    public interface Span {
        /// What is not recorded: one object for all, so that a load without Flight Recorder allocates nothing for spans.
        Span UNRECORDED = outcome -> {
        };

        /// Stops the clock.
        ///
        /// @param outcome how it ended, in a few words
        void finish(String outcome);
    }
}
