package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.HipFfm;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.types.DType;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.TreeMap;

/// Uses whatever HIP its process finds: says what the probe says, or compiles, or converts 1.5 to F16 on each device.
final class HipProgram {
    private HipProgram() {
    }

    public static void main(String[] args) {
        if (args.length > 0) {
            compile(args);
            return;
        }
        HipBackendProvider provider = new HipBackendProvider();
        Probe probe = provider.probe();
        probe.obstacle().ifPresent(reason -> System.out.println("unavailable: " + reason));
        probe.found().ifPresent(available -> {
            System.out.println("versions: " + new TreeMap<>(available.versions()));
            for (DeviceInfo info : available.devices()) {
                System.out.println(info.device() + ": " + info.name() + ", " + info.totalBytes() + " bytes, "
                        + info.attributes().get("architecture") + ", " + convert(provider, info));
            }
        });
    }

    private static void compile(String[] architectures) {
        HipFfm hip = new HipFfm();
        int[] version = new int[1];
        hip.hipRuntimeGetVersion(version);
        KernelCompiler compiler = new KernelCompiler(hip.compiler(version[0]));
        for (String arch : architectures) {
            byte[] code = compiler.compile(arch);
            System.out.println(arch + ": " + (code.length > 4 && code[1] == 'E' && code[2] == 'L' && code[3] == 'F'
                    ? "ELF" : "no code object"));
        }
    }

    private static String convert(HipBackendProvider provider, DeviceInfo info) {
        try (Backend backend = provider.open(info.device(),
                BackendOptions.defaults().withProperties(Map.of(HipOptions.KERNEL_CACHE, "off")));
                StagingBuffer staging = backend.allocateStaging(4);
                DeviceBuffer source = backend.allocate(4, 256);
                DeviceBuffer target = backend.allocate(2, 256);
                CopyStream stream = backend.openCopyStream()) {
            staging.segment().set(ValueLayout.JAVA_FLOAT, 0, 1.5f);
            stream.copyToDevice(staging.segment(), source, 0);
            backend.kernels().convert(stream, BufferSlice.of(source), DType.F32, BufferSlice.of(target), DType.F16, 1);
            stream.copyToHost(target, 0, staging.segment().asSlice(0, 2));
            stream.synchronize();
            return Float.float16ToFloat(staging.segment().get(ValueLayout.JAVA_SHORT, 0)) + " in F16";
        } catch (UnsupportedFeatureException e) {
            return e.getMessage();
        }
    }
}
