package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/// A device of the [FakeDriver]: facts by name, as bytes.
final class FakeDevice {
    static final long TOTAL = 1 << 20;
    static final long LARGEST = 1 << 18;

    final Map<Integer, byte[]> facts = new HashMap<>();

    FakeDevice(String name, long type) {
        with(OpenCl.CL_DEVICE_NAME, text(name));
        with(OpenCl.CL_DEVICE_VENDOR, text("Fakes"));
        with(OpenCl.CL_DRIVER_VERSION, text("7"));
        with(OpenCl.CL_DEVICE_VERSION, text("OpenCL 1.2 fake"));
        with(OpenCl.CL_DEVICE_EXTENSIONS, text("cl_khr_icd"));
        with(OpenCl.CL_DEVICE_TYPE, number(type));
        with(OpenCl.CL_DEVICE_GLOBAL_MEM_SIZE, number(TOTAL));
        with(OpenCl.CL_DEVICE_MAX_MEM_ALLOC_SIZE, number(LARGEST));
        with(OpenCl.CL_DEVICE_MEM_BASE_ADDR_ALIGN, small(1024));
        with(OpenCl.CL_DEVICE_ENDIAN_LITTLE, small(1));
        with(OpenCl.CL_DEVICE_AVAILABLE, small(1));
        with(OpenCl.CL_DEVICE_COMPILER_AVAILABLE, small(1));
    }

    FakeDevice with(int name, byte[] fact) {
        facts.put(name, fact);
        return this;
    }

    FakeDevice without(int name) {
        facts.remove(name);
        return this;
    }

    /// Says how much memory is free, as AMD's drivers do.
    FakeDevice withFreeKibibytes(long free) {
        return with(OpenCl.CL_DEVICE_EXTENSIONS, text("cl_khr_icd cl_amd_device_attribute_query")).with(
                OpenCl.CL_DEVICE_GLOBAL_FREE_MEMORY_AMD,
                ByteBuffer.allocate(16).order(ByteOrder.nativeOrder()).putLong(free).putLong(free / 2).array());
    }

    static byte[] text(String text) {
        return (text + "\0").getBytes(StandardCharsets.UTF_8);
    }

    static byte[] number(long value) {
        return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(value).array();
    }

    static byte[] small(int value) {
        return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.nativeOrder()).putInt(value).array();
    }
}
