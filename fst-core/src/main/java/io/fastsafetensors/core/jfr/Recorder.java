package io.fastsafetensors.core.jfr;

import io.fastsafetensors.types.Location;
import jdk.jfr.FlightRecorder;

/// Makes spans that Flight Recorder sees, if it is on. Event classes are not even loaded while nobody records: that
/// costs a tenth of a second, more than many a load.
public final class Recorder {
    private Recorder() {
    }

    /// A load begins.
    public static Span load(String checkpoint, String backend, int files, int tensors, long bytes) {
        return FlightRecorder.isInitialized() ? new LoadEvent(checkpoint, backend, files, tensors, bytes)
                : Span.UNRECORDED;
    }

    /// The first block of a file is read.
    public static Span file(String file, long bytes) {
        return FlightRecorder.isInitialized() ? new FileEvent(file, bytes) : Span.UNRECORDED;
    }

    /// A block is read.
    public static Span read(Location file, long offset, long bytes) {
        return FlightRecorder.isInitialized() ? new ReadEvent(file.toString(), offset, bytes) : Span.UNRECORDED;
    }

    /// A block leaves for the device.
    public static Span copy(Location file, long offset, long bytes) {
        return FlightRecorder.isInitialized() ? new CopyEvent(file.toString(), offset, bytes) : Span.UNRECORDED;
    }

    /// A caller begins to wait for a tensor.
    public static Span wait(String tensor) {
        return FlightRecorder.isInitialized() ? new WaitEvent(tensor) : Span.UNRECORDED;
    }

    /// Something was collected unclosed.
    public static void leak(String what) {
        if (FlightRecorder.isInitialized()) {
            LeakEvent.emit(what);
        }
    }
}
