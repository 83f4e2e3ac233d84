package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.types.Device;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The devices of every platform, numbered: graphics processors first, then accelerators, then processors of the host;
/// within a kind in the order of the loader's platforms and of each platform's devices. So `opencl:0` is a GPU wherever
/// there is one, whichever drivers are installed besides.
///
/// @param devices those that can be used
/// @param refusals the others and platforms that failed, each with the reason
/// @param versions the version of each platform by its name
record DeviceList(List<ClDevice> devices, List<String> refusals, Map<String, String> versions) {
    /// What the kernels and the commands need.
    private static final int DLPACK_OPENCL = 4;
    private static final int OLDEST_VERSION = 12;
    private static final Pattern VERSION = Pattern.compile("OpenCL (\\d+)\\.(\\d+).*");
    private static final String FREE_MEMORY_EXTENSION = "cl_amd_device_attribute_query";

    /// A device that can be used and has no number yet.
    private record Candidate(long platform, String platformName, long handle, long type) {
        int rank() {
            return switch (kind()) {
                case GPU -> 0;
                case ACCELERATOR -> 1;
                case CPU -> 2;
            };
        }

        DeviceKind kind() {
            return (type & OpenCl.CL_DEVICE_TYPE_GPU) != 0 ? DeviceKind.GPU
                    : (type & OpenCl.CL_DEVICE_TYPE_CPU) != 0 ? DeviceKind.CPU : DeviceKind.ACCELERATOR;
        }
    }

    /// Reads the list. A platform or a device that fails does not hide the others.
    ///
    /// @throws BackendException if the platforms cannot be listed
    static DeviceList read(OpenCl cl) {
        OpenClQuery facts = new OpenClQuery(cl);
        DeviceList list = new DeviceList(new ArrayList<>(), new ArrayList<>(), new TreeMap<>());
        List<Candidate> candidates = new ArrayList<>();
        for (long platform : platforms(cl)) {
            list.refusing("", () -> {
                String name = facts.platformText(platform, OpenCl.CL_PLATFORM_NAME);
                list.versions.put(name, facts.platformText(platform, OpenCl.CL_PLATFORM_VERSION));
                for (long device : devices(cl, platform)) {
                    list.refusing(name + ": ", () -> {
                        requireUsable(facts, device);
                        candidates.add(new Candidate(platform, name, device,
                                facts.number(device, OpenCl.CL_DEVICE_TYPE)));
                    });
                }
            });
        }
        candidates.sort(Comparator.comparingInt(Candidate::rank));
        for (Candidate candidate : candidates) {
            list.refusing(candidate.platformName() + ": ",
                    () -> list.devices.add(describe(facts, candidate, list.devices.size())));
        }
        return list;
    }

    /// Keeps the reason where a step fails.
    private void refusing(String platform, Runnable step) {
        try {
            step.run();
        } catch (BackendException e) {
            refusals.add(platform + e.getMessage());
        }
    }

    /// Why there is no device.
    String whyEmpty() {
        if (versions.isEmpty() && refusals.isEmpty()) {
            return "the OpenCL loader is installed and finds no platform: install a driver (ICD), the GPU vendor's own or,"
                    + " for the processor, PoCL (Debian: pocl-opencl-icd)";
        }
        return "no OpenCL device can be used; platforms: " + String.join(", ", versions.keySet())
                + (refusals.isEmpty() ? ", none has a device" : "; " + String.join("; ", refusals));
    }

    private static long[] platforms(OpenCl cl) {
        int[] count = new int[1];
        int status = cl.clGetPlatformIDs(0, null, count);
        if (status == OpenCl.CL_PLATFORM_NOT_FOUND_KHR || (status == OpenCl.CL_SUCCESS && count[0] == 0)) {
            return new long[0];
        }
        ClStatus.check("clGetPlatformIDs", status);
        long[] platforms = new long[count[0]];
        ClStatus.check("clGetPlatformIDs", cl.clGetPlatformIDs(platforms.length, platforms, null));
        return platforms;
    }

    private static long[] devices(OpenCl cl, long platform) {
        int[] count = new int[1];
        int status = cl.clGetDeviceIDs(platform, OpenCl.CL_DEVICE_TYPE_ALL, 0, null, count);
        if (status == OpenCl.CL_DEVICE_NOT_FOUND || (status == OpenCl.CL_SUCCESS && count[0] == 0)) {
            return new long[0];
        }
        ClStatus.check("clGetDeviceIDs", status);
        long[] devices = new long[count[0]];
        ClStatus.check("clGetDeviceIDs",
                cl.clGetDeviceIDs(platform, OpenCl.CL_DEVICE_TYPE_ALL, devices.length, devices, null));
        return devices;
    }

    /// @throws BackendException saying why a device cannot be used
    private static void requireUsable(OpenClQuery facts, long device) {
        String name = facts.text(device, OpenCl.CL_DEVICE_NAME);
        String version = facts.text(device, OpenCl.CL_DEVICE_VERSION);
        Matcher matcher = VERSION.matcher(version);
        require(matcher.matches()
                && 10 * Integer.parseInt(matcher.group(1)) + Integer.parseInt(matcher.group(2)) >= OLDEST_VERSION,
                name + " has " + version + ", and fst needs OpenCL 1.2");
        require(facts.flag(device, OpenCl.CL_DEVICE_AVAILABLE), name + " is not available, says its driver");
        require(facts.flag(device, OpenCl.CL_DEVICE_COMPILER_AVAILABLE), name + " has no compiler for kernels");
        require(facts.flag(device, OpenCl.CL_DEVICE_ENDIAN_LITTLE),
                name + " is big-endian, and tensors are little-endian");
    }

    private static void require(boolean met, String otherwise) {
        if (!met) {
            throw new BackendException(otherwise, Where.backend(ClStatus.BACKEND));
        }
    }

    private static ClDevice describe(OpenClQuery facts, Candidate candidate, int number) {
        long device = candidate.handle();
        long largest = facts.number(device, OpenCl.CL_DEVICE_MAX_MEM_ALLOC_SIZE);
        Map<String, String> attributes = Map.of("platform", candidate.platformName(),
                "vendor", facts.text(device, OpenCl.CL_DEVICE_VENDOR),
                "version", facts.text(device, OpenCl.CL_DEVICE_VERSION),
                "driver", facts.text(device, OpenCl.CL_DRIVER_VERSION),
                "largest buffer", largest + " bytes",
                "base alignment", facts.small(device, OpenCl.CL_DEVICE_MEM_BASE_ADDR_ALIGN) / Byte.SIZE + " bytes");
        DeviceInfo info = DeviceInfo
                .of(new Device("opencl", number), candidate.kind(), facts.text(device, OpenCl.CL_DEVICE_NAME))
                .withTotalBytes(facts.number(device, OpenCl.CL_DEVICE_GLOBAL_MEM_SIZE)).withAttributes(attributes)
                .withDlpackTypes(DLPACK_OPENCL);
        boolean tellsFree = Arrays.asList(facts.text(device, OpenCl.CL_DEVICE_EXTENSIONS).split("\\s+"))
                .contains(FREE_MEMORY_EXTENSION);
        return new ClDevice(candidate.platform(), device, info, largest,
                (candidate.type() & OpenCl.CL_DEVICE_TYPE_CPU) != 0, tellsFree);
    }

}
