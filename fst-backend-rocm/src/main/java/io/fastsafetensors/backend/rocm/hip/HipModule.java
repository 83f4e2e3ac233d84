package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.gpu.kernel.KernelPlan;
import java.util.HashMap;
import java.util.Map;

/// The shared kernels, loaded to a device.
///
/// @param device where
/// @param module HIP's module
/// @param functions HIP's function of each name
record HipModule(HipDevice device, long module, Map<String, Long> functions) implements AutoCloseable {
    /// @throws BackendException if the device does not take the code, or a function is missing in it
    static HipModule load(HipDevice device, byte[] code) {
        long module = device.make("hipModuleLoadData", made -> device.hip().hipModuleLoadData(made, code),
                made -> unload(device, made));
        try (HipDevice.Current _ = device.makeCurrent()) {
            Map<String, Long> functions = new HashMap<>();
            for (String name : KernelPlan.functions()) {
                long[] function = new long[1];
                int status = device.hip().hipModuleGetFunction(function, module, name);
                device.runtime().check("hipModuleGetFunction(" + name + ")", status);
                functions.put(name, function[0]);
            }
            return new HipModule(device, module, Map.copyOf(functions));
        } catch (BackendException e) {
            throw new Releases().run(() -> unload(device, module)).because(e);
        }
    }

    @Override
    public void close() {
        unload(device, module);
    }

    private static void unload(HipDevice device, long module) {
        device.runtime().check("hipModuleUnload", device.hip().hipModuleUnload(module));
    }
}
