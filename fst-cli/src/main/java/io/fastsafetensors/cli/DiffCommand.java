package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// `fst diff`: what two checkpoints do not have in common, whatever files their tensors are in.
final class DiffCommand implements Command {
    @Override
    public void describe(Syntax syntax) {
        syntax.operands("A", "a file, directory or index file", "B", "what it is compared with");
        OpenFlags.describe(syntax);
        syntax.format();
    }

    @Override
    public int run(Line line, Screen screen) {
        Table.Format format = line.format();
        Location left = Line.location(line.paths().get(0));
        Location right = Line.location(line.paths().get(1));
        Map<String, String> differences = differences(left, right, OpenFlags.of(line), screen);
        Table table = new Table("name", "difference").wrapLast();
        differences.forEach((name, difference) -> table.add(Cell.name(name), Cell.text(difference)));
        table.print(format, screen);
        if (format == Table.Format.TEXT) {
            screen.out().println(differences.isEmpty() ? "no difference"
                    : Sizes.count(differences.size(), "tensor") + (differences.size() == 1 ? " differs" : " differ"));
        }
        return differences.isEmpty() ? 0 : 1;
    }

    /// By name: those of A in its order, then those only in B.
    private static Map<String, String> differences(Location left, Location right, OpenOptions options, Screen screen) {
        Checkpoint a = Safetensors.open(left, options);
        Checkpoint b = Safetensors.open(right, options);
        OpenFlags.tell("diff", a, screen);
        OpenFlags.tell("diff", b, screen);
        Map<String, String> found = new LinkedHashMap<>();
        List<TensorPair> pairs = new ArrayList<>();
        for (TensorInfo tensor : a.tensors()) {
            if (!b.names().contains(tensor.name())) {
                found.put(tensor.name(), "only in A");
                continue;
            }
            TensorPair pair = new TensorPair(tensor, b.info(tensor.name()));
            // Holds the place in A's order until the bytes are compared.
            found.put(tensor.name(), pair.headers());
            if (pair.hasComparableValues()) {
                pairs.add(pair);
            }
        }
        for (TensorInfo tensor : b.tensors()) {
            if (!a.names().contains(tensor.name())) {
                found.put(tensor.name(), "only in B");
            }
        }
        try (ProgressBar bar = new ProgressBar("comparing", screen)) {
            new PairedLoads(left, right, options).compare(pairs, bar, (pair, values) -> found.merge(pair.name(), values,
                    (before, more) -> before.isEmpty() || more.isEmpty() ? before + more : before + ", " + more));
        }
        found.values().removeIf(String::isEmpty);
        return found;
    }
}
