package io.fastsafetensors.core.read;

/// The errno values of Linux that reading files meets, in words.
final class Errnos {
    static final int EINTR = 4;
    static final int EAGAIN = 11;
    static final int EINVAL = 22;

    private Errnos() {
    }

    static String describe(int errno) {
        return switch (errno) {
            case 1 -> "EPERM, not permitted";
            case 2 -> "ENOENT, no such file";
            case EINTR -> "EINTR, interrupted";
            case 5 -> "EIO, the storage reports an input/output error: check the drive and the kernel's log";
            case 9 -> "EBADF, bad file descriptor";
            case EAGAIN -> "EAGAIN, try again";
            case 12 -> "ENOMEM, the kernel has no memory for this read";
            case 13 -> "EACCES, permission denied";
            case 14 -> "EFAULT, bad address";
            case 20 -> "ENOTDIR, not a directory";
            case 21 -> "EISDIR, is a directory";
            case EINVAL -> "EINVAL, invalid argument";
            case 23 -> "ENFILE, too many open files on this system";
            case 24 -> "EMFILE, too many open files: raise the limit (ulimit -n)";
            case 40 -> "ELOOP, too many symbolic links";
            case 116 -> "ESTALE, the network file is gone: the file was replaced on the server";
            case 121 -> "EREMOTEIO, remote input/output error";
            default -> "errno " + errno;
        };
    }
}
