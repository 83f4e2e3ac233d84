package io.fastsafetensors.backend.cuda.gds.ffm;

import java.lang.foreign.MemorySegment;

/// The functions of NVIDIA's cuFile library under their own names. Safe for use by many threads; those that touch
/// device memory want a current CUDA context. Device addresses are plain numbers, sizes and offsets are in bytes.
public interface CuFile {
    /// Opens the library's driver. Takes 0.2–0.5 s, prints to standard error where there is no CUDA driver, and writes
    /// to `cufile.log` in the working directory what goes wrong.
    CuFileError cuFileDriverOpen();

    /// What the driver is and can do.
    ///
    /// @param props a structure of [CuFileDrvProps#LAYOUT]
    CuFileError cuFileDriverGetProperties(MemorySegment props);

    /// The library's version, 1000 times the first part and 10 times the second; needs no driver.
    ///
    /// @param version where it goes, an `int`
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException before version 1.8, which has no such function
    CuFileError cuFileGetVersion(MemorySegment version);

    /// Registers an open file.
    ///
    /// @param fh where the handle goes, a pointer
    /// @param descr the file, of [CuFileDescr#LAYOUT]
    CuFileError cuFileHandleRegister(MemorySegment fh, MemorySegment descr);

    /// Ends a handle; the descriptor stays open.
    void cuFileHandleDeregister(long fh);

    /// Makes device memory known to the drives.
    ///
    /// @param bufPtr_base its address
    /// @param flags 0, there being none but for RDMA
    CuFileError cuFileBufRegister(long bufPtr_base, long length, int flags);

    /// Ends a registration.
    CuFileError cuFileBufDeregister(long bufPtr_base);

    /// Reads into device memory.
    ///
    /// @param fh the file's handle
    /// @param bufPtr_base the address of the device memory, the registered one if it is registered
    /// @param bufPtr_offset where the bytes go, from there
    /// @return how many bytes were read; −1 if the file failed, as [#errno()] says; else the negative of a status
    long cuFileRead(long fh, long bufPtr_base, long size, long file_offset, long bufPtr_offset);

    /// This thread's errno after a [#cuFileRead] that returned −1.
    int errno();
}
