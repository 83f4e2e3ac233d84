package io.fastsafetensors.spi.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.VarHandle;

/// errno after a call: one capture segment a thread, since errno is one a thread.
///
/// Bind the function with [#option()], pass [#capture()] as its first argument, ask [#last()] when it failed.
public final class Errno {
    private static final StructLayout LAYOUT = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = LAYOUT.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final ThreadLocal<MemorySegment> CAPTURE = ThreadLocal
            .withInitial(() -> Arena.ofAuto().allocate(LAYOUT));

    private Errno() {
    }

    /// The linker option that saves errno.
    public static Linker.Option option() {
        return Linker.Option.captureCallState("errno");
    }

    /// This thread's capture segment.
    public static MemorySegment capture() {
        return CAPTURE.get();
    }

    /// What errno was after this thread's last captured call.
    public static int last() {
        return (int) ERRNO.get(CAPTURE.get(), 0L);
    }
}
