package io.fastsafetensors.tests.load;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.types.Device;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// Loads and rewrites with one call of libc failing at a time, every one in turn; ends with status 1 at the first outcome
/// that is neither the right bytes nor an exception of the project, or that leaves something. Needs `faulty_libc`.
final class LibcFaultsProgram {
    private static final List<String> CALLS = List.of("open", "close", "pread", "preadv2", "read", "lseek", "fstatfs",
            "pwrite", "fsync", "ftruncate");
    private static final int[] ERRORS = {5, 12, 24};
    private static final int MOST = 8;
    private static final Linker LINKER = Linker.nativeLinker();

    private final SymbolLookup library;
    private final Path file;
    private final Path directory;
    private final Map<String, String> digests;
    private int failed;
    private int survived;

    @SuppressWarnings("restricted")
    private LibcFaultsProgram(Path file, Path library) {
        this.library = SymbolLookup.libraryLookup(library, Arena.global());
        this.file = file;
        this.directory = file.getParent();
        this.digests = Samples.write(file, 5, 60_000, 4);
    }

    public static void main(String[] args) throws Throwable {
        LibcFaultsProgram program = new LibcFaultsProgram(Path.of(args[0]).resolve("model.safetensors"),
                Path.of(args[1]));
        for (Device device : List.of(NearProvider.DEVICE, RemoteProvider.DEVICE)) {
            for (DirectIo mode : DirectIo.values()) {
                program.everyCall(device, mode, false);
            }
            program.everyCall(device, DirectIo.AUTO, true);
        }
        System.out.println("failed " + program.failed + ", survived " + program.survived);
        System.exit(program.failed > 20 ? 0 : 1);
    }

    @SuppressWarnings("restricted")
    private MethodHandle function(String name, FunctionDescriptor type) {
        return LINKER.downcallHandle(library.findOrThrow(name), type);
    }

    private void arm(int call, long nth, int error) throws Throwable {
        try (Arena arena = Arena.ofConfined()) {
            function("fst_arm", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT)).invokeExact(arena.allocateFrom(directory.toString()),
                            call, nth, error);
        }
    }

    private long count(int call) throws Throwable {
        return (long) function("fst_count", FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT))
                .invokeExact(call);
    }

    private void everyCall(Device device, DirectIo mode, boolean rewrites) throws Throwable {
        arm(-1, 0, 0);
        if (!run(device, mode, rewrites)) {
            throw new AssertionError("it fails without a fault");
        }
        long[] counts = new long[CALLS.size()];
        for (int call = 0; call < counts.length; call++) {
            counts[call] = count(call);
        }
        for (int call = 0; call < counts.length; call++) {
            for (long nth = 1; nth <= Math.min(MOST, counts[call]); nth++) {
                for (int error : ERRORS) {
                    String what =
                            device + " " + mode + (rewrites ? " rewrite, " : " load, ") + CALLS.get(call) + " number "
                                    + nth + " with errno " + error;
                    arm(call, nth, error);
                    boolean right = run(device, mode, rewrites);
                    arm(-1, 0, 0);
                    survived += right ? 1 : 0;
                    failed += right ? 0 : 1;
                    System.out.println(what + ": " + (right ? "right" : "told"));
                }
            }
        }
    }

    /// @return whether it succeeded, with the right bytes; false if it failed as documented
    private boolean run(Device device, DirectIo mode, boolean rewrites) {
        OpenObjects objects = device.equals(NearProvider.DEVICE) ? NearProvider.behave(FaultPlan.seeded(1))
                : RemoteProvider.behave(FaultPlan.seeded(1));
        boolean right = true;
        try (Loader loader = Loader.builder().device(device).directIo(mode).blockBytes(16 << 10).readers(2).build()) {
            if (rewrites) {
                loader.rewrite(file, directory.resolve("copy.safetensors"), WriteOptions.defaults());
            }
            try (Weights weights = loader.load(file)) {
                for (String name : weights.names()) {
                    try (Arena arena = Arena.ofShared()) {
                        var copy = arena.allocate(weights.info(name).byteSize());
                        weights.get(name).copyTo(copy);
                        if (!digests.get(name).equals(Samples.digest(copy))) {
                            throw new AssertionError(name + " has other bytes");
                        }
                    }
                }
                weights.awaitAll();
            }
        } catch (FstException e) {
            if (e.getMessage().contains("null")) {
                throw new AssertionError("a message without words", e);
            }
            right = false;
        }
        Remains.assertNone(objects, directory, () -> device + " " + mode);
        return right;
    }
}
