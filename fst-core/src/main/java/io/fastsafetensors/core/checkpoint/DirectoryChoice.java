package io.fastsafetensors.core.checkpoint;

import io.fastsafetensors.core.checkpoint.CheckpointName.Numbers;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.types.Location;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Chooses, by their names alone, the files of a directory that make one checkpoint: an index before single files, those
/// before numbered shards. What has no order is an error that names the ways to choose.
final class DirectoryChoice {
    private static final String MAIN = "model";
    private static final List<String> SINGLE_FILES =
            List.of(MAIN, "diffusion_pytorch_model", "adapter_model", "consolidated");
    private static final int MOST_NAMED = 8;

    private final Location directory;
    private final List<CheckpointName> names;

    private DirectoryChoice(Location directory, List<CheckpointName> names) {
        this.directory = directory;
        this.names = names;
    }

    /// The index, alone, or the files in their order.
    ///
    /// @param names what the directory holds, by name; one at least
    /// @throws FormatException MissingShard if a shard of the chosen set is not there, AmbiguousCheckpoint if several
    ///         checkpoints are there and none goes before the others
    static List<CheckpointName> choose(Location directory, List<CheckpointName> names) {
        return new DirectoryChoice(directory, names).choose();
    }

    private List<CheckpointName> choose() {
        List<CheckpointName> indexes = names.stream().filter(CheckpointName::isIndex).toList();
        List<CheckpointName> plain = indexes.stream().filter(index -> !index.isVariantIndex()).toList();
        List<CheckpointName> best = plain.stream().filter(index -> index.stem().equals(MAIN)).toList();
        for (List<CheckpointName> found : List.of(best, plain.isEmpty() ? indexes : plain)) {
            if (found.size() == 1) {
                return found;
            }
        }
        List<CheckpointName> files = names.stream().filter(name -> !name.isIndex()).toList();
        for (String stem : SINGLE_FILES) {
            List<CheckpointName> found =
                    files.stream().filter(file -> file.number() < 0 && file.stem().equals(stem)).toList();
            if (found.size() == 1) {
                return found;
            }
        }
        if (!indexes.isEmpty()) {
            throw ambiguous(indexes.stream().map(CheckpointName::name).toList());
        }
        return inSets(files);
    }

    private List<CheckpointName> inSets(List<CheckpointName> files) {
        Map<String, List<CheckpointName>> sets = new LinkedHashMap<>();
        for (CheckpointName file : files) {
            if (file.number() >= 0) {
                sets.computeIfAbsent(file.set(), _ -> new ArrayList<>()).add(file);
            }
        }
        if (sets.size() == 1) {
            return whole(sets.values().iterator().next());
        }
        if (sets.isEmpty()) {
            List<CheckpointName> row = row(files);
            if (row != null) {
                return row;
            }
        }
        throw ambiguous(files.stream().map(CheckpointName::setName).distinct().toList());
    }

    /// The shards in the order of their numbers, which begin with 0 or 1.
    private List<CheckpointName> whole(List<CheckpointName> set) {
        if (set.getFirst().rank() >= 0) {
            // A rank without a tensor for some file has not written it: whether all is there, the parts of tensors say.
            return set.stream().sorted(Comparator.comparingInt(CheckpointName::rank)
                    .thenComparingInt(CheckpointName::number)).toList();
        }
        Map<Integer, CheckpointName> byNumber = new TreeMap<>();
        set.forEach(shard -> byNumber.putIfAbsent(shard.number(), shard));
        int first = byNumber.containsKey(0) ? 0 : 1;
        int count = set.getFirst().count();
        List<CheckpointName> shards = new ArrayList<>();
        List<String> missing = new ArrayList<>();
        for (int number = first; number < first + count && missing.size() <= MOST_NAMED; number++) {
            CheckpointName shard = byNumber.get(number);
            if (shard == null) {
                missing.add(set.getFirst().sibling(number));
            } else {
                shards.add(shard);
            }
        }
        if (!missing.isEmpty() || shards.isEmpty()) {
            throw new FormatException(FormatError.MISSING_SHARD, "by their names there are " + count + " shards, and "
                    + listed(missing) + " not there; download what is missing, or open a file by itself",
                    directory.where());
        }
        return shards;
    }

    /// The files if their names differ by one number that counts them; null if not.
    private static @Nullable List<CheckpointName> row(List<CheckpointName> files) {
        if (files.size() == 1) {
            return files;
        }
        Numbers first = Numbers.of(files.getFirst().stem());
        int place = first.difference(Numbers.of(files.get(1).stem()));
        Map<Long, CheckpointName> byNumber = new TreeMap<>();
        for (CheckpointName file : files) {
            Numbers numbers = Numbers.of(file.stem());
            boolean same = first.equals(numbers);
            if (place < 0 || (!same && first.difference(numbers) != place)) {
                return null;
            }
            byNumber.put(numbers.values().get(place), file);
        }
        List<Long> numbers = List.copyOf(byNumber.keySet());
        boolean whole = numbers.size() == files.size()
                && numbers.getLast() - numbers.getFirst() == numbers.size() - 1;
        return whole ? List.copyOf(byNumber.values()) : null;
    }

    private FormatException ambiguous(List<String> choices) {
        return new FormatException(FormatError.AMBIGUOUS_CHECKPOINT, "the directory holds several checkpoints: "
                + choices.stream().limit(MOST_NAMED).map(Printable::escape).collect(Collectors.joining(", "))
                + (choices.size() > MOST_NAMED ? " and " + (choices.size() - MOST_NAMED) + " more" : "")
                + "; open the file or the index that is meant, give a list of files, or name a variant (such as fp16)",
                directory.where());
    }

    private static String listed(List<String> missing) {
        String text = missing.stream().limit(MOST_NAMED).map(Printable::escape).collect(Collectors.joining(", "));
        return text + (missing.size() > MOST_NAMED ? " and more are" : missing.size() == 1 ? " is" : " are");
    }
}
