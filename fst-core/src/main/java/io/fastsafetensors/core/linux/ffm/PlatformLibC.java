package io.fastsafetensors.core.linux.ffm;

import java.lang.System.Logger.Level;
import org.jspecify.annotations.Nullable;

/// The [LibC] of this process: none on other systems than Linux, or where native access is denied.
///
/// Apart from [LibCFfm], because the initialiser of that class binds every function, and fails where one is missing or
/// native access is denied: here that becomes a reason. Decided once for the process.
public final class PlatformLibC {
    private PlatformLibC() {
    }

    /// Bound when it is first asked for.
    private static final class Holder {
        private static final @Nullable LibC INSTANCE;
        private static final String OBSTACLE;

        static {
            LibC bound = null;
            String obstacle = "";
            if (System.getProperty("os.name").equals("Linux")) {
                try {
                    bound = new LibCFfm();
                } catch (IllegalCallerException | LinkageError e) {
                    System.getLogger("io.fastsafetensors.core").log(Level.DEBUG, "no native calls", e);
                    Throwable cause = e.getCause() == null ? e : e.getCause();
                    obstacle = "native access is off (" + cause.getMessage() + "); start java with"
                            + " --enable-native-access=io.fastsafetensors.api, or ALL-UNNAMED on the class path";
                }
            } else {
                obstacle = "direct reads are for Linux";
            }
            INSTANCE = bound;
            OBSTACLE = obstacle;
        }
    }

    /// The calls, null where there are none.
    public static @Nullable LibC instance() {
        return Holder.INSTANCE;
    }

    /// The reason why there are none, for people; empty if there are.
    public static String obstacle() {
        return Holder.OBSTACLE;
    }
}
