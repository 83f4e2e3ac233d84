package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// Reads what a driver says of a platform or a device; every method throws
/// [io.fastsafetensors.error.BackendException] if the driver refuses.
final class OpenClQuery {
    private interface Query {
        int ask(byte @Nullable [] value, long @Nullable [] size);
    }

    private final OpenCl cl;

    OpenClQuery(OpenCl cl) {
        this.cl = cl;
    }

    String platformText(long platform, int name) {
        return text("clGetPlatformInfo", (value, size) -> cl.clGetPlatformInfo(platform, name, value, size));
    }

    String text(long device, int name) {
        return text("clGetDeviceInfo", (value, size) -> cl.clGetDeviceInfo(device, name, value, size));
    }

    /// A `cl_ulong` or a set of bits.
    long number(long device, int name) {
        return read(device, name, Long.BYTES).getLong();
    }

    /// A `cl_uint`.
    int small(long device, int name) {
        return read(device, name, Integer.BYTES).getInt();
    }

    /// A `cl_bool`.
    boolean flag(long device, int name) {
        return small(device, name) != 0;
    }

    /// What the compiler said of a program.
    String buildLog(long program, long device) {
        return text("clGetProgramBuildInfo", (value, size) -> cl.clGetProgramBuildInfo(program, device,
                OpenCl.CL_PROGRAM_BUILD_LOG, value, size));
    }

    /// The first of the `size_t`s that a vendor's extension gives.
    long firstSize(long device, int name) {
        long[] size = new long[1];
        ClStatus.check("clGetDeviceInfo", cl.clGetDeviceInfo(device, name, null, size));
        return read(device, name, Math.toIntExact(size[0])).getLong();
    }

    private ByteBuffer read(long device, int name, int bytes) {
        byte[] value = new byte[bytes];
        ClStatus.check("clGetDeviceInfo", cl.clGetDeviceInfo(device, name, value, null));
        return ByteBuffer.wrap(value).order(ByteOrder.nativeOrder());
    }

    private static String text(String call, Query query) {
        long[] size = new long[1];
        ClStatus.check(call, query.ask(null, size));
        byte[] value = new byte[Math.toIntExact(size[0])];
        ClStatus.check(call, query.ask(value, null));
        int end = 0;
        while (end < value.length && value[end] != 0) {
            end++;
        }
        return new String(value, 0, end, StandardCharsets.UTF_8).strip();
    }
}
