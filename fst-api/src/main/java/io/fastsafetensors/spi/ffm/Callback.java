package io.fastsafetensors.spi.ffm;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.function.LongConsumer;

/// Java code that native code calls by a function pointer, from any thread of the process.
public final class Callback {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.spi");

    private final String what;
    private final LongConsumer target;

    private Callback(String what, LongConsumer target) {
        this.what = what;
        this.target = target;
    }

    /// A function `void (*)(void *)` that hands its argument to `target`. Never freed: make one a purpose, not one a
    /// call. What `target` throws is logged and goes no further.
    ///
    /// @param what how the log calls it
    /// @return the address of the function
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if native access is denied
    @SuppressWarnings("restricted")
    public static long of(String what, LongConsumer target) {
        try {
            MethodHandle run = MethodHandles.lookup().findVirtual(Callback.class, "run",
                    MethodType.methodType(void.class, long.class));
            return Linker.nativeLinker().upcallStub(run.bindTo(new Callback(what, target)),
                    FunctionDescriptor.ofVoid(JAVA_LONG), Arena.global()).address();
        } catch (NoSuchMethodException | IllegalAccessException e) {
            throw new LinkageError(e.getMessage(), e);
        } catch (IllegalCallerException e) {
            throw NativeAccess.denied(what, e);
        }
    }

    /// An exception that leaves an upcall ends the virtual machine.
    @SuppressWarnings("UnusedMethod")
    private void run(long argument) {
        try {
            target.accept(argument);
        } catch (Throwable failure) {
            report(failure);
        }
    }

    private void report(Throwable failure) {
        try {
            LOG.log(Level.WARNING, what + " failed", failure);
        } catch (Throwable _) {
            // Logging needs memory and a working handler; the caller is native code, which nothing can be told.
        }
    }
}
