package io.fastsafetensors.backend.cuda.gds.fakegpu;

import io.fastsafetensors.backend.cuda.gds.GdsBackendProvider;
import io.fastsafetensors.test.CBuild;
import java.nio.file.Path;

/// The C sources among the test resources, compiled.
final class NativeCode {
    private NativeCode() {
    }

    /// The fake `libcufile.so.0`.
    static Path cuFile(Path folder) {
        return CBuild.sharedLibrary("libcufile.so.0").resources(GdsBackendProvider.class, "fake_cufile.c")
                .options("-fvisibility=hidden").into(folder);
    }

    /// The program that reads by plain calls of cuFile.
    static Path loop(Path folder) {
        return CBuild.program("cufile_loop").resources(GdsBackendProvider.class, "cufile_loop.c").into(folder);
    }
}
