package io.fastsafetensors.tests.load;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import io.fastsafetensors.test.CBuild;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The framework of `dlpack_peer.c`.
final class DlpackPeer {
    /// The contents of a struct.
    record Said(int major, int minor, long flags, long data, int deviceType, int deviceId, int code, int bits,
            int lanes, long byteOffset, List<Long> shape, List<Long> strides) {
    }

    /// A tensor to lend.
    record Lending(DlpackVersion version, int major, long flags, int deviceType, int deviceId, int code, int bits,
            int lanes, long byteOffset, boolean hasDeleter, boolean hasData, long[] shape, long[] strides) {
        /// Of one lane in host memory, without strides.
        static Lending of(DlpackVersion version, int code, int bits, long... shape) {
            return new Lending(version, 1, 0, 1, 0, code, bits, 1, 0, true, true, shape, null);
        }

        Lending major(int other) {
            return new Lending(version, other, flags, deviceType, deviceId, code, bits, lanes, byteOffset, hasDeleter,
                    hasData, shape, strides);
        }

        Lending flags(long other) {
            return new Lending(version, major, other, deviceType, deviceId, code, bits, lanes, byteOffset, hasDeleter,
                    hasData, shape, strides);
        }

        Lending device(int type, int id) {
            return new Lending(version, major, flags, type, id, code, bits, lanes, byteOffset, hasDeleter, hasData,
                    shape, strides);
        }

        Lending lanes(int other) {
            return new Lending(version, major, flags, deviceType, deviceId, code, bits, other, byteOffset, hasDeleter,
                    hasData, shape, strides);
        }

        Lending byteOffset(long other) {
            return new Lending(version, major, flags, deviceType, deviceId, code, bits, lanes, other, hasDeleter,
                    hasData, shape, strides);
        }

        Lending withoutDeleter() {
            return new Lending(version, major, flags, deviceType, deviceId, code, bits, lanes, byteOffset, false,
                    hasData, shape, strides);
        }

        Lending withoutData() {
            return new Lending(version, major, flags, deviceType, deviceId, code, bits, lanes, byteOffset, hasDeleter,
                    false, shape, strides);
        }

        Lending strides(long... other) {
            return new Lending(version, major, flags, deviceType, deviceId, code, bits, lanes, byteOffset, hasDeleter,
                    hasData, shape, other);
        }
    }

    private static final int SAY = 13;

    private final WordFunction read;
    private final WordFunction bytes;
    private final WordFunction delete;
    private final WordFunction deleteOnThread;
    private final MethodHandle deleteUnder;
    private final WordFunction deleter;
    private final WordFunction deleteAgain;
    private final WordFunction deleted;
    private final WordFunction lend;

    private DlpackPeer(NativeLibrary library) {
        read = library.words("peer_read");
        bytes = library.words("peer_bytes");
        delete = library.words("peer_delete");
        deleteOnThread = library.words("peer_delete_on_thread");
        deleteUnder = library.bind("peer_delete_under",
                FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS));
        deleter = library.words("peer_deleter");
        deleteAgain = library.words("peer_delete_again");
        deleted = library.words("peer_deleted");
        lend = library.words("peer_lend");
    }

    static DlpackPeer compile(Path directory) {
        return new DlpackPeer(NativeLibrary.open(CBuild.sharedLibrary("dlpack_peer.so")
                .resources(DlpackPeer.class, "dlpack_peer.c").into(directory).toString()));
    }

    private static int word(DlpackVersion version) {
        return version == DlpackVersion.VERSIONED ? 1 : 0;
    }

    Said read(long struct, DlpackVersion version) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG, 64);
            long count = read.call(struct, word(version), out.address());
            long[] w = out.asSlice(0, count * Long.BYTES).toArray(JAVA_LONG);
            int ndim = (int) w[10];
            List<Long> dims = new ArrayList<>();
            for (int i = 11; i < w.length; i++) {
                dims.add(w[i]);
            }
            return new Said((int) w[0], (int) w[1], w[2], w[3], (int) w[4], (int) w[5], (int) w[6], (int) w[7],
                    (int) w[8], w[9], dims.subList(0, ndim), dims.subList(ndim, 2 * ndim));
        }
    }

    /// The elements as C sees them, at most `most` bytes.
    byte[] bytes(long struct, DlpackVersion version, int most) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(most + 1L);
            long count = bytes.call(struct, word(version), out.address());
            return out.asSlice(0, count).toArray(JAVA_BYTE);
        }
    }

    void delete(long struct, DlpackVersion version) {
        delete.call(struct, word(version));
    }

    /// On a thread of its own; returns when it is done.
    void deleteOnThread(long struct, DlpackVersion version) {
        long status = deleteOnThread.call(struct, word(version));
        if (status != 0) {
            throw new AssertionError("pthread_create: " + status);
        }
    }

    /// Within a call that holds a segment, of which the first byte comes back.
    long deleteUnder(long struct, DlpackVersion version, MemorySegment segment) {
        try {
            return (long) deleteUnder.invokeExact(struct, word(version), segment);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    long deleter(long struct, DlpackVersion version) {
        return deleter.call(struct, word(version));
    }

    /// With the struct's deleter, which was asked for while it lived.
    void deleteAgain(long function, long struct) {
        deleteAgain.call(function, struct);
    }

    /// How many of its own tensors were deleted, ever.
    long deleted() {
        return deleted.call();
    }

    /// A struct over a copy of `content`.
    long lend(Lending tensor, byte[] content) {
        long[] shape = tensor.shape();
        long[] say = new long[SAY + 2 * shape.length];
        long[] head = {word(tensor.version()), tensor.major(), tensor.flags(), tensor.deviceType(), tensor.deviceId(),
            tensor.code(), tensor.bits(), tensor.lanes(), tensor.byteOffset(), tensor.strides() == null ? 0 : 1,
            tensor.hasDeleter() ? 1 : 0, tensor.hasData() ? 1 : 0, shape.length};
        System.arraycopy(head, 0, say, 0, SAY);
        System.arraycopy(shape, 0, say, SAY, shape.length);
        if (tensor.strides() != null) {
            System.arraycopy(tensor.strides(), 0, say, SAY + shape.length, shape.length);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment source = arena.allocate(content.length + 1L);
            MemorySegment.copy(content, 0, source, JAVA_BYTE, 0, content.length);
            return lend.call(arena.allocateFrom(JAVA_LONG, say).address(), source.address(), content.length);
        }
    }
}
