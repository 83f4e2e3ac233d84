package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.linux.ffm.LibC;
import io.fastsafetensors.core.linux.ffm.PlatformLibC;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/// The processors of a device's NUMA node. Readers that run there copy to memory that is next to the device.
final class NumaNode {
    private static final Path NODES = Path.of("/sys/devices/system/node");

    private NumaNode() {
    }

    /// Keeps the calling thread on a node's processors; does nothing if the node is unknown, or the only one.
    ///
    /// The thread stays pinned afterwards: it is one of the process's readers, and is pinned again by a load that
    /// asks for another node. What the kernel refuses is logged, and the reader runs where it is.
    ///
    /// @param node the node's number, negative if unknown
    static void pin(int node) {
        LibC libc = PlatformLibC.instance();
        BitSet processors = libc == null ? null : processors(NODES, node);
        if (libc != null && processors != null && libc.sched_setaffinity(processors.toLongArray()) != 0) {
            System.getLogger("io.fastsafetensors.core").log(Level.DEBUG, "cannot run on NUMA node " + node
                    + ": its processors are not ours to use");
        }
    }

    /// The processors of a node; null if there is nothing to choose from.
    ///
    /// @param nodes the directory of all nodes; `/sys/devices/system/node` but for tests
    static @Nullable BitSet processors(Path nodes, int node) {
        if (node < 0 || !Files.exists(nodes.resolve("node1"))) {
            return null;
        }
        try {
            BitSet found = parse(Files.readString(nodes.resolve("node" + node).resolve("cpulist")).strip());
            return found.isEmpty() ? null : found;
        } catch (IOException | NumberFormatException e) {
            System.getLogger("io.fastsafetensors.core").log(Level.DEBUG, "cannot read the processors of node " + node,
                    e);
            return null;
        }
    }

    /// The kernel's lists, such as `0-15,64-79`.
    private static BitSet parse(String list) {
        BitSet set = new BitSet();
        for (String part : list.split(",", -1)) {
            if (!part.isEmpty()) {
                String[] ends = part.split("-", 2);
                set.set(Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1]) + 1);
            }
        }
        return set;
    }
}
