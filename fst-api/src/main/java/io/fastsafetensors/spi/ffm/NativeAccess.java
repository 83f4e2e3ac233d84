package io.fastsafetensors.spi.ffm;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import java.lang.foreign.MemorySegment;

/// Tells whether the virtual machine lets fst call native code and take pointers, and what to say where it does not:
/// every restricted call of this package fails with it, never with a bare [IllegalCallerException].
public final class NativeAccess {
    private NativeAccess() {
    }

    private static final class Holder {
        private static final boolean ALLOWED = attempt();

        @SuppressWarnings("restricted")
        private static boolean attempt() {
            try {
                // Asking the module is no answer: where access is only warned of, it is enabled by the first use.
                return MemorySegment.NULL.reinterpret(1).byteSize() == 1;
            } catch (IllegalCallerException e) {
                return false;
            }
        }
    }

    /// Whether it is allowed; the first call may be the one that the virtual machine warns of.
    public static boolean isAllowed() {
        return Holder.ALLOWED;
    }

    /// The option of the `java` command that allows it.
    public static String option() {
        Module caller = NativeAccess.class.getModule();
        return "--enable-native-access=" + (caller.isNamed() ? caller.getName() : "ALL-UNNAMED");
    }

    /// Refuses to go on where it is not allowed.
    ///
    /// @param what who needs it, for people
    /// @throws UnsupportedFeatureException naming the option that allows it
    public static void require(String what) {
        if (!isAllowed()) {
            throw denied(what, new IllegalCallerException("native access is denied"));
        }
    }

    /// What to throw where it is denied.
    ///
    /// @param what who needs it, for people
    public static UnsupportedFeatureException denied(String what, IllegalCallerException cause) {
        return new UnsupportedFeatureException(what + " needs native access; start java with " + option(),
                Where.nowhere(), cause);
    }

    /// Whether a failure is a denial.
    public static boolean isDenial(Throwable failure) {
        for (Throwable e = failure; e != null; e = e.getCause()) {
            if (e instanceof IllegalCallerException) {
                return true;
            }
        }
        return false;
    }
}
