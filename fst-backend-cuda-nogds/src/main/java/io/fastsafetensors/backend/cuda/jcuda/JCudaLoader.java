package io.fastsafetensors.backend.cuda.jcuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.PrivateLibrary;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import jcuda.driver.JCudaDriver;

/// Loads the driver, and JCuda's own library on top of it.
public final class JCudaLoader {
    /// JCuda's libraries in its jar.
    private static final String FOLDER = "lib/";

    private JCudaLoader() {
    }

    /// JCuda's version.
    public static String version() {
        return JCudaVersion.get();
    }

    /// Loads both. JCuda would look for its library in the temporary directory; it is given a private one.
    ///
    /// @throws UnsupportedFeatureException saying which of them is missing, or why it cannot be loaded
    public static CudaDriver load() {
        requireDriver();
        String library = LibUtils.createLibraryFileName(LibUtils.createPlatformLibraryName("JCudaDriver-" + version()));
        try {
            PrivateLibrary.load(JCudaVersion.class, FOLDER + library, JCudaLoader::initialise);
        } catch (LinkageError e) {
            throw new UnsupportedFeatureException("JCuda's library " + library + " cannot be loaded (" + reason(e)
                    + "); it needs glibc, libcuda.so.1 of a complete driver, and in -Djava.io.tmpdir a directory from"
                    + " which libraries may be loaded", Where.nowhere(), e);
        }
        return new JCudaBinding();
    }

    private static void requireDriver() {
        try {
            NativeLibrary.open("libcuda.so.1");
        } catch (UnsupportedFeatureException e) {
            throw new UnsupportedFeatureException("no NVIDIA driver: " + e.getMessage()
                    + "; install the driver, of release 525 (CUDA 12.0) or newer", Where.nowhere(), e);
        }
    }

    /// JCuda loads its library in the initialiser of this class.
    private static void initialise() {
        JCudaDriver.cuDriverGetVersion(new int[1]);
    }

    /// JCuda's message is a page with the stack traces of every attempt; the last error line is the system loader's.
    private static String reason(LinkageError e) {
        String message = String.valueOf(e.getMessage());
        return message.lines().filter(line -> line.contains("Error: ")).reduce((first, second) -> second)
                .map(line -> line.substring(line.indexOf("Error: ") + "Error: ".length()))
                .orElse(message.lines().findFirst().orElse(""));
    }
}
