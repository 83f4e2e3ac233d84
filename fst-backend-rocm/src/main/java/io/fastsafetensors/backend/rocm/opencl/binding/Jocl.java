package io.fastsafetensors.backend.rocm.opencl.binding;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.PrivateLibrary;
import java.util.function.BooleanSupplier;
import org.jocl.CL;
import org.jocl.LibUtils;

/// Loads JOCL and through it the OpenCL library of this machine.
public final class Jocl {
    /// What JOCL tries, in its order.
    private static final String[] NAMES = {"libOpenCL.so", "libOpenCL.so.1"};
    /// JOCL's own library has JOCL's version in its name.
    private static final String LIBRARY = "JOCL_2_0_6";

    private Jocl() {
    }

    /// Loads both. Whatever would make JOCL or the JVM print is asked before.
    ///
    /// @throws UnsupportedFeatureException if a library is missing, or native access is not enabled
    /// @throws LinkageError if a library does not load
    public static OpenCl load() {
        return load(CL.class.getModule()::isNativeAccessEnabled, NAMES);
    }

    static OpenCl load(BooleanSupplier nativeAccess, String... names) {
        if (!nativeAccess.getAsBoolean()) {
            throw new UnsupportedFeatureException("JOCL may not load native code; start java with"
                    + " --enable-native-access=io.fastsafetensors.api,jocl, or ALL-UNNAMED on the class path",
                    Where.nowhere());
        }
        NativeLibrary.open(names);
        String file = LibUtils.createLibraryFileName(LibUtils.createPlatformLibraryName(LIBRARY));
        PrivateLibrary.load(CL.class, "lib/" + file, Jocl::initialise);
        return new JoclOpenCl();
    }

    /// Any use of the class initialises it, and that loads its library.
    private static void initialise() {
        CL.stringFor_errorCode(OpenCl.CL_SUCCESS);
    }
}
