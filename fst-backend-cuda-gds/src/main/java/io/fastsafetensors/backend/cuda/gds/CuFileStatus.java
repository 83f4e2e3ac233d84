package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cuda.gds.ffm.CuFileError;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;

/// The statuses of cuFile (`CUfileOpError` of cufile.h, CUDA 13.0) with what they mean and the way out where one is
/// known; the one place where they become exceptions. A constant's name is the C name without `CU_FILE_`.
enum CuFileStatus {
    DRIVER_NOT_INITIALIZED(1, "nvidia-fs is not loaded and compatibility mode is off: load nvidia-fs, or set"
            + " \"allow_compat_mode\": true in cufile.json"),
    DRIVER_INVALID_PROPS(2, "invalid property: correct cufile.json"),
    DRIVER_UNSUPPORTED_LIMIT(3, "a property is out of its range: correct cufile.json"),
    DRIVER_VERSION_MISMATCH(4, "nvidia-fs and libcufile do not fit: install both from one CUDA release"),
    DRIVER_VERSION_READ_ERROR(5, "the version of nvidia-fs cannot be read: reload nvidia-fs"),
    DRIVER_CLOSING(6, "the library is shutting down"),
    PLATFORM_NOT_SUPPORTED(7, "not supported on this platform"),
    IO_NOT_SUPPORTED(8, "not supported for this file: move it to a filesystem that cuFile serves, or set"
            + " \"allow_compat_mode\": true in cufile.json"),
    DEVICE_NOT_SUPPORTED(9, "not supported by this GPU"),
    NVFS_DRIVER_ERROR(10, "nvidia-fs refused: see the kernel's log"),
    CUDA_DRIVER_ERROR(11, "the CUDA driver failed"),
    CUDA_POINTER_INVALID(12, "not a device pointer"),
    CUDA_MEMORY_TYPE_INVALID(13, "not a type of memory that cuFile can use"),
    CUDA_POINTER_RANGE_ERROR(14, "the range exceeds the allocation"),
    CUDA_CONTEXT_MISMATCH(15, "the memory belongs to another CUDA context"),
    INVALID_MAPPING_SIZE(16, "more memory than may be registered: raise \"max_device_pinned_mem_size_kb\" in"
            + " cufile.json; the GPU's BAR1 is the limit"),
    INVALID_MAPPING_RANGE(17, "the range exceeds the registered memory"),
    INVALID_FILE_TYPE(18, "not a regular file"),
    INVALID_FILE_OPEN_FLAG(19, "the file is open in a way that cuFile does not take: before CUDA 12.2 it must be"
            + " O_DIRECT"),
    DIO_NOT_SET(20, "the file is not open with O_DIRECT, which cuFile demands before CUDA 12.2"),
    INVALID_VALUE(22, "invalid argument"),
    MEMORY_ALREADY_REGISTERED(23, "the memory is registered already"),
    MEMORY_NOT_REGISTERED(24, "the memory is not registered"),
    PERMISSION_DENIED(25, "no permission for the driver or the file: check the rights of /dev/nvidia-fs*"),
    DRIVER_ALREADY_OPEN(26, "the driver is open already"),
    HANDLE_NOT_REGISTERED(27, "cuFile does not know this filesystem: overlay, tmpfs and loop devices it never does;"
            + " any other needs an entry of its disk in udev's database (/run/udev/data)"),
    HANDLE_ALREADY_REGISTERED(28, "the descriptor is registered already"),
    DEVICE_NOT_FOUND(29, "no such GPU"),
    INTERNAL_ERROR(30, "an internal error: see cufile.log"),
    GETNEWFD_FAILED(31, "no new file descriptor: the file was replaced or deleted since it was opened, or the limit is"
            + " reached (ulimit -n)"),
    NVFS_SETUP_ERROR(33, "the library cannot be initialised: see cufile.log"),
    IO_DISABLED(34, "switched off for this file by cufile.json"),
    BATCH_SUBMIT_FAILED(35, "a batch cannot be submitted"),
    GPU_MEMORY_PINNING_FAILED(36, "device memory cannot be pinned: too little of BAR1 is free"),
    BATCH_FULL(37, "the batch is full"),
    ASYNC_NOT_SUPPORTED(38, "stream operations are not supported"),
    INTERNAL_BATCH_SETUP_ERROR(39, "a batch cannot be set up: try again"),
    INTERNAL_BATCH_SUBMIT_ERROR(40, "a batch cannot be submitted: try again"),
    INTERNAL_BATCH_GETSTATUS_ERROR(41, "a batch does not say how it goes: try again"),
    INTERNAL_BATCH_CANCEL_ERROR(42, "a batch cannot be cancelled: try again"),
    NOMEM_ERROR(43, "the library has no memory: try again"),
    IO_ERROR(44, "an input/output error: check the drive and the kernel's log"),
    INTERNAL_BUF_REGISTER_ERROR(45, "memory cannot be registered"),
    HASH_OPR_ERROR(46, "an internal table failed"),
    INVALID_CONTEXT_ERROR(47, "no valid CUDA context"),
    NVFS_INTERNAL_DRIVER_ERROR(48, "nvidia-fs failed: see the kernel's log"),
    BATCH_NOCOMPAT_ERROR(49, "a batch needs compatibility mode, which is off"),
    IO_MAX_ERROR(50, "the largest status");

    private static final int BASE = 5000;

    private final int code;
    private final String meaning;

    CuFileStatus(int offset, String meaning) {
        this.code = BASE + offset;
        this.meaning = meaning;
    }

    /// What the C function returns.
    int code() {
        return code;
    }

    /// A failed call as an exception.
    ///
    /// @param call the C function
    static BackendException failure(String call, CuFileError error, CurrentContext cuda, Where where) {
        return new BackendException(describe(call, error, cuda), where);
    }

    /// A failed call in words.
    static String describe(String call, CuFileError error, CurrentContext cuda) {
        String text = words(error.err());
        return failed(call, error.err(), error.err() == CUDA_DRIVER_ERROR.code || error.cu_err() != 0
                ? text + ": " + cuda.nameOf(error.cu_err()) + ", " + error.cu_err()
                : text);
    }

    /// A failed `cuFileRead` as an exception.
    ///
    /// @param result what it returned: −1 for an errno, else the negative of a status
    /// @param errno the errno in words
    static BackendException readFailure(long result, String errno, Where where) {
        return new BackendException(
                failed("cuFileRead", result, result == -1 ? errno : words(-result)), where);
    }

    /// What an exception says without the place, for those who name the place themselves.
    static String detailOf(BackendException e) {
        String message = String.valueOf(e.getMessage());
        String where = e.where().toString();
        return message.endsWith(where) ? message.substring(0, message.length() - where.length()) : message;
    }

    private static String failed(String call, long status, String text) {
        return "libcufile: " + call + " failed with " + status + " (" + text + ")";
    }

    private static String words(long code) {
        for (CuFileStatus status : values()) {
            if (status.code == code) {
                return "CU_FILE_" + status.name() + ", " + status.meaning;
            }
        }
        return "a status that cufile.h of CUDA 13.0 does not know";
    }
}
