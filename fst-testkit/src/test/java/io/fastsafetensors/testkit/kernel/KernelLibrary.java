package io.fastsafetensors.testkit.kernel;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.gpu.kernel.KernelCall;
import io.fastsafetensors.gpu.kernel.KernelPlan;
import io.fastsafetensors.gpu.kernel.KernelSource;
import io.fastsafetensors.test.CBuild;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// The kernels as C functions of this process.
public final class KernelLibrary {
    private static final FunctionDescriptor SHAPE = FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG,
            JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT);

    private final Map<String, MethodHandle> functions = new HashMap<>();
    private final List<String> table;

    /// Opens what [#compile] made.
    public KernelLibrary(Path file) {
        NativeLibrary library = NativeLibrary.open(file.toString());
        for (String name : KernelPlan.functions()) {
            functions.put(name, library.bind(name, SHAPE));
        }
        table = readTable(library.symbol("fst_kernel_table").address());
    }

    /// Compiles the source; see [CBuild#into].
    ///
    /// @param options besides those of every build
    public static Path compile(Path directory, String... options) {
        return compile(directory, KernelSource.text(), options);
    }

    /// Compiles another text than the kernels' own.
    public static Path compile(Path directory, String text, String[] options) {
        return CBuild.sharedLibrary("libfst_kernels.so").source("fst_kernels.c", text).options("-std=c11", "-Wshadow")
                .options(options).into(directory);
    }

    /// The names in the source's own table.
    public List<String> table() {
        return List.copyOf(table);
    }

    /// Runs calls with the geometry that they ask for.
    public void run(List<KernelCall> calls, BufferSlice source, BufferSlice target) {
        for (KernelCall call : calls) {
            run(call, source, target, call.groups(), call.groupSize());
        }
    }

    /// Runs one call.
    public void run(KernelCall call, BufferSlice source, BufferSlice target, int groups, int groupSize) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment launch = arena.allocate(call.parameters().length, 8);
            launch.copyFrom(MemorySegment.ofArray(call.parameters()));
            functions.get(call.function()).invokeExact(source.buffer().handle().value(), call.sourceOffset(),
                    target.buffer().handle().value(), call.targetOffset(), launch.address(), groups, groupSize);
        } catch (Throwable e) {
            throw new AssertionError(call.toString(), e);
        }
    }

    private static List<String> readTable(long address) {
        List<String> names = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment entries = RawMemory.view(address, 1 << 12, arena);
            for (long at = 0; entries.get(JAVA_LONG, at) != 0; at += 2 * ValueLayout.ADDRESS.byteSize()) {
                names.add(RawMemory.view(entries.get(JAVA_LONG, at), 64, arena).getString(0));
            }
        }
        return names;
    }
}
