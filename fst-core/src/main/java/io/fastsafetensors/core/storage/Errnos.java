package io.fastsafetensors.core.storage;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.Map;

/// The errno values of Linux that files meet, in words and with the way out; those behind the JDK's exceptions too.
/// Names are those that people search for; texts end with what to do where anything can be done.
///
/// The numbers are those of x86-64 and AArch64, which agree for these.
public final class Errnos {
    static final int ENOENT = 2;
    static final int EINTR = 4;
    static final int EIO = 5;
    static final int EAGAIN = 11;
    static final int EACCES = 13;
    static final int ENOTDIR = 20;
    static final int EISDIR = 21;
    static final int EINVAL = 22;
    static final int EMFILE = 24;
    static final int ELOOP = 40;
    static final int ESTALE = 116;

    /// What the JDK keeps of an errno is the C library's message.
    private static final Map<String, Integer> BY_MESSAGE = Map.of("Too many levels of symbolic links", ELOOP,
            "Not a directory", ENOTDIR, "Is a directory", EISDIR, "Too many open files", EMFILE, "Input/output error",
            EIO, "Permission denied", EACCES, "Stale file handle", ESTALE, "No such file or directory", ENOENT);

    private Errnos() {
    }

    /// The errno's name and what it means.
    ///
    /// @return for the end of a message; no full stop
    static String describe(int errno) {
        return switch (errno) {
            case 1 -> "EPERM, not permitted";
            case ENOENT -> "ENOENT, no such file; check the path";
            case EINTR -> "EINTR, interrupted";
            case EIO -> "EIO, the storage reports an input/output error: check the drive and the kernel's log";
            case 6 -> "ENXIO, no such device";
            case 9 -> "EBADF, bad file descriptor";
            case EAGAIN -> "EAGAIN, try again";
            case 12 -> "ENOMEM, the kernel has no memory for this call";
            case EACCES -> "EACCES, permission denied: check the modes of the file and of the directories above it, and"
                    + " which user runs this";
            case 14 -> "EFAULT, bad address";
            case 19 -> "ENODEV, the file system cannot do that";
            case ENOTDIR -> "ENOTDIR, not a directory: a name in the middle of the path is a file's";
            case EISDIR -> "EISDIR, is a directory";
            case EINVAL -> "EINVAL, invalid argument";
            case 23 -> "ENFILE, too many open files on this system";
            case EMFILE -> "EMFILE, too many open files: raise the limit (ulimit -n)";
            case 36 -> "ENAMETOOLONG, the name is longer than the file system allows";
            case ELOOP -> "ELOOP, too many symbolic links: one of them leads back to itself";
            case 75 -> "EOVERFLOW, the file is too large for this call";
            case ESTALE -> "ESTALE, the network file is gone: the file was replaced on the server";
            case 121 -> "EREMOTEIO, remote input/output error";
            default -> "errno " + errno;
        };
    }

    /// What went wrong, by the name of its errno where the JDK's exception tells which it was.
    public static String describe(IOException e) {
        return switch (e) {
            case NoSuchFileException _ -> describe(ENOENT);
            case AccessDeniedException _ -> describe(EACCES);
            case NotDirectoryException _ -> describe(ENOTDIR);
            case FileSystemLoopException _ -> describe(ELOOP);
            case ClosedByInterruptException _ -> "the thread was interrupted";
            case ClosedChannelException _ -> "the file was closed, as the JDK does when a thread that uses it is"
                    + " interrupted";
            case FileSystemException failure when failure.getReason() != null -> ofMessage(failure.getReason());
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : ofMessage(e.getMessage());
        };
    }

    /// The JDK puts its own words behind the C library's; what is not among those known, as in another locale, is told
    /// as it is.
    private static String ofMessage(String message) {
        return BY_MESSAGE.entrySet().stream().filter(known -> message.startsWith(known.getKey())).findFirst()
                .map(known -> describe(known.getValue())).orElse(message);
    }

    /// Whether it says that nothing is there. A name below a file is absent as well.
    static boolean isAbsent(IOException e) {
        String what = describe(e);
        return what.equals(describe(ENOENT)) || what.equals(describe(ENOTDIR));
    }
}
