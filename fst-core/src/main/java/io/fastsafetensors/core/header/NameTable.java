package io.fastsafetensors.core.header;

import java.util.function.IntFunction;

/// Finds numbers by the names that belong to them: one array of numbers, because a node for each of a hundred thousand
/// names takes more memory than what it leads to.
final class NameTable {
    private final IntFunction<String> names;
    private final int[] slots;

    /// None yet.
    ///
    /// @param size how many there will be
    /// @param names the name of a number that was added
    NameTable(int size, IntFunction<String> names) {
        this.names = names;
        // Half full at most. A slot holds a number and one more; 0 is free.
        this.slots = new int[Integer.highestOneBit(Math.max(1, size)) << 2];
    }

    /// Adds the next number.
    ///
    /// @return the number that has this name, which is an earlier one if the name is taken
    int add(int number) {
        String name = names.apply(number);
        int slot = slotOf(name);
        if (slots[slot] == 0) {
            slots[slot] = number + 1;
        }
        return slots[slot] - 1;
    }

    /// The number of a name, −1 if there is none.
    int find(String name) {
        return slots[slotOf(name)] - 1;
    }

    /// The slot that holds a name, or the free one where it belongs.
    private int slotOf(String name) {
        int hash = name.hashCode() * 0x9E3779B9;
        int slot = (hash ^ hash >>> 16) & slots.length - 1;
        while (slots[slot] != 0 && !names.apply(slots[slot] - 1).equals(name)) {
            slot = slot + 1 & slots.length - 1;
        }
        return slot;
    }
}
