package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The events of a load in a flight recording.
class RecordingTest {
    @TempDir
    Path directory;

    @Test
    void a_load_and_its_files_are_recorded_with_their_bytes() throws IOException {
        Path file = directory.resolve("model.safetensors");
        Samples.write(file, 3, 1 << 20, 1);
        Path dump = directory.resolve("dump.jfr");
        try (Recording recording = new Recording()) {
            recording.enable("fst.Load").withoutThreshold();
            recording.enable("fst.File").withoutThreshold();
            recording.start();
            try (Weights weights = Safetensors.load(file, Device.CPU)) {
                weights.awaitAll();
            }
            recording.dump(dump);
        }
        // A recording hears every thread of the process: what earlier tests began may end now.
        List<RecordedEvent> events = RecordingFile.readAllEvents(dump).stream()
                .filter(e -> e.toString().contains(directory.toString())).toList();
        List<RecordedEvent> loads = named(events, "fst.Load");
        assertEquals(1, loads.size());
        assertEquals(3L << 20, loads.getFirst().getLong("bytes"));
        assertEquals("done", loads.getFirst().getString("outcome"));
        assertEquals("cpu", loads.getFirst().getString("backend"));
        List<RecordedEvent> files = named(events, "fst.File");
        assertEquals(1, files.size());
        assertEquals(file.toString(), files.getFirst().getString("file"));
        assertTrue(!files.getFirst().getString("outcome").isEmpty());
    }

    private static List<RecordedEvent> named(List<RecordedEvent> events, String name) {
        return events.stream().filter(e -> e.getEventType().getName().equals(name)).toList();
    }
}
