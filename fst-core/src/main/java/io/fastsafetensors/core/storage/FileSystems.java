package io.fastsafetensors.core.storage;

import org.jspecify.annotations.Nullable;

/// Names Linux file systems, and knows those that are read through the page cache on purpose. One that is not named
/// here is tried with direct reads, as a local one would be: a refusal falls back, with its reason in the report.
final class FileSystems {
    /// @param name the name
    /// @param buffered why direct reads are not tried, or null if they are
    record Kind(String name, @Nullable String buffered) {
    }

    private FileSystems() {
    }

    /// The file system of a magic number (statfs(2), linux/magic.h).
    ///
    /// Magic numbers are 32 bits; what statfs puts above them is cut off.
    static Kind of(long magic) {
        return switch ((int) magic) {
            case 0xEF53 -> new Kind("ext4", null);
            case 0x58465342 -> new Kind("xfs", null);
            case 0x9123683E -> new Kind("btrfs", null);
            case 0x2FC12FC1 -> new Kind("zfs", null);
            case 0xF2F52010 -> new Kind("f2fs", null);
            case 0x0BD00BD0 -> new Kind("lustre", null);
            case 0x794C7630 -> new Kind("overlay", null);
            case 0x65735546 -> new Kind("fuse", null);
            case 0x01021994 -> new Kind("tmpfs", "tmpfs is memory already");
            case 0x858458F6 -> new Kind("ramfs", "ramfs is memory already");
            case 0x73717368 -> new Kind("squashfs", "squashfs has no direct reads");
            case 0x6969 -> new Kind("nfs", "a network file system reads ahead better through the page cache");
            case 0x517B, 0xFE534D42, 0xFF534D42 ->
                    new Kind("smb", "a network file system reads ahead better through the page cache");
            case 0x01021997 -> new Kind("9p", "a network file system reads ahead better through the page cache");
            default -> new Kind("0x" + Integer.toHexString((int) magic), null);
        };
    }
}
