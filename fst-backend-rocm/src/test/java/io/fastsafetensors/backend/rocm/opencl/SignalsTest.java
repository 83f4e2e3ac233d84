package io.fastsafetensors.backend.rocm.opencl;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// PoCL's LLVM installs handlers of its own for the signals that the JVM lives on, each of which works once and not for
/// two threads at a time.
@EnabledOnOs(OS.LINUX)
class SignalsTest {
    private static final int SIGILL = 4;
    private static final int SIGBUS = 7;
    private static final int SIGFPE = 8;
    private static final int SIGSEGV = 11;
    private static final int SIGTERM = 15;

    @Test
    void the_jvm_keeps_its_signals() throws IOException {
        OpenClDevice.require();
        try (Backend backend = new OpenClBackendProvider().open(new Device("opencl", 0), BackendOptions.defaults());
                CopyStream stream = backend.openCopyStream();
                DeviceBuffer from = backend.allocate(64, 64);
                DeviceBuffer to = backend.allocate(32, 64)) {
            backend.kernels().convert(stream, BufferSlice.of(from), DType.F32, BufferSlice.of(to), DType.BF16, 16);
            stream.synchronize();
        }
        for (int signal : new int[] {SIGILL, SIGBUS, SIGFPE, SIGSEGV, SIGTERM}) {
            String owner = owner(handler(signal));
            assertTrue(owner.contains("libjvm") || owner.contains("libjsig"), "signal " + signal + ": " + owner);
        }
    }

    private static long handler(int signal) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment action = arena.allocate(256, 8);
            NativeLibrary.standard().words("sigaction").call(signal, 0, action.address());
            return action.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    /// The line of the mapping that an address lies in.
    private static String owner(long address) throws IOException {
        List<String> lines = Files.readAllLines(Path.of("/proc/self/maps"));
        for (String line : lines) {
            String[] ends = line.substring(0, line.indexOf(' ')).split("-", 2);
            if (Long.parseUnsignedLong(ends[0], 16) <= address && address < Long.parseUnsignedLong(ends[1], 16)) {
                return line;
            }
        }
        return "no mapping of " + Long.toHexString(address);
    }
}
