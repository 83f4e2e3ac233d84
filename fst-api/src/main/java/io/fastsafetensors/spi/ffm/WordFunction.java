package io.fastsafetensors.spi.ffm;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/// A C function of at most six arguments, all of which are integers or pointers, as is its result.
///
/// Every such function is called by one shape: six 64-bit words in, one out. On 64-bit Linux they travel in registers
/// whatever the prototype says, variadic ones included (System V x86-64 and AAPCS64 calling conventions), and a callee
/// looks only at those, and at as many bits of them, as it declares. One shape matters because linking another costs
/// tens of milliseconds of a process's start. Narrow the result to the prototype's type: the upper bits of an `int`
/// are undefined. Keep a segment whose address is passed alive until the call returns. errno is in [Errno#last()].
///
/// A record, so that calls through a `static final` one are constant folded.
///
/// @param handle of the type `long (MemorySegment capture, long, long, long, long, long, long)`
public record WordFunction(MethodHandle handle) {
    static final FunctionDescriptor SHAPE = FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
            JAVA_LONG, JAVA_LONG);

    /// The function at an address that native code gave: a function pointer. Keep it in no constant; it is cheap to
    /// make again.
    ///
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if native access is denied
    @SuppressWarnings("restricted")
    public static WordFunction at(long address) {
        try {
            return new WordFunction(Linker.nativeLinker().downcallHandle(MemorySegment.ofAddress(address), SHAPE,
                    Errno.option()));
        } catch (IllegalCallerException e) {
            throw NativeAccess.denied("a native function", e);
        }
    }

    /// Calls with no argument.
    public long call() {
        return call(0, 0, 0, 0, 0, 0);
    }

    /// Calls with one argument.
    public long call(long a) {
        return call(a, 0, 0, 0, 0, 0);
    }

    /// Calls with two arguments.
    public long call(long a, long b) {
        return call(a, b, 0, 0, 0, 0);
    }

    /// Calls with three arguments.
    public long call(long a, long b, long c) {
        return call(a, b, c, 0, 0, 0);
    }

    /// Calls with four arguments.
    public long call(long a, long b, long c, long d) {
        return call(a, b, c, d, 0, 0);
    }

    /// Calls with five arguments.
    public long call(long a, long b, long c, long d, long e) {
        return call(a, b, c, d, e, 0);
    }

    /// Calls with six arguments.
    public long call(long a, long b, long c, long d, long e, long f) {
        try {
            return (long) handle.invokeExact(Errno.capture(), a, b, c, d, e, f);
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }
}
