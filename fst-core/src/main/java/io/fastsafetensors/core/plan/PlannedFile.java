package io.fastsafetensors.core.plan;

import io.fastsafetensors.types.Location;

/// The plan of one file.
///
/// What of a file is not selected is not read, unless it lies between two selected tensors that are read as one
/// range, or on a page with one of them. The record holds no open file: the location is looked up when the load runs.
///
/// @param location the file
/// @param fileLength its length when its header was read
/// @param tensors the selected tensors, by offset
/// @param ranges how many separate ranges are read
/// @param bytesToRead their bytes
/// @param bufferBytes the size of the device buffer that receives them, 0 if there is nothing to receive, or the file is mapped
///        instead
/// @param path how blocks reach their place
/// @param why the reason
public record PlannedFile(Location location, long fileLength, PlannedTensors tensors, int ranges, long bytesToRead,
        long bufferBytes, PlannedPath path, String why) {
    /// The paths by which blocks reach their targets.
    public enum PlannedPath {
        /// Read straight to where the tensors are; the buffer keeps the file's phase.
        IN_PLACE,
        /// Not read at all: the buffer is a mapping of the file, and only its pages are brought into memory.
        MAPPED_IN_PLACE,
        /// Read into a host slot, then each tensor's part is moved or converted to its aligned place by the host.
        MOVED,
        /// Read into a page-locked slot, then each tensor's part is copied to its place on the device.
        STAGED,
        /// Read into a page-locked slot as quantised elements and their scales, copied to the device as they are, and
        /// multiplied to its place there.
        DEQUANTIZED,
        /// Copied to the device out of a registered mapping of the file; the host reads nothing.
        MAPPED,
        /// Read into device memory without the host, then each tensor's part is copied to its place there.
        DIRECT;

        /// Whether every tensor is placed by itself rather than where its file has it.
        boolean placesEachTensor() {
            return this != IN_PLACE && this != MAPPED_IN_PLACE;
        }
    }

    /// Whether a slot of host memory is needed for this file.
    boolean needsSlots() {
        return (path == PlannedPath.MOVED || path == PlannedPath.STAGED || path == PlannedPath.DEQUANTIZED)
                && bytesToRead > 0;
    }

    /// Whether the tensors lie in a mapping of the file, which is no memory of the device's.
    public boolean isMappedInPlace() {
        return path == PlannedPath.MAPPED_IN_PLACE;
    }

    /// Whether some tensor changes its dtype on the way.
    public boolean converts() {
        for (int t = 0; t < tensors.size(); t++) {
            if (tensors.isConverted(t)) {
                return true;
            }
        }
        return false;
    }

    /// Whether some tensor's bytes are not one run of the file.
    public boolean gathers() {
        for (int t = 0; t < tensors.size(); t++) {
            if (tensors.isGathered(t)) {
                return true;
            }
        }
        return false;
    }

    /// The transfer path of a file's blocks.
    ///
    /// Decided by [io.fastsafetensors.core.transfer.PathSelector] before tensors are laid out. The planner moves a file
    /// that should be in place where its tensors do not lie as they must.
    ///
    /// @param path the path
    /// @param why the reason, for people
    /// @param readBytes bytes of one block as the file's storage or the path prefers it, where no slot bounds them; 0 without a preference
    /// @param growth how many times as large as its slot a block may be, at least 1: more where a slot holds what the block
    ///        is made of
    public record FileTransfer(PlannedPath path, String why, int readBytes, double growth) {
        /// A route without a preference.
        public FileTransfer(PlannedPath path, String why) {
            this(path, why, 0);
        }

        /// A route whose blocks are no larger than their slots.
        public FileTransfer(PlannedPath path, String why, int readBytes) {
            this(path, why, readBytes, 1);
        }
    }
}
