package io.fastsafetensors.backend.rocm.hip.ffm;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The names under which the libraries of HIP and hiprtc are looked up.
public final class HipLibraries {
    private static final String NAME = "libamdhip64.so";
    /// Major versions whose functions are known, newest first.
    private static final int[] MAJORS = {7, 6, 5};
    /// Where AMD's packages install, unless the environment says otherwise.
    private static final String ROCM = "/opt/rocm";
    private static final int MAJOR_UNIT = 10_000_000;

    private HipLibraries() {
    }

    /// The names to try, best first: the versions that are known, by soname; then the name without a version, which may
    /// be any; then AMD's own folder, which the system's loader need not know. Symbols are looked up in the library
    /// found and what it brings, never in the whole process, and all start with `hip`: no CUDA library answers for HIP.
    public static List<String> names() {
        List<String> names = new ArrayList<>();
        for (int major : MAJORS) {
            names.add(NAME + "." + major);
        }
        names.add(NAME);
        String rocm = System.getenv("ROCM_PATH");
        names.add(Path.of(rocm == null || rocm.isBlank() ? ROCM : rocm, "lib", NAME).toString());
        return names;
    }

    /// The HIP runtime.
    ///
    /// @throws UnsupportedFeatureException listing every name tried
    static NativeLibrary runtime() {
        return NativeLibrary.open(names().toArray(String[]::new));
    }

    /// hiprtc of the runtime's own version, never of another: next to the runtime, by its soname, or in the runtime's
    /// library, where it lived before ROCm 6.
    ///
    /// @param runtime the runtime's library
    /// @param version what `hipRuntimeGetVersion` says
    static NativeLibrary compiler(NativeLibrary runtime, int version) {
        String name = "libhiprtc.so." + version / MAJOR_UNIT;
        Optional<Path> folder = Optional.ofNullable(Path.of(runtime.name()).getParent());
        try {
            return folder.isPresent() ? NativeLibrary.open(folder.get().resolve(name).toString(), name)
                    : NativeLibrary.open(name);
        } catch (UnsupportedFeatureException _) {
            // Then it is in the runtime's library, or binding its functions says that it is not.
            return runtime;
        }
    }
}
