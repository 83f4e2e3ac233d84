package io.fastsafetensors.core.place.ffm;

import java.lang.System.Logger.Level;
import org.jspecify.annotations.Nullable;

/// The platform's [HostLibC], where it has one.
public final class HostCalls {
    private HostCalls() {
    }

    private static final class Holder {
        private static final @Nullable HostLibC INSTANCE = bind();

        private static @Nullable HostLibC bind() {
            if (!System.getProperty("os.name").equals("Linux")) {
                return null;
            }
            try {
                return new HostLibCFfm();
            } catch (IllegalCallerException | LinkageError e) {
                System.getLogger("io.fastsafetensors.core").log(Level.DEBUG, "no native calls", e);
                return null;
            }
        }
    }

    /// The calls, null on other systems than Linux and without native access; what they are for is then left out.
    public static @Nullable HostLibC instance() {
        return Holder.INSTANCE;
    }
}
