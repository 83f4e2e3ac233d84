package io.fastsafetensors.test.gpu;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import io.fastsafetensors.gpu.kernel.KernelSource;
import io.fastsafetensors.test.CBuild;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// A fake GPU in this process, and the switches that tests turn.
///
/// [#load] before anything looks for the real driver: the system's loader then takes the fake one for every request of
/// that name in this process. A program in another process is given [#build]'s folder in `LD_LIBRARY_PATH`, and the
/// environment variables `FAKE_GPU_DEVICES` (2 unless given), `FAKE_GPU_MEMORY` (bytes of each device, 8 GiB),
/// `FAKE_GPU_HOST_MEMORY` (bytes that can be page-locked, 4 GiB), `FAKE_GPU_DELAY` (microseconds for each copy and
/// kernel) and `FAKE_GPU_FAIL` (`function:nth:status`, several separated by commas).
///
/// Functions are named as in the API's documentation, without `_v2`; `*` is any of them. `@copy` and `@kernel` are the
/// work of a stream, which fails when it runs, and from then on every call that looks at it, until [#reset()]. A
/// function that releases something releases it even when it is told to fail. Thread-safe.
public final class FakeGpu {
    private static final String[] HEADERS = {"fake_gpu.h", "fake_gpu_engine.h", "fake_hip_code.h"};
    private static final List<String> ENGINE = List.of("fake_gpu.c", "fake_streams.c", "fake_kernels.c");

    /// Both vendors' status of work that reached outside of the device's memory.
    private static final int ILLEGAL_ADDRESS = 700;

    private final Path library;
    private final WordFunction fail;
    private final WordFunction reset;
    private final WordFunction calls;
    private final WordFunction count;
    private final WordFunction delay;
    private final WordFunction hold;
    private final WordFunction memory;
    private final WordFunction attribute;

    private FakeGpu(Path library) {
        NativeLibrary fake = NativeLibrary.open(library.toString());
        this.library = library;
        this.fail = fake.words("fake_gpu_fail");
        this.reset = fake.words("fake_gpu_reset");
        this.calls = fake.words("fake_gpu_calls");
        this.count = fake.words("fake_gpu_count");
        this.delay = fake.words("fake_gpu_delay");
        this.hold = fake.words("fake_gpu_hold");
        this.memory = fake.words("fake_gpu_memory");
        this.attribute = fake.words("fake_gpu_attribute");
    }

    /// Compiles the fake driver. Without a C compiler the test ends by [io.fastsafetensors.test.Prerequisite#C_COMPILER].
    ///
    /// @param folder where the library, and a second one where the face has two, goes; must exist
    /// @return the library
    public static Path build(Path folder, Face face) {
        List<String> sources = new ArrayList<>(switch (face) {
            case CUDA -> List.of("fake_cuda.c");
            case HIP_5 -> List.of("fake_hip.c", "fake_hiprtc.c");
            case HIP_6, HIP_7 -> List.of("fake_hip.c");
            case HIP_OVER_CUDA -> List.of("hip_over_cuda.c");
        });
        if (face.isFake()) {
            sources.addAll(ENGINE);
        }
        Path library = library(face.libraryName(), face, sources).into(folder);
        if (face.hasCompanion()) {
            library(face.companionName(), face, List.of("fake_hiprtc.c")).linkedWith(library).into(folder);
        }
        return library;
    }

    private static CBuild library(String name, Face face, List<String> sources) {
        return CBuild.sharedLibrary(name).options("-std=c11", "-fvisibility=hidden",
                "-DFAKE_HIP_MAJOR=" + face.hipMajor()).resources(FakeGpu.class, HEADERS)
                .source("fst_kernels.h", KernelSource.text())
                .resources(FakeGpu.class, sources.toArray(String[]::new));
    }

    /// Compiles the fake driver and loads it into this process, for good.
    ///
    /// @param folder where the library goes; must exist
    /// @throws IllegalArgumentException if the face is no fake
    public static FakeGpu load(Path folder, Face face) {
        if (!face.isFake()) {
            throw new IllegalArgumentException(face + " has no fake GPU behind it");
        }
        FakeGpu gpu = new FakeGpu(build(folder, face));
        if (face.hasCompanion()) {
            // Loaded is enough: it is found by its soname from now on.
            NativeLibrary.open(folder.resolve(face.companionName()).toString());
        }
        return gpu;
    }

    /// Compiles the fake of the library for collectives (NCCL, or RCCL), for ranks that are threads of this process, and
    /// loads it for good. Its functions are named, counted and made to fail like the driver's.
    ///
    /// @param folder where [#load] has put the driver
    /// @param face the one that was loaded
    public static void loadCollectives(Path folder, Face face) {
        NativeLibrary.open(library(face.collectivesName(), face, List.of("fake_nccl.c"))
                .linkedWith(folder.resolve(face.libraryName())).into(folder).toString());
    }

    /// The loaded library.
    public Path library() {
        return library;
    }

    /// Makes one call fail.
    ///
    /// @param function the function
    /// @param nth which call from now, from 1
    /// @param status what it returns
    public void fail(String function, long nth, int status) {
        try (Arena arena = Arena.ofConfined()) {
            if ((int) fail.call(arena.allocateFrom(function).address(), nth, status) != 0) {
                throw new IllegalArgumentException("cannot fail call " + nth + " of " + function);
            }
        }
    }

    /// Makes the next work of this kind, `@copy` or `@kernel`, fail, as [#fail] does.
    ///
    /// @return ends it by [#reset()]
    public AutoCloseable failing(String work) {
        fail(work, 1, ILLEGAL_ADDRESS);
        return this::reset;
    }

    /// Waits for all streams, and forgets failures, delays, attributes and the counts of calls.
    public void reset() {
        reset.call();
    }

    /// How often the function was called since the last reset.
    public long calls(String function) {
        try (Arena arena = Arena.ofConfined()) {
            return calls.call(arena.allocateFrom(function).address());
        }
    }

    /// How many there are now: `allocations`, `allocatedBytes` (of devices), `pinned`, `pinnedBytes` (page-locked,
    /// registered included), `registrations`, `streams`, `events`, `contexts`, `modules`, `programs`, `communicators`, `all` (of what
    /// was created and not released). Or how many there have been: `pageableCopies` (asynchronous copies that had to be
    /// done at once, since the memory was not page-locked), `launches`, `compilations`.
    ///
    /// @throws IllegalArgumentException if nothing of this name is counted
    public long count(String what) {
        try (Arena arena = Arena.ofConfined()) {
            long number = count.call(arena.allocateFrom(what).address());
            if (number < 0) {
                throw new IllegalArgumentException("no count of " + what);
            }
            return number;
        }
    }

    /// Each copy and kernel takes this much longer.
    public void delay(Duration pause) {
        delay.call(pause.toNanos() / 1000);
    }

    /// Stops every stream before its next copy or kernel, or lets them go on. Calls that wait for a stream (releasing
    /// memory is one) wait for that, too.
    public void hold(boolean held) {
        hold.call(held ? 1 : 0);
    }

    /// Sets the memory of each device, in bytes.
    public void memory(long bytes) {
        memory.call(bytes);
    }

    /// Sets what the driver answers when it is asked for this attribute of a device.
    public void attribute(int number, int value) {
        attribute.call(number, value);
    }
}
