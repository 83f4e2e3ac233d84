package io.fastsafetensors.core.linux.ffm;

/// The result of statx(2); filled again by each call. For one thread.
public final class Statx {
    private static final int S_IFMT = 0xF000;
    private static final int S_IFREG = 0x8000;
    private static final int S_IFDIR = 0x4000;

    private int mode;
    private long device;
    private long inode;
    private long size;
    private long seconds;
    private int nanos;

    /// Says nothing yet.
    public Statx() {
    }

    /// Fills it in.
    ///
    /// @param mode `stx_mode`
    /// @param device major number << 32 | minor number
    /// @param inode `stx_ino`
    /// @param size `stx_size`, in bytes
    /// @param seconds `stx_mtime.tv_sec`
    /// @param nanos `stx_mtime.tv_nsec`
    public void set(int mode, long device, long inode, long size, long seconds, int nanos) {
        this.mode = mode;
        this.device = device;
        this.inode = inode;
        this.size = size;
        this.seconds = seconds;
        this.nanos = nanos;
    }

    /// Whether it is a regular file.
    public boolean isRegular() {
        return (mode & S_IFMT) == S_IFREG;
    }

    /// Whether it is a directory.
    public boolean isDirectory() {
        return (mode & S_IFMT) == S_IFDIR;
    }

    /// Major number << 32 | minor number.
    public long device() {
        return device;
    }

    /// The inode's number.
    public long inode() {
        return inode;
    }

    /// The length in bytes.
    public long size() {
        return size;
    }

    /// When the content was changed last, in seconds since 1970.
    public long seconds() {
        return seconds;
    }

    /// The nanoseconds of that.
    public int nanos() {
        return nanos;
    }
}
