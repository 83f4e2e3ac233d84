package io.fastsafetensors.backend.cuda.driver;

import io.fastsafetensors.error.BackendException;
import java.util.HashMap;
import java.util.Map;

/// Makes exceptions of the driver's statuses, each with the status's name and the way out.
public final class CudaStatus {
    private static final String RESTART = "the device's context is lost and so is what is in it; start a new process";
    private static final Map<Integer, String> ADVICE = new HashMap<>();

    static {
        ADVICE.put(1, "the driver does not accept an argument");
        ADVICE.put(2, "the device or the host has no memory left for it; nvidia-smi shows who has the device's");
        ADVICE.put(3, "the driver is not started");
        ADVICE.put(4, "the process is ending");
        ADVICE.put(34, "libcuda.so.1 is the stub of the CUDA toolkit; let the loader find the driver's instead");
        ADVICE.put(46, "another process has the device for itself; nvidia-smi -q -d COMPUTE shows its compute mode");
        ADVICE.put(100, "no NVIDIA device is visible; see nvidia-smi and CUDA_VISIBLE_DEVICES");
        ADVICE.put(101, "no such device; see nvidia-smi and CUDA_VISIBLE_DEVICES");
        ADVICE.put(201, "the device's primary context is not valid; was the device reset?");
        ADVICE.put(209, "the kernels are not made for this device");
        ADVICE.put(214, "the device's memory is faulty; see nvidia-smi -q -d ECC");
        ADVICE.put(218, "the driver cannot compile the kernels");
        ADVICE.put(222, "the driver is too old for the kernels; install one of release 525 (CUDA 12.0) or newer");
        ADVICE.put(700, RESTART);
        ADVICE.put(702, RESTART);
        ADVICE.put(709, RESTART);
        ADVICE.put(710, RESTART);
        ADVICE.put(712, "the memory, or a part of it, is registered already; close that registration first");
        ADVICE.put(713, "the memory is not registered, or no longer");
        ADVICE.put(714, RESTART);
        ADVICE.put(715, RESTART);
        ADVICE.put(716, RESTART);
        ADVICE.put(717, RESTART);
        ADVICE.put(718, RESTART);
        ADVICE.put(719, RESTART);
        ADVICE.put(800, "the system does not permit it");
        ADVICE.put(801, "the driver or the device cannot do it");
        ADVICE.put(802, "the system is not ready; on machines with NVSwitch nvidia-fabricmanager must run");
        ADVICE.put(803, "libcuda.so.1 and the kernel's nvidia module are of different releases; restart the machine");
        ADVICE.put(804, "the device does not support the forward compatibility package that is installed");
        ADVICE.put(999, "the driver does not know why; see dmesg");
    }

    private final String backend;
    private final CudaDriver driver;

    /// Of one driver.
    ///
    /// @param backend the backend's name, for the exceptions
    /// @param driver knows the names of statuses
    public CudaStatus(String backend, CudaDriver driver) {
        this.backend = backend;
        this.driver = driver;
    }

    /// Lets success pass.
    ///
    /// @param call the C function
    /// @param status what it returned
    /// @throws BackendException unless it is `CUDA_SUCCESS`
    public void check(String call, int status) {
        if (status != CudaDriver.CUDA_SUCCESS) {
            throw failure(call, status, "");
        }
    }

    /// The exception for a status.
    ///
    /// @param call the C function
    /// @param detail more about this failure, or the empty string
    public BackendException failure(String call, int status, String detail) {
        StringBuilder text = new StringBuilder(nameOf(status));
        String advice = ADVICE.get(status);
        if (advice != null) {
            text.append(": ").append(advice);
        }
        if (!detail.isEmpty()) {
            text.append("; ").append(detail);
        }
        return BackendException.ofStatus(backend, "libcuda", call, status, text.toString());
    }

    /// The driver's name of a status.
    public String nameOf(int status) {
        String[] name = {""};
        boolean known = driver.cuGetErrorName(status, name) == CudaDriver.CUDA_SUCCESS;
        return known ? name[0] : "a status that this driver has no name for";
    }
}
