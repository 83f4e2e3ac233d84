package io.fastsafetensors.backend.cuda.gds.ffm;

/// `CUfileError_t`: what most functions of cuFile return.
///
/// @param err 0 for success, else a `CUfileOpError` (5001 and up)
/// @param cu_err the CUDA driver's status where `err` says that the driver failed
public record CuFileError(int err, int cu_err) {
    /// Success.
    public static final CuFileError SUCCESS = new CuFileError(0, 0);

    /// The structure as it is returned by value: two 32-bit integers in one 64-bit register, the first one in the low
    /// half (System V x86-64 and AAPCS64 calling conventions).
    static CuFileError ofWord(long word) {
        return word == 0 ? SUCCESS : new CuFileError((int) word, (int) (word >>> Integer.SIZE));
    }
}
