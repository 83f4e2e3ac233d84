package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;

/// A native call that uses memory for as long as a test wishes: it reads from a pipe to which nobody writes.
final class NativeUse {
    private static final long STEP_NANOS = 1_000_000;

    private NativeUse() {
    }

    /// Does something while a native call uses the memory, whose arena is shared and refuses to close meanwhile.
    static void during(MemorySegment memory, Runnable meanwhile) throws Exception {
        ByteBuffer target = memory.asByteBuffer();
        Pipe pipe = Pipe.open();
        Thread reader = Thread.ofPlatform().daemon().name("testkit-native-use").start(() -> read(pipe, target));
        try {
            long end = System.nanoTime() + Workbench.patience().toNanos();
            while (!isInside(reader)) {
                assertTrue(reader.isAlive() && System.nanoTime() < end, "the memory cannot be read into");
                LockSupport.parkNanos(STEP_NANOS);
            }
            meanwhile.run();
        } finally {
            pipe.sink().write(ByteBuffer.allocate(1));
            assertTrue(reader.join(Workbench.patience()), "the reader does not end");
            pipe.sink().close();
            pipe.source().close();
        }
    }

    private static void read(Pipe pipe, ByteBuffer target) {
        try {
            pipe.source().read(target);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean isInside(Thread reader) {
        return Arrays.stream(reader.getStackTrace()).anyMatch(frame -> frame.getMethodName().equals("read0"));
    }
}
