package io.fastsafetensors.core.select;

import io.fastsafetensors.spi.Services;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/// Names the artifacts that fst itself publishes, and their providers, so that a missing one can be told from one that is
/// there but not registered. Nothing is loaded through it.
enum ShippedProviders {
    CPU(true, "cpu", "cpu", "fst-backend-cpu", "io.fastsafetensors.backend.cpu.CpuBackendProvider"),
    CUDA(true, "cuda", "cuda", "fst-backend-cuda-nogds", "io.fastsafetensors.backend.cuda.CudaBackendProvider"),
    CUDA_GDS(true, "cuda-gds", "cuda", "fst-backend-cuda-gds",
            "io.fastsafetensors.backend.cuda.gds.GdsBackendProvider"),
    HIP(true, "hip", "rocm", "fst-backend-rocm", "io.fastsafetensors.backend.rocm.hip.HipBackendProvider"),
    OPENCL(true, "opencl", "opencl", "fst-backend-rocm",
            "io.fastsafetensors.backend.rocm.opencl.OpenClBackendProvider"),
    MPI(false, "mpi", "", "fst-backend-cpu", "io.fastsafetensors.backend.cpu.mpi.MpiProvider"),
    NCCL(false, "nccl", "", "fst-backend-cuda-nogds", "io.fastsafetensors.backend.cuda.NcclProvider"),
    RCCL(false, "rccl", "", "fst-backend-rocm", "io.fastsafetensors.backend.rocm.hip.RcclProvider");

    private final boolean backend;
    private final String provided;
    private final String deviceType;
    private final String artifact;
    private final String className;

    /// @param provided the name of the backend or transport
    /// @param deviceType what a backend serves
    ShippedProviders(boolean backend, String provided, String deviceType, String artifact, String className) {
        this.backend = backend;
        this.provided = provided;
        this.deviceType = deviceType;
        this.artifact = artifact;
        this.className = className;
    }

    String provided() {
        return provided;
    }

    String deviceType() {
        return deviceType;
    }

    /// The backends, or the transports, whose classes are there but which no services file names.
    ///
    /// @param registered the classes that services files name
    static List<ShippedProviders> unregistered(boolean backends, Collection<String> registered) {
        List<ShippedProviders> all = new ArrayList<>();
        for (ShippedProviders each : values()) {
            if (each.backend == backends && !registered.contains(each.className)
                    && Services.isPresent(each.className, ShippedProviders.class)) {
                all.add(each);
            }
        }
        return all;
    }

    /// Why an unregistered one cannot be used, and what to do.
    String unregistered() {
        return artifact + " is on the path, but no services file names it: " + Services.MERGING;
    }

    /// What serves a device and was not found at all: the artifacts to add.
    ///
    /// @param device the device type asked for, or `auto`, or `gpu`
    /// @param name the backend asked for
    /// @param found the names of the backends that are there
    /// @return a clause for people; empty if everything of fst that serves the device is there
    static String wayOut(String device, Optional<String> name, Collection<String> found) {
        List<String> missing = new ArrayList<>();
        for (ShippedProviders each : values()) {
            boolean fits = device.equals("auto") || device.equals(each.deviceType)
                    || (device.equals("gpu") && each != CPU);
            if (each.backend && fits && name.map(each.provided::equals).orElse(true) && !found.contains(each.provided)
                    && !missing.contains(each.artifact)) {
                missing.add(each.artifact);
            }
        }
        return missing.isEmpty() ? "" : "add " + String.join(" or ", missing) + " to the class path or module path; "
                + Services.MERGING;
    }

    /// The artifact with a transport that was not found at all.
    ///
    /// @return a clause for people; empty if fst has no such transport
    static String transportWayOut(String name) {
        for (ShippedProviders each : values()) {
            if (!each.backend && each.provided.equals(name)) {
                return "; add " + each.artifact + " to the class path or module path; " + Services.MERGING;
            }
        }
        return "";
    }
}
