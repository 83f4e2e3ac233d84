package io.fastsafetensors.core.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NumaNodeTest {
    @TempDir
    Path nodes;

    private void node(int number, String processors) throws IOException {
        Files.writeString(Files.createDirectory(nodes.resolve("node" + number)).resolve("cpulist"), processors + "\n");
    }

    @Test
    void a_node_has_the_processors_that_the_kernel_lists() throws IOException {
        node(0, "0-3,8-9");
        node(1, "4-7,127");
        BitSet expected = new BitSet();
        expected.set(4, 8);
        expected.set(127);
        assertEquals(expected, NumaNode.processors(nodes, 1));
        assertEquals(6, NumaNode.processors(nodes, 0).cardinality());
    }

    @Test
    void there_is_nothing_to_choose_on_a_machine_of_one_node_or_for_an_unknown_one() throws IOException {
        node(0, "0-3");
        assertNull(NumaNode.processors(nodes, 0));
        node(1, "");
        assertNull(NumaNode.processors(nodes, -1));
        assertNull(NumaNode.processors(nodes, 1), "memory without processors");
        assertNull(NumaNode.processors(nodes, 5), "no such node");
    }

    @Test
    void what_cannot_be_read_pins_nobody() throws IOException {
        node(0, "0");
        node(1, "not a list");
        assertNull(NumaNode.processors(nodes, 1));
        NumaNode.pin(0);
        NumaNode.pin(-1);
    }
}
