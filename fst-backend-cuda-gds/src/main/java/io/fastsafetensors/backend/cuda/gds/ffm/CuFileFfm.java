package io.fastsafetensors.backend.cuda.gds.ffm;

import io.fastsafetensors.spi.ffm.Errno;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// [CuFile] on NVIDIA's library; 64-bit Linux only.
public final class CuFileFfm implements CuFile {
    /// Where the library is looked for: where the system's loader looks, then where CUDA's installers put it.
    public static final List<String> NAMES = List.of("libcufile.so.0", "libcufile.so",
            "/usr/local/cuda/targets/x86_64-linux/lib/libcufile.so.0",
            "/usr/local/cuda/targets/sbsa-linux/lib/libcufile.so.0", "/usr/local/cuda/lib64/libcufile.so.0");

    private static final NativeLibrary LIBCUFILE = NativeLibrary.open(NAMES.toArray(String[]::new));

    // CUfileError_t cuFileDriverOpen(void)
    private static final WordFunction DRIVER_OPEN = LIBCUFILE.words("cuFileDriverOpen");
    // CUfileError_t cuFileDriverGetProperties(CUfileDrvProps_t *props)
    private static final WordFunction DRIVER_GET_PROPERTIES = LIBCUFILE.words("cuFileDriverGetProperties");
    // CUfileError_t cuFileHandleRegister(CUfileHandle_t *fh, CUfileDescr_t *descr)
    private static final WordFunction HANDLE_REGISTER = LIBCUFILE.words("cuFileHandleRegister");
    // void cuFileHandleDeregister(CUfileHandle_t fh)
    private static final WordFunction HANDLE_DEREGISTER = LIBCUFILE.words("cuFileHandleDeregister");
    // CUfileError_t cuFileBufRegister(const void *bufPtr_base, size_t length, int flags)
    private static final WordFunction BUF_REGISTER = LIBCUFILE.words("cuFileBufRegister");
    // CUfileError_t cuFileBufDeregister(const void *bufPtr_base)
    private static final WordFunction BUF_DEREGISTER = LIBCUFILE.words("cuFileBufDeregister");
    // ssize_t cuFileRead(CUfileHandle_t fh, void *bufPtr_base, size_t size, off_t file_offset, off_t bufPtr_offset)
    private static final WordFunction READ = LIBCUFILE.words("cuFileRead");

    /// Binds on first use; the class's initialiser fails where the library, a function or native access is missing.
    public CuFileFfm() {
    }

    @Override
    public CuFileError cuFileDriverOpen() {
        return CuFileError.ofWord(DRIVER_OPEN.call());
    }

    @Override
    public CuFileError cuFileDriverGetProperties(MemorySegment props) {
        return CuFileError.ofWord(DRIVER_GET_PROPERTIES.call(props.address()));
    }

    @Override
    public CuFileError cuFileGetVersion(MemorySegment version) {
        // CUfileError_t cuFileGetVersion(int *version); bound here, since old versions lack it
        return CuFileError.ofWord(LIBCUFILE.words("cuFileGetVersion").call(version.address()));
    }

    @Override
    public CuFileError cuFileHandleRegister(MemorySegment fh, MemorySegment descr) {
        return CuFileError.ofWord(HANDLE_REGISTER.call(fh.address(), descr.address()));
    }

    @Override
    public void cuFileHandleDeregister(long fh) {
        HANDLE_DEREGISTER.call(fh);
    }

    @Override
    public CuFileError cuFileBufRegister(long bufPtr_base, long length, int flags) {
        return CuFileError.ofWord(BUF_REGISTER.call(bufPtr_base, length, flags));
    }

    @Override
    public CuFileError cuFileBufDeregister(long bufPtr_base) {
        return CuFileError.ofWord(BUF_DEREGISTER.call(bufPtr_base));
    }

    @Override
    public long cuFileRead(long fh, long bufPtr_base, long size, long file_offset, long bufPtr_offset) {
        return READ.call(fh, bufPtr_base, size, file_offset, bufPtr_offset);
    }

    @Override
    public int errno() {
        return Errno.last();
    }
}
