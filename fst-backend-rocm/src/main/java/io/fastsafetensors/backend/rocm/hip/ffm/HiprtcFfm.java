package io.fastsafetensors.backend.rocm.hip.ffm;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.SignalHandlers;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// [Hiprtc] on a library that depends on the runtime found. Bound when it is made: a compiler is called once or never.
final class HiprtcFfm implements Hiprtc {
    private final NativeLibrary library;
    // const char *hiprtcGetErrorString(hiprtcResult result)
    private final WordFunction getErrorString;
    // hiprtcResult hiprtcCreateProgram(hiprtcProgram *prog, const char *src, const char *name, int numHeaders,
    // const char **headers, const char **includeNames)
    private final WordFunction createProgram;
    // hiprtcResult hiprtcDestroyProgram(hiprtcProgram *prog)
    private final WordFunction destroyProgram;
    // hiprtcResult hiprtcCompileProgram(hiprtcProgram prog, int numOptions, const char **options)
    private final WordFunction compileProgram;
    // hiprtcResult hiprtcGetProgramLogSize(hiprtcProgram prog, size_t *logSizeRet)
    private final WordFunction getProgramLogSize;
    // hiprtcResult hiprtcGetProgramLog(hiprtcProgram prog, char *log)
    private final WordFunction getProgramLog;
    // hiprtcResult hiprtcGetCodeSize(hiprtcProgram prog, size_t *codeSizeRet)
    private final WordFunction getCodeSize;
    // hiprtcResult hiprtcGetCode(hiprtcProgram prog, char *code)
    private final WordFunction getCode;

    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if the library has no hiprtc
    HiprtcFfm(NativeLibrary library) {
        this.library = library;
        this.getErrorString = library.words("hiprtcGetErrorString");
        this.createProgram = library.words("hiprtcCreateProgram");
        this.destroyProgram = library.words("hiprtcDestroyProgram");
        this.compileProgram = library.words("hiprtcCompileProgram");
        this.getProgramLogSize = library.words("hiprtcGetProgramLogSize");
        this.getProgramLog = library.words("hiprtcGetProgramLog");
        this.getCodeSize = library.words("hiprtcGetCodeSize");
        this.getCode = library.words("hiprtcGetCode");
    }

    @Override
    public String library() {
        return library.name();
    }

    @Override
    public String hiprtcGetErrorString(int status) {
        return CStrings.at(getErrorString.call(status));
    }

    @Override
    public int hiprtcCreateProgram(long[] program, String source, String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
            int status = (int) createProgram.call(out.address(), arena.allocateFrom(source).address(),
                    arena.allocateFrom(name).address());
            program[0] = out.get(ValueLayout.JAVA_LONG, 0);
            return status;
        }
    }

    @Override
    public int hiprtcDestroyProgram(long program) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) destroyProgram.call(arena.allocateFrom(ValueLayout.JAVA_LONG, program).address());
        }
    }

    @Override
    public int hiprtcCompileProgram(long program, String... options) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment texts = arena.allocate(ValueLayout.JAVA_LONG, options.length);
            for (int i = 0; i < options.length; i++) {
                texts.setAtIndex(ValueLayout.JAVA_LONG, i, arena.allocateFrom(options[i]).address());
            }
            // An LLVM compiles inside this process, which may take over the signals that the JVM lives on.
            return SignalHandlers
                    .kept(() -> (int) compileProgram.call(program, options.length, texts.address()));
        }
    }

    @Override
    public int hiprtcGetProgramLogSize(long program, long[] bytes) {
        return size(getProgramLogSize, program, bytes);
    }

    @Override
    public int hiprtcGetProgramLog(long program, String[] log, long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(bytes + 1);
            int status = (int) getProgramLog.call(program, memory.address());
            log[0] = memory.getString(0);
            return status;
        }
    }

    @Override
    public int hiprtcGetCodeSize(long program, long[] bytes) {
        return size(getCodeSize, program, bytes);
    }

    @Override
    public int hiprtcGetCode(long program, byte[] code) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(code.length);
            int status = (int) getCode.call(program, memory.address());
            MemorySegment.copy(memory, ValueLayout.JAVA_BYTE, 0, code, 0, code.length);
            return status;
        }
    }

    private static int size(WordFunction function, long program, long[] bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
            int status = (int) function.call(program, out.address());
            bytes[0] = out.get(ValueLayout.JAVA_LONG, 0);
            return status;
        }
    }
}
